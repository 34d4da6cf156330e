"""Names of the numbers of TLS: versions, cipher suites, extensions, groups, alerts."""

from typing import Final

from wirecover.capture.registries.cipher_suites import CIPHER_SUITES, UNREGISTERED_SUITES

# RFC 8701 section 2
GREASE: Final = frozenset(0x0A0A + 0x1010 * step for step in range(16))

# https://www.rfc-editor.org/rfc/rfc8446#section-4.2.1 and #appendix-D; DTLS: https://www.rfc-editor.org/rfc/rfc9147
# 0x0100: OpenSSL before 0.9.8f and AnyConnect; 0x0101: GM/T 0024-2014
VERSIONS: Final[dict[int, str]] = {
    0x0002: "SSL 2.0",
    0x0100: "DTLS 1.0 (pre-standard)",
    0x0101: "TLCP 1.1",
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
    0xFEFC: "DTLS 1.3",
    0xFEFD: "DTLS 1.2",
    0xFEFF: "DTLS 1.0",
}

# https://www.iana.org/assignments/tls-extensiontype-values/tls-extensiontype-values.xhtml
EXTENSIONS: Final[dict[int, str]] = {
    0: "server_name",
    1: "max_fragment_length",
    2: "client_certificate_url",
    3: "trusted_ca_keys",
    4: "truncated_hmac",
    5: "status_request",
    6: "user_mapping",
    7: "client_authz",
    8: "server_authz",
    9: "cert_type",
    10: "supported_groups",
    11: "ec_point_formats",
    12: "srp",
    13: "signature_algorithms",
    14: "use_srtp",
    15: "heartbeat",
    16: "application_layer_protocol_negotiation",
    17: "status_request_v2",
    18: "signed_certificate_timestamp",
    19: "client_certificate_type",
    20: "server_certificate_type",
    21: "padding",
    22: "encrypt_then_mac",
    23: "extended_master_secret",
    24: "token_binding",
    25: "cached_info",
    26: "tls_lts",
    27: "compress_certificate",
    28: "record_size_limit",
    29: "pwd_protect",
    30: "pwd_clear",
    31: "password_salt",
    32: "ticket_pinning",
    33: "tls_cert_with_extern_psk",
    34: "delegated_credential",
    35: "session_ticket",
    36: "TLMSP",
    37: "TLMSP_proxying",
    38: "TLMSP_delegate",
    39: "supported_ekt_ciphers",
    41: "pre_shared_key",
    42: "early_data",
    43: "supported_versions",
    44: "cookie",
    45: "psk_key_exchange_modes",
    47: "certificate_authorities",
    48: "oid_filters",
    49: "post_handshake_auth",
    50: "signature_algorithms_cert",
    51: "key_share",
    52: "transparency_info",
    54: "connection_id",
    55: "external_id_hash",
    56: "external_session_id",
    57: "quic_transport_parameters",
    58: "ticket_request",
    59: "dnssec_chain",
    60: "sequence_number_encryption_algorithms",
    61: "rrc",
    64768: "ech_outer_extensions",
    65037: "encrypted_client_hello",
    65281: "renegotiation_info",
}

# Not registered: drafts and vendors. 13172: draft-agl-tls-nextprotoneg-04; 17513, 17613: draft-vvv-tls-alps;
# 30031, 30032: draft-balfanz-tls-channelid; 65445: draft-ietf-quic-tls-32; 65486: draft-ietf-tls-esni-06.
UNREGISTERED_EXTENSIONS: Final[dict[int, str]] = {
    13172: "next_protocol_negotiation",
    17513: "application_settings_old",
    17613: "application_settings",
    30031: "channel_id_old",
    30032: "channel_id",
    65445: "quic_transport_parameters_draft",
    65486: "encrypted_server_name",
}

# https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml#tls-parameters-8
GROUPS: Final[dict[int, str]] = {
    1: "sect163k1",
    2: "sect163r1",
    3: "sect163r2",
    4: "sect193r1",
    5: "sect193r2",
    6: "sect233k1",
    7: "sect233r1",
    8: "sect239k1",
    9: "sect283k1",
    10: "sect283r1",
    11: "sect409k1",
    12: "sect409r1",
    13: "sect571k1",
    14: "sect571r1",
    15: "secp160k1",
    16: "secp160r1",
    17: "secp160r2",
    18: "secp192k1",
    19: "secp192r1",
    20: "secp224k1",
    21: "secp224r1",
    22: "secp256k1",
    23: "secp256r1",
    24: "secp384r1",
    25: "secp521r1",
    26: "brainpoolP256r1",
    27: "brainpoolP384r1",
    28: "brainpoolP512r1",
    29: "x25519",
    30: "x448",
    31: "brainpoolP256r1tls13",
    32: "brainpoolP384r1tls13",
    33: "brainpoolP512r1tls13",
    34: "GC256A",
    35: "GC256B",
    36: "GC256C",
    37: "GC256D",
    38: "GC512A",
    39: "GC512B",
    40: "GC512C",
    41: "curveSM2",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    512: "MLKEM512",
    513: "MLKEM768",
    514: "MLKEM1024",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
    25497: "X25519Kyber768Draft00",
    25498: "SecP256r1Kyber768Draft00",
    65281: "arbitrary_explicit_prime_curves",
    65282: "arbitrary_explicit_char2_curves",
}

# https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml#tls-parameters-6
ALERTS: Final[dict[int, str]] = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    52: "too_many_cids_requested",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    117: "general_error",
    120: "no_application_protocol",
    121: "ech_required",
}


def _name(number: int, *tables: dict[int, str], digits: int = 4) -> str:
    for table in tables:
        if number in table:
            return table[number]
    return f"{'GREASE' if digits == 4 and number in GREASE else 'unknown'}-0x{number:0{digits}x}"


def version_name(number: int) -> str:
    """`TLS 1.3`, `DTLS 1.2`, `SSL 3.0`; drafts of TLS 1.3 by number (0x7f1c: 28; 0xfb..: of Fizz)."""
    if number >> 8 in (0x7F, 0xFB):
        return f"TLS 1.3 draft {number & 0xFF}" + (" (Fizz)" if number >> 8 == 0xFB else "")
    return _name(number, VERSIONS)


def cipher_name(number: int) -> str:
    """The IANA name of a cipher suite; `unknown-0x....` where there is none."""
    return _name(number, CIPHER_SUITES, UNREGISTERED_SUITES)


def extension_name(number: int) -> str:
    """The IANA name of an extension."""
    return _name(number, EXTENSIONS, UNREGISTERED_EXTENSIONS)


def group_name(number: int) -> str:
    """The IANA name of a named group."""
    return _name(number, GROUPS)


def alert_name(number: int) -> str:
    """The IANA name of an alert description."""
    return _name(number, ALERTS, digits=2)
