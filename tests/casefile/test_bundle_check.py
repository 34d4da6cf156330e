"""What is said of a sealed file: with a key, without, with a receipt of another, after a change."""

import json
from pathlib import Path

import pytest
from sealing import Keys, keys, sealed_by_hand, small_case

from wirecover.casefile import receipt
from wirecover.casefile.bundle import is_bundle
from wirecover.casefile.bundle_check import Check, check_bundle
from wirecover.casefile.errors import IntegrityError
from wirecover.casefile.seal import seal


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    bob = keys(folder, "bob")
    seal(small_case(folder), folder / "sealed", bob.recipients, bob.signer)
    seal(small_case(folder, "other"), folder / "second", bob.recipients, bob.signer)
    return folder


@pytest.fixture
def bob(root: Path) -> Keys:
    return Keys(root / "bob", root / "bob.pub", root / "bob.pem", keys(root / "x", "x").signer)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    for name in ("sealed", "sealed.receipt.json"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    return tmp_path / "sealed"


def told(checks: list[Check]) -> dict[str, bool | None]:
    return {check.subject: check.holds for check in checks}


def test_without_a_key_the_outside_is_checked(root: Path) -> None:
    assert is_bundle(root / "sealed") and not is_bundle(root / "bob")
    assert told(check_bundle(root / "sealed")) == {
        "envelope": True, "receipt": True, "signer of the receipt": None, "inside": None,
    }  # fmt: skip


def test_with_a_key_everything_is(root: Path, bob: Keys) -> None:
    from wirecover.casefile.manifest_signature import trusted_fingerprint

    found = check_bundle(root / "sealed", bob.identities, trusted_fingerprint(root / "bob.signer.pem"))
    assert set(told(found).values()) == {True}
    assert {"manifest", "files", "what it is", "signer of the manifest", "receipt and manifest"} <= set(
        told(found)
    )
    found = check_bundle(root / "sealed", bob.identities, "0" * 64)
    assert told(found)["signer of the manifest"] is False and told(found)["signer of the receipt"] is False


def test_a_changed_byte_fails_outside_and_inside(copy: Path, bob: Keys) -> None:
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    found = told(check_bundle(copy, bob.identities))
    assert found["envelope"] is True and found["receipt"] is False and found["inside"] is False


def test_a_receipt_of_another_file_fails(copy: Path, root: Path, bob: Keys) -> None:
    receipt.path_of(copy).write_bytes((root / "second.receipt.json").read_bytes())
    found = told(check_bundle(copy, bob.identities))
    assert found["receipt"] is False and found["receipt and manifest"] is False and found["files"] is True


def test_a_key_that_does_not_fit_is_no_failure_of_the_file(root: Path, tmp_path: Path) -> None:
    [last] = [
        one
        for one in check_bundle(root / "sealed", keys(tmp_path, "eve").identities)
        if one.subject == "inside"
    ]
    assert last.holds is None and "not sealed for any key" in last.detail


def test_every_change_of_a_receipt_is_found(copy: Path) -> None:
    path = receipt.path_of(copy)
    facts = json.loads(path.read_bytes())
    for name, value in {
        "bytes": 1,
        "sha256": "0" * 64,
        "kind": "share",
        "recipients": 9,
        "handling": "H0",
        "x": 1,
    }.items():
        path.write_text(json.dumps({**facts, "statement": {**facts["statement"], name: value}}))
        with pytest.raises(IntegrityError):
            receipt.read(path)
    for data in (b"", b"[]", b"{", b"[" * 10_000, b'{"statement":1}', json.dumps({**facts, "signer": "x"}).encode(),
                 json.dumps({**facts, "signature": "é"}).encode(), b"\xff"):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(IntegrityError):
            receipt.read(path)
        assert told(check_bundle(copy))["receipt"] is False


def test_a_missing_receipt_is_said(copy: Path) -> None:
    receipt.path_of(copy).unlink()
    assert told(check_bundle(copy))["receipt"] is None


@pytest.mark.parametrize("data", [b"", b"age", b"age-encryption.org/v1\n", b"age-encryption.org/v1\n-> X25519 a\n" * 9,
                                  b"age-encryption.org/v1\n" + b"-> x\n" * 1_000_000, b"wirecover-pq-v1\n",
                                  b"wirecover-pq-v1\n\xff\xff\xff\xff", b"wirecover-pq-v1\n\x00\x00\x00\x02{}",
                                  b'wirecover-pq-v1\n\x00\x00\x00\x0b{"keys":[]}'])  # fmt: skip
def test_what_is_no_sealed_file_is_said(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(data)
    assert told(check_bundle(tmp_path / "f"))["envelope"] is False


def test_an_archive_by_another_hand_fails(bob: Keys, tmp_path: Path) -> None:
    for members in ([], [("manifest.json", b"{}")], [("x", b"")]):
        path = sealed_by_hand(tmp_path / "f", members, bob.recipients)
        assert told(check_bundle(path, bob.identities))["inside"] is False
