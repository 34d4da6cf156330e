"""RFC 3161: requests that openssl answers, answers that it made, and what is wrong with others."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stamping import Authority

from wirecover.casefile.errors import IntegrityError
from wirecover.casefile.timestamp_token import check_stamp, read_nonce, request

DATA = b"7:" + b"ab" * 32 + b"\n"
NONCE = 0xF123456789ABCDE


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    return Authority(tmp_path_factory.mktemp("tsa") / "rsa")


@pytest.fixture(scope="module")
def answer(authority: Authority) -> bytes:
    return authority.stamp(request(DATA, NONCE))


def test_openssl_reads_our_request(authority: Authority, tmp_path: Path) -> None:
    (authority.home / "mine.tsq").write_bytes(request(DATA, NONCE))
    told = authority.run("ts", "-query", "-in", "mine.tsq", "-text").decode()
    assert "Hash Algorithm: sha256" in told and "Certificate required: yes" in told
    assert "Nonce: 0x0F123456789ABCDE" in told
    assert read_nonce(request(DATA, NONCE)) == NONCE


def test_an_answer_of_openssl_holds(authority: Authority, answer: bytes) -> None:
    stamp = check_stamp(answer, DATA, [authority.root], nonce=NONCE)
    assert (stamp.trusted, stamp.policy, stamp.signer) == (True, "1.2.3.4", "CN=Stamper")
    assert check_stamp(answer, DATA, [authority.signer]).trusted
    assert check_stamp(answer, DATA, []).trusted is False


def test_an_authority_with_an_ec_key(tmp_path: Path, authority: Authority) -> None:
    other = Authority(tmp_path / "ec", kind="ec")
    made = other.stamp(request(DATA, 5))
    assert check_stamp(made, DATA, [other.root], nonce=5).trusted
    with pytest.raises(IntegrityError, match="does not lead to a given certificate"):
        check_stamp(made, DATA, [authority.root])


def test_a_certificate_for_something_else_is_refused(
    tmp_path: Path, authority: Authority, answer: bytes
) -> None:
    if authority.run("version").startswith(b"OpenSSL"):
        with pytest.raises(AssertionError):  # openssl itself does not stamp with it
            Authority(tmp_path / "web", usage="serverAuth").stamp(request(DATA, 5))


def test_what_does_not_hold(authority: Authority, answer: bytes) -> None:
    for data, nonce, says in (
        (DATA + b"x", NONCE, "of something else"),
        (DATA, 1, "answers another request"),
    ):
        with pytest.raises(IntegrityError, match=says):
            check_stamp(answer, data, [authority.root], nonce=nonce)
    with pytest.raises(IntegrityError, match="is none"):
        check_stamp(bytes(2 << 20), DATA, [])
    with pytest.raises(IntegrityError, match="refused"):
        check_stamp(bytes.fromhex("3005300302 0102".replace(" ", "")), DATA, [])


def test_every_flipped_byte_is_found_or_is_none_of_what_is_signed(
    authority: Authority, answer: bytes
) -> None:
    want = check_stamp(answer, DATA, [authority.root], nonce=NONCE)
    passed = 0
    for place in range(0, len(answer), 7):
        changed = bytearray(answer)
        changed[place] ^= 0x10
        try:
            found = check_stamp(bytes(changed), DATA, [authority.root], nonce=NONCE)
        except IntegrityError:
            continue
        assert found == want, f"byte {place} changed what the stamp says, and its signature still fits"
        passed += 1
    assert passed < len(answer) // 7 // 2


def test_cut_anywhere_it_is_refused(authority: Authority, answer: bytes) -> None:
    for end in range(0, len(answer), 5):
        with pytest.raises(IntegrityError):
            check_stamp(answer[:end], DATA, [authority.root])
    with pytest.raises(IntegrityError):
        check_stamp(answer + b"\x00", DATA, [authority.root])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        check_stamp(data, DATA, [])
