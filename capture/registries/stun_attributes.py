"""STUN and TURN methods, classes, attributes and error codes.

Sources, attributes of later vendors apart:
https://www.iana.org/assignments/stun-parameters/stun-parameters.xhtml
RFC 3489 section 11.2 (the attributes of classic STUN that RFC 5389 retired)
https://learn.microsoft.com/openspecs/office_protocols/ms-turn (0x8008, 0x8050, 0x8055, 0x8090, 0x8095)
https://learn.microsoft.com/openspecs/office_protocols/ms-ice2 (0x8054, 0x8070)
Attributes of messengers without a published name have none here: they stay numbers.
"""

from typing import Final

METHODS: Final[dict[int, str]] = {
    0x001: "binding", 0x002: "shared-secret", 0x003: "allocate", 0x004: "refresh", 0x006: "send",
    0x007: "data", 0x008: "create-permission", 0x009: "channel-bind", 0x00A: "connect", 0x00B: "connection-bind",
    0x00C: "connection-attempt", 0x080: "goog-ping",
}  # fmt: skip

CLASSES: Final = ("request", "indication", "success", "error")

ATTRIBUTES: Final[dict[int, str]] = {
    0x0001: "MAPPED-ADDRESS", 0x0002: "RESPONSE-ADDRESS", 0x0003: "CHANGE-REQUEST", 0x0004: "SOURCE-ADDRESS",
    0x0005: "CHANGED-ADDRESS", 0x0006: "USERNAME", 0x0007: "PASSWORD", 0x0008: "MESSAGE-INTEGRITY",
    0x0009: "ERROR-CODE", 0x000A: "UNKNOWN-ATTRIBUTES", 0x000B: "REFLECTED-FROM", 0x000C: "CHANNEL-NUMBER",
    0x000D: "LIFETIME", 0x000F: "MAGIC-COOKIE", 0x0010: "BANDWIDTH", 0x0011: "DESTINATION-ADDRESS",
    0x0012: "XOR-PEER-ADDRESS", 0x0013: "DATA", 0x0014: "REALM", 0x0015: "NONCE",
    0x0016: "XOR-RELAYED-ADDRESS", 0x0017: "REQUESTED-ADDRESS-FAMILY", 0x0018: "EVEN-PORT",
    0x0019: "REQUESTED-TRANSPORT",
    0x001A: "DONT-FRAGMENT", 0x001B: "ACCESS-TOKEN", 0x001C: "MESSAGE-INTEGRITY-SHA256",
    0x001D: "PASSWORD-ALGORITHM", 0x001E: "USERHASH", 0x0020: "XOR-MAPPED-ADDRESS", 0x0021: "TIMER-VAL",
    0x0022: "RESERVATION-TOKEN", 0x0024: "PRIORITY", 0x0025: "USE-CANDIDATE", 0x0026: "PADDING",
    0x0027: "RESPONSE-PORT", 0x002A: "CONNECTION-ID", 0x8000: "ADDITIONAL-ADDRESS-FAMILY",
    0x8001: "ADDRESS-ERROR-CODE", 0x8002: "PASSWORD-ALGORITHMS", 0x8003: "ALTERNATE-DOMAIN", 0x8004: "ICMP",
    0x8008: "MS-VERSION", 0x8020: "MS-XOR-MAPPED-ADDRESS", 0x8022: "SOFTWARE", 0x8023: "ALTERNATE-SERVER",
    0x8025: "TRANSACTION-TRANSMIT-COUNTER", 0x8027: "CACHE-TIMEOUT", 0x8028: "FINGERPRINT",
    0x8029: "ICE-CONTROLLED", 0x802A: "ICE-CONTROLLING", 0x802B: "RESPONSE-ORIGIN", 0x802C: "OTHER-ADDRESS",
    0x802D: "ECN-CHECK", 0x802E: "THIRD-PARTY-AUTHORIZATION", 0x802F: "ORIGIN", 0x8030: "MOBILITY-TICKET",
    0x8050: "MS-SEQUENCE-NUMBER", 0x8054: "MS-CANDIDATE-IDENTIFIER", 0x8055: "MS-SERVICE-QUALITY",
    0x8070: "MS-IMPLEMENTATION-VERSION", 0x8090: "MS-ALTERNATE-MAPPED-ADDRESS",
    0x8095: "MS-MULTIPLEXED-TURN-SESSION-ID", 0xC000: "CISCO-STUN-FLOWDATA", 0xC001: "ENF-FLOW-DESCRIPTION",
    0xC002: "ENF-NETWORK-STATUS", 0xC003: "CISCO-WEBEX-FLOW-INFO", 0xC056: "CITRIX-TRANSACTION-ID",
    0xC057: "GOOG-NETWORK-INFO", 0xC058: "GOOG-LAST-ICE-CHECK-RECEIVED", 0xC059: "GOOG-MISC-INFO",
    0xC05A: "GOOG-OBSOLETE-1", 0xC05B: "GOOG-CONNECTION-ID", 0xC05C: "GOOG-DELTA", 0xC05D: "GOOG-DELTA-ACK",
    0xC05E: "GOOG-DELTA-SYNC-REQ", 0xC060: "GOOG-MESSAGE-INTEGRITY-32",
}  # fmt: skip


def method_name(number: int) -> str:
    """Name of a 12-bit method, else `unknown-0x...`."""
    return METHODS.get(number) or f"unknown-0x{number:03x}"


def attribute_name(number: int) -> str:
    """Name of an attribute, else `unknown-0x....`."""
    return ATTRIBUTES.get(number) or f"unknown-0x{number:04x}"


def attribute_number(name: str) -> int | None:
    """The number of an attribute by what `attribute_name` calls it; None for any other text."""
    if name.startswith("unknown-0x"):
        digits = name.removeprefix("unknown-0x")
        return (
            int(digits, 16) if len(digits) == 4 and all(one in "0123456789abcdef" for one in digits) else None
        )
    return _NUMBERS.get(name)


_NUMBERS: Final = {name: number for number, name in ATTRIBUTES.items()}
