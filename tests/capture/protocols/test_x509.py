"""Certificates: that of RFC 8448, made ones of every kind, broken ones, and the walk against the library."""

import hashlib
import warnings
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, x448, x25519
from cryptography.x509.oid import NameOID
from support import rfc8448
from support.parser_outcomes import check_random

from wirecover.capture.protocols.tls import parse_certificate_message
from wirecover.capture.protocols.x509 import Certificate, parse_certificate
from wirecover.capture.protocols.x509_der import walk_certificate

RFC_8448 = parse_certificate_message(rfc8448.CERTIFICATE[4:], tls13=True)[0]
BEGIN, END = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2034, 1, 2, 3, 4, 5, tzinfo=UTC)
SIGNER = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())


def name(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs])


def build(
    subject: x509.Name,
    *,
    issuer: x509.Name | None = None,
    key: object = SIGNER,
    signer: object = None,
    alternatives: list[x509.GeneralName] | None = None,
    end: datetime = END,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    """A certificate's DER."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(0x0ABC)
        .not_valid_before(BEGIN)
        .not_valid_after(end)
    )
    if alternatives is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    signer = signer or key
    plain = isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    made = builder.sign(signer, None if plain else digest or hashes.SHA256())  # type: ignore[arg-type]
    return made.public_bytes(serialization.Encoding.DER)


SIMPLE = name(
    (NameOID.COUNTRY_NAME, "BE"), (NameOID.ORGANIZATION_NAME, "Exchange"), (NameOID.COMMON_NAME, "a.example")
)


def test_certificate_of_rfc_8448() -> None:
    found = parse_certificate(RFC_8448)
    assert found == Certificate(
        sha256=hashlib.sha256(RFC_8448).hexdigest(),
        sha1=hashlib.sha1(RFC_8448).hexdigest(),
        subject="CN=rsa",
        issuer="CN=rsa",
        serial="02",
        not_before=1_469_841_839_000_000_000,
        not_after=1_785_374_639_000_000_000,
        san=(),
        public_key_type="rsa",
        public_key_bits=1024,
        self_signed=True,
        common_name="rsa",
        problems=(),
    )
    assert found.host_names == ("rsa",)


def test_names_serial_and_times() -> None:
    found = parse_certificate(build(SIMPLE))
    assert found.subject == "CN=a.example,O=Exchange,C=BE"
    assert found.serial == "0abc"
    assert found.not_before == int(BEGIN.timestamp()) * 10**9
    assert found.not_after == int(END.timestamp()) * 10**9
    assert (found.public_key_type, found.public_key_bits) == ("ec", 256)


def test_alternative_names() -> None:
    der = build(
        SIMPLE,
        alternatives=[
            x509.DNSName("*.example.org"),
            x509.IPAddress(ip_address("192.0.2.7")),
            x509.IPAddress(ip_address("2001:db8::7")),
            x509.RFC822Name("who@example.org"),
            x509.UniformResourceIdentifier("https://example.org/x"),
            x509.DirectoryName(name((NameOID.COMMON_NAME, "dir"))),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5"), b"\x0c\x01x"),
        ],
    )
    found = parse_certificate(der)
    assert found.san == (
        "*.example.org",
        "192.0.2.7",
        "2001:db8::7",
        "who@example.org",
        "https://example.org/x",
        "dirName:CN=dir",
        "registeredID:1.2.3.4",
        "otherName:1.3.6.1.5.5.7.8.5",
    )
    assert found.host_names == ("*.example.org", "192.0.2.7")
    assert walk_certificate(der).san == found.san


@pytest.mark.parametrize(
    ("key", "kind", "bits"),
    [
        (rsa.generate_private_key(65537, 1024), "rsa", 1024),
        (ec.derive_private_key(7, ec.SECP384R1()), "ec", 384),
        (ec.derive_private_key(7, ec.SECP521R1()), "ec", 521),
        (ec.derive_private_key(7, ec.BrainpoolP256R1()), "ec", 256),
        (ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32), "ed25519", 256),
        (ed448.Ed448PrivateKey.from_private_bytes(b"k" * 57), "ed448", 456),
        (x25519.X25519PrivateKey.from_private_bytes(b"k" * 32), "x25519", 256),
        (x448.X448PrivateKey.from_private_bytes(b"k" * 56), "x448", 448),
        (dsa.generate_private_key(1024), "dsa", 1024),
    ],
    ids=["rsa", "p384", "p521", "brainpool", "ed25519", "ed448", "x25519", "x448", "dsa"],
)
def test_keys(key: object, kind: str, bits: int) -> None:
    signer = SIGNER if kind in ("x25519", "x448") else None
    der = build(SIMPLE, key=key, signer=signer)
    found = parse_certificate(der)
    assert (found.public_key_type, found.public_key_bits) == (kind, bits)
    assert found.self_signed is (None if kind in ("x25519", "x448") else True)
    walked = walk_certificate(der)
    assert (walked.key_type, walked.key_bits) == (kind, bits)


def test_self_signed_is_checked_not_believed() -> None:
    other = ec.derive_private_key(99, ec.SECP256R1())
    assert parse_certificate(build(SIMPLE)).self_signed is True
    assert parse_certificate(build(SIMPLE, signer=other)).self_signed is False
    issuer = name((NameOID.COMMON_NAME, "issuer"))
    assert parse_certificate(build(SIMPLE, issuer=issuer, signer=other)).self_signed is False


def _signed_with_sha_1() -> bytes:
    """cryptography makes no such certificate any more: exchange the algorithm, then sign anew."""
    key = rsa.generate_private_key(65537, 1024)
    made = x509.load_der_x509_certificate(build(SIMPLE, key=key))
    with_sha256, with_sha1 = (bytes.fromhex("2a864886f70d0101" + last) for last in ("0b", "05"))
    signed = made.tbs_certificate_bytes.replace(with_sha256, with_sha1)
    der = made.public_bytes(serialization.Encoding.DER).replace(with_sha256, with_sha1)
    return der[:-128] + key.sign(signed, padding.PKCS1v15(), hashes.SHA1())


def test_sha_1_self_signatures_are_checked_too() -> None:
    der = _signed_with_sha_1()
    assert parse_certificate(der).self_signed is True
    bent = der[:-1] + bytes([der[-1] ^ 1])
    assert parse_certificate(bent).self_signed is False


def test_times_beyond_64_bits_are_left_out() -> None:
    found = parse_certificate(build(SIMPLE, end=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)))
    assert found.not_after is None
    assert found.not_before is not None
    assert (
        parse_certificate(build(SIMPLE, end=datetime(2262, 1, 1, tzinfo=UTC))).not_after == 9214646400 * 10**9
    )


SPECIALS = [
    'comma, plus+ "quote" \\ <angle> ; semi',
    "#hash first",
    " space both ",
    "Ünïcode ✓",
    "ctrl\x07\x1b[2J",
    "=equals=",
]


@pytest.mark.parametrize("value", SPECIALS)
def test_special_characters_agree_between_library_and_walk(value: str) -> None:
    der = build(
        name((NameOID.COMMON_NAME, value), (NameOID.EMAIL_ADDRESS, "a@b.c"), (NameOID.SERIAL_NUMBER, "77"))
    )
    found, walked = parse_certificate(der), walk_certificate(der)
    assert found.problems == ()
    assert found.subject == walked.subject
    assert found.common_name == walked.common_name
    assert found.subject is not None
    assert found.subject.startswith("2.5.4.5=77,emailAddress=a@b.c,CN=")


def test_several_attributes_in_one_part() -> None:
    subject = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.COMMON_NAME, "x"), x509.NameAttribute(NameOID.USER_ID, "y")]
            )
        ]
    )
    der = build(subject)
    assert parse_certificate(der).subject == walk_certificate(der).subject


def _agree(der: bytes) -> None:
    found, walked = parse_certificate(der), walk_certificate(der)
    assert found.problems == ()
    assert walked.problems == []
    assert (found.subject, found.issuer, found.serial) == (walked.subject, walked.issuer, walked.serial)
    assert (found.not_before, found.not_after, found.san) == (walked.not_before, walked.not_after, walked.san)
    assert (found.public_key_type, found.public_key_bits) == (walked.key_type, walked.key_bits)


def test_walk_and_library_agree() -> None:
    _agree(RFC_8448)
    _agree(build(SIMPLE, alternatives=[x509.DNSName("a.example")]))
    _agree(
        build(name((NameOID.COMMON_NAME, "old")), end=datetime(2050, 6, 1, tzinfo=UTC) + timedelta(days=1))
    )


def test_broken_bytes_never_raise_and_keep_their_hashes() -> None:
    der = build(SIMPLE, alternatives=[x509.DNSName("a.example")])

    def parse(data: bytes) -> object:
        found = parse_certificate(data)
        assert found.sha256 == hashlib.sha256(data).hexdigest()
        return found

    for length in range(0, len(der), 3):
        parse(der[:length])
    for position in range(len(der)):
        for value in (0x00, 0xFF, der[position] ^ 0x20):
            parse(der[:position] + bytes([value]) + der[position + 1 :])
    check_random(parse, [b"", b"\x30\x82\x01\x00", der[:40], der[:150]])


def test_a_cut_certificate_still_names_its_owner() -> None:
    der = build(SIMPLE, alternatives=[x509.DNSName("a.example")])
    found = parse_certificate(der[:-80])
    assert found.subject == "CN=a.example,O=Exchange,C=BE"
    assert found.public_key_type == "ec"
    assert found.self_signed is None
    assert found.problems
    assert found.problems[0].startswith("refused: ")


def test_a_certificate_the_library_refuses_is_walked() -> None:
    der = build(SIMPLE)
    # The version field 2 (v3) becomes 7: cryptography refuses it outright.
    bad = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    found = parse_certificate(bad)
    assert found.subject == "CN=a.example,O=Exchange,C=BE"
    assert found.not_before == int(BEGIN.timestamp()) * 10**9
    assert found.problems
    assert found.serial == "0abc"


def test_a_key_the_library_refuses_is_still_described() -> None:
    der = build(SIMPLE)
    # prime256v1 becomes 1.2.840.10045.3.1.8, which nobody has named.
    unknown = der.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030108"), 1)
    found = parse_certificate(unknown)
    assert (found.public_key_type, found.public_key_bits) == ("ec", None)
    assert found.self_signed is None
    assert any(problem.startswith("public key: ") for problem in found.problems)


def test_odd_contents_warn_nobody() -> None:
    der = build(SIMPLE)
    negative = der.replace(b"\x02\x02\x0a\xbc", b"\x02\x02\x8a\xbc", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = parse_certificate(negative)
    assert found.serial == "-7544"
    assert found.subject == "CN=a.example,O=Exchange,C=BE"
