"""DNS record types, classes, opcodes and response codes.

Source: https://www.iana.org/assignments/dns-parameters/dns-parameters.xhtml
NetBIOS types 32 and 33 (RFC 1002) are not here: 32 is unassigned work in progress and 33 is SRV in DNS.
"""

from typing import Final

TYPES: Final[dict[int, str]] = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS",
    12: "PTR", 13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN",
    21: "RT", 22: "NSAP", 23: "NSAP-PTR", 24: "SIG", 25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC",
    30: "NXT", 31: "EID", 32: "NIMLOC", 33: "SRV", 34: "ATMA", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6",
    39: "DNAME", 40: "SINK", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG",
    47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP",
    56: "NINFO", 57: "RKEY", 58: "TALINK", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC",
    63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 66: "DSYNC", 67: "HHIT", 68: "BRID", 99: "SPF", 100: "UINFO",
    101: "UID", 102: "GID", 103: "UNSPEC", 104: "NID", 105: "L32", 106: "L64", 107: "LP", 108: "EUI48",
    109: "EUI64", 128: "NXNAME", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB",
    254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA", 258: "AVC", 259: "DOA", 260: "AMTRELAY",
    261: "RESINFO", 262: "WALLET", 263: "CLA", 264: "IPN", 32768: "TA", 32769: "DLV",
}  # fmt: skip

CLASSES: Final[dict[int, str]] = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}

OPCODES: Final[dict[int, str]] = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}

RCODES: Final[dict[int, str]] = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN",
    7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS", 17: "BADKEY",
    18: "BADTIME", 19: "BADMODE", 20: "BADNAME", 21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE",
}  # fmt: skip

SERVICE_PARAMETERS: Final[dict[int, str]] = {
    # https://www.iana.org/assignments/dns-svcb/dns-svcb.xhtml
    0: "mandatory", 1: "alpn", 2: "no-default-alpn", 3: "port", 4: "ipv4hint", 5: "ech", 6: "ipv6hint",
    7: "dohpath", 8: "ohttp", 9: "tls-supported-groups",
}  # fmt: skip


def type_name(number: int) -> str:
    """Mnemonic of a record type; `TYPE65280` (RFC 3597 section 5) where there is none."""
    return TYPES.get(number) or f"TYPE{number}"


def class_name(number: int) -> str:
    """Mnemonic of a class; `CLASS32` (RFC 3597 section 5) where there is none."""
    return CLASSES.get(number) or f"CLASS{number}"


def opcode_name(number: int) -> str:
    """Mnemonic of an opcode, else `unknown-0x..`."""
    return OPCODES.get(number) or f"unknown-0x{number:x}"


def rcode_name(number: int) -> str:
    """Mnemonic of a response code (12 bits with EDNS), else `unknown-0x..`."""
    return RCODES.get(number) or f"unknown-0x{number:x}"
