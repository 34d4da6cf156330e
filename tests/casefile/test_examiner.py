"""Profiles and keys of examiners, their signatures in the log, and the rule of two."""

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, note, record, start_log
from wirecover.casefile.demands import Demands
from wirecover.casefile.errors import AuthorityError, CaseError
from wirecover.casefile.examiner import Examiner, new_examiner
from wirecover.casefile.layout import Marker
from wirecover.casefile.log_check import read_log
from wirecover.casefile.log_file import Record
from wirecover.casefile.log_signatures import check_signatures, unmet_demands
from wirecover.casefile.manifest_signature import KeySigner, PrivateKey, check

SECRET = b"correct horse battery"


def pem_of(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def certificate_of(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, name: str = "Ana"
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )  # fmt: skip


def examiner(name: str, seed: int) -> Examiner:
    return Examiner(
        name, "analyst", "court", KeySigner(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))
    )


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    path = tmp_path / "case"
    path.mkdir()
    (path / "case.toml").write_text(Marker(1, training=True).to_toml(), encoding="utf-8", newline="\n")
    made = Case(path, training=True, clock=lambda: 5)
    start_log(made, {"training": True})
    return made


def test_a_new_profile_is_read_again(tmp_path: Path) -> None:
    profile = new_examiner(tmp_path / "ana", 'A. "B" \\ C', "analyst", "court", passphrase=SECRET)
    one = Examiner.load(profile, lambda: SECRET)
    assert (one.name, one.role, one.organisation) == ('A. "B" \\ C', "analyst", "court")
    assert check(b"x", one.sign(b"x"), (tmp_path / "ana" / "examiner.pub.pem").read_bytes()) == one.key_id
    key = (tmp_path / "ana" / "examiner.key.pem").read_bytes()
    assert b"ENCRYPTED" in key and SECRET not in key + profile.read_bytes()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "ana").iterdir())
    with pytest.raises(CaseError, match="wrong passphrase"):
        Examiner.load(profile, lambda: b"another one here")
    with pytest.raises(CaseError, match="exists already"):
        new_examiner(tmp_path / "ana", "A", "B", "C", passphrase=SECRET)


@pytest.mark.parametrize(
    ("name", "passphrase", "reason"),
    [
        ("A", b"short", "at least 12"),
        ("A", None, "at least 12"),
        ("", SECRET, "name"),
        ("a\nb", SECRET, "visible"),
    ],
)
def test_what_cannot_be_a_profile_is_not_made(
    tmp_path: Path, name: str, passphrase: bytes | None, reason: str
) -> None:
    with pytest.raises(CaseError, match=reason):
        new_examiner(tmp_path / "x", name, "role", "court", passphrase=passphrase)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "no examiner's profile"),
        ("name = 'x'", "one table"),
        ("[examiner]\nname = 'x'\nrole = 'x'\norganisation = 'x'\nkey = 5", "key is missing or no text"),
        ("[examiner]\nname = 'x'\nrole = 'x'\norganisation = 'x'\nkey = 'none.pem'", "No such file"),
        (
            "[examiner]\nname = 'x'\nrole = 'x'\norganisation = 'x'\nkey = 'x'\npassword = 'x'",
            "unknown: 'password'",
        ),
    ],
)
def test_a_profile_that_is_none(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "examiner.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CaseError, match=reason):
        Examiner.load(tmp_path / "examiner.toml")


def test_keys_in_pkcs12_and_pem_with_certificates(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    certificate = certificate_of(rsa_key)
    (tmp_path / "ana.p12").write_bytes(pkcs12.serialize_key_and_certificates(
        b"ana", rsa_key, certificate, None, serialization.BestAvailableEncryption(SECRET)
    ))  # fmt: skip
    one = Examiner.load(
        new_examiner(tmp_path / "a", "Ana", "r", "o", key=tmp_path / "ana.p12"), lambda: SECRET
    )
    assert one.certificate == certificate and one.algorithm == "rsa-pss-sha256"
    with pytest.raises(CaseError, match=r"wrong passphrase, or no PKCS#12 file"):
        Examiner.load(tmp_path / "a" / "examiner.toml", lambda: b"wrong")
    (tmp_path / "key.pem").write_bytes(pem_of(rsa_key))
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    two = Examiner.load(new_examiner(
        tmp_path / "b", "Ana", "r", "o", key=tmp_path / "key.pem", certificate=tmp_path / "cert.pem"
    ))  # fmt: skip
    assert two.key_id == one.key_id
    (tmp_path / "key.pem").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(CaseError, match="the certificate is of another key"):
        Examiner.load(tmp_path / "b" / "examiner.toml")


def test_a_cms_signature_is_verified_by_openssl(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    one = Examiner("Ana", "r", "o", KeySigner(rsa_key), certificate_of(rsa_key))
    (tmp_path / "data").write_bytes(b"manifest\n")
    (tmp_path / "sig").write_bytes(one.cms(b"manifest\n"))
    (tmp_path / "cert").write_bytes(one.certificate.public_bytes(serialization.Encoding.PEM))  # type: ignore[union-attr]
    try:
        done = subprocess.run(
            ["openssl", "cms", "-verify", "-inform", "DER", "-in", "sig", "-content", "data", "-CAfile", "cert",
             "-purpose", "any", "-binary"], cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no openssl here")
    assert (done.returncode, done.stdout) == (0, b"manifest\n"), done.stderr
    with pytest.raises(CaseError, match="needs a certificate"):
        examiner("Ana", 1).cms(b"x")


def test_acts_are_signed_and_the_key_is_introduced_once(case: Case) -> None:
    mine = replace(case, by=examiner("Ana", 1))
    for _ in range(2):
        with record(mine, Act("query")) as entry:
            entry.note("part", {})
    note(case, Act("x"))
    log = read_log(case.path).acts
    assert [one.verb for one in log].count("examiner") == 1
    assert [bool(one.signatures) for one in log] == [False, *[True] * 7, False]
    found = check_signatures(log, examiner("Ana", 1).key_id)
    assert found.problems == [] and found.signed[examiner("Ana", 1).key_id] == 7
    assert any("2 lines signed by nobody" in one for one in found.remarks)
    assert "no line is signed" in check_signatures(log, "ab" * 32).problems[0]


def forged(log: list[Record], number: int, **changes: object) -> list[Record]:
    return [replace(one, **changes) if one.seq == number else one for one in log]  # type: ignore[arg-type]


def test_signatures_that_do_not_fit_are_found(case: Case) -> None:
    ana, bob = examiner("Ana", 1), examiner("Bob", 2)
    note(replace(case, by=ana), Act("query"))
    note(replace(case, by=bob), Act("query"))
    log = read_log(case.path).acts
    assert [one.verb for one in log] == ["init", "examiner", "query", "examiner", "query"]
    other = {"key": bob.key_id, "algorithm": "ed25519", "value": log[2].signatures[0]["value"]}
    body = replace(log[2], examiner="Bob").body()
    under_bob = {
        "key": ana.key_id,
        "algorithm": "ed25519",
        "value": base64.b64encode(ana.sign(body)).decode(),
    }
    for changed, says in (
        (forged(log, 3, reason="another"), "the signature of 'Ana' does not fit"),
        (forged(log, 3, signatures=()), "who did not sign it"),
        (forged(log, 3, signatures=log[2].signatures * 2), "signed twice with one key"),
        (forged(log, 5, signatures=(other,)), "the signature of 'Bob' does not fit"),
        (forged(log, 3, signatures=({"key": "00", "value": "x"},)), "which the log does not introduce"),
        (forged(log, 3, signatures=({"key": ana.key_id, "value": "!"},)), "does not fit"),
        (forged(log, 3, examiner="Bob"), "the signature of 'Ana' does not fit"),
        (forged(log, 3, examiner="Bob", signatures=(under_bob,)), "names 'Bob', and is signed by 'Ana'"),
        (forged(log, 2, arguments=log[3].arguments), "does not introduce"),
        (forged(log, 4, arguments={**log[1].arguments, "name": "Eve"}), "another name"),
        (forged(log, 4, arguments={**log[3].arguments, "key": "00"}), "under another key"),
        (forged(log, 4, arguments={"public_key": "x"}), "key cannot be read"),
    ):
        assert any(says in one for one in check_signatures(changed).problems), says


def test_two_examiners_sign_the_same_act(case: Case) -> None:
    (case.path / "authority.toml").write_text('[custody]\ntwo_person = ["export"]\n', encoding="utf-8")
    ana, bob = examiner("Ana", 1), examiner("Bob", 2)
    with pytest.raises(AuthorityError, match="it is the same key"):
        note(replace(case, by=ana, second=examiner("Bob", 1)), Act("query", export=True))
    line = note(replace(case, by=ana, second=bob), Act("query", export=True))
    assert [one["key"] for one in line.signatures] == [ana.key_id, bob.key_id]
    log = read_log(case.path).acts
    assert check_signatures(log).problems == []
    asked = Demands(two_person=frozenset({"export"}))
    assert unmet_demands(log, asked) == []
    assert unmet_demands(forged(log, line.seq, signatures=line.signatures[:1]), asked) == [
        f"act {line.seq} (query) is not signed by two examiners, and the authority asks for two"
    ]
    assert "has no reason" in unmet_demands(log, Demands(reason=True))[0]
