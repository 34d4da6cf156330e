"""The cipher suite tables: spot checks against the RFCs, and what a table of names must hold."""

import re

from wirecover.capture.registries.cipher_suites import CIPHER_SUITES, UNREGISTERED_SUITES


def test_known_numbers() -> None:
    # RFC 5246 A.5, RFC 5289, RFC 7905, RFC 8446 B.4, RFC 9150, RFC 9189
    assert CIPHER_SUITES[0x0000] == "TLS_NULL_WITH_NULL_NULL"
    assert CIPHER_SUITES[0x002F] == "TLS_RSA_WITH_AES_128_CBC_SHA"
    assert CIPHER_SUITES[0x00FF] == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
    assert CIPHER_SUITES[0xC02B] == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    assert CIPHER_SUITES[0xC030] == "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    assert CIPHER_SUITES[0xCCA9] == "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    assert CIPHER_SUITES[0x1301] == "TLS_AES_128_GCM_SHA256"
    assert CIPHER_SUITES[0x1307] == "TLS_AEGIS_128L_SHA256"
    assert CIPHER_SUITES[0xC0B4] == "TLS_SHA256_SHA256"
    assert CIPHER_SUITES[0xC100] == "TLS_GOSTR341112_256_WITH_KUZNYECHIK_CTR_OMAC"
    assert UNREGISTERED_SUITES[0x010080] == "SSL_CK_RC4_128_WITH_MD5"


def test_registered_names_are_of_tls_and_unique() -> None:
    assert len(CIPHER_SUITES) == 352
    assert all(0 <= number <= 0xFFFF for number in CIPHER_SUITES)
    assert all(re.fullmatch(r"TLS_[A-Za-z0-9_]+", name) for name in CIPHER_SUITES.values())
    assert len(set(CIPHER_SUITES.values())) == len(CIPHER_SUITES)


def test_no_number_stands_in_both_tables() -> None:
    assert not CIPHER_SUITES.keys() & UNREGISTERED_SUITES.keys()
