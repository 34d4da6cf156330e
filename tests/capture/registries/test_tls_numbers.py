"""Names of TLS numbers, known and unknown."""

from wirecover.capture.registries import tls_numbers as names


def test_versions() -> None:
    shown = [names.version_name(number) for number in (0x0002, 0x0300, 0x0301, 0x0304, 0xFEFD, 0xFEFC)]
    assert shown == ["SSL 2.0", "SSL 3.0", "TLS 1.0", "TLS 1.3", "DTLS 1.2", "DTLS 1.3"]
    assert names.version_name(0x7F1C) == "TLS 1.3 draft 28"
    assert names.version_name(0xFB1A) == "TLS 1.3 draft 26 (Fizz)"
    assert names.version_name(0x0309) == "unknown-0x0309"


def test_what_has_no_name_shows_its_number() -> None:
    assert names.cipher_name(0x1301) == "TLS_AES_128_GCM_SHA256"
    assert names.cipher_name(0xCC13).endswith("_OLD")
    assert names.cipher_name(0xF001) == "unknown-0xf001"
    assert names.cipher_name(0x123456) == "unknown-0x123456"
    assert names.cipher_name(0xAAAA) == "GREASE-0xaaaa"
    assert names.extension_name(65037) == "encrypted_client_hello"
    assert names.extension_name(17513) == "application_settings_old"
    assert names.extension_name(0xABCD) == "unknown-0xabcd"
    assert names.group_name(4588) == "X25519MLKEM768"
    assert names.group_name(0x0A0A) == "GREASE-0x0a0a"
    assert names.alert_name(40) == "handshake_failure"
    assert names.alert_name(10) == "unexpected_message"
    assert names.alert_name(200) == "unknown-0xc8"


def test_no_number_is_both_registered_and_not() -> None:
    assert not names.EXTENSIONS.keys() & names.UNREGISTERED_EXTENSIONS.keys()
    assert not names.GREASE & names.EXTENSIONS.keys()
