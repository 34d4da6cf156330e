"""Key files: both kinds, and everything that is none."""

from pathlib import Path

import pytest

from wirecover.casefile.bundle_keys import (
    KeyFileError,
    Recipients,
    key_name,
    new_identity,
    read_identities,
    read_recipients,
    wrap,
)


@pytest.fixture(params=[False, True], ids=["age", "post-quantum"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    secret, public = new_identity(post_quantum=request.param)
    (tmp_path / "id").write_text(secret)
    (tmp_path / "id.pub").write_text(public)
    return tmp_path / "id", tmp_path / "id.pub"


def test_a_pair_belongs_together(pair: tuple[Path, Path]) -> None:
    assert read_identities(pair[0]).publics() == set(read_recipients([pair[1]]).keys)


def test_each_pair_is_another(tmp_path: Path) -> None:
    assert len({new_identity(post_quantum=kind) for kind in (False, True) for _ in range(3)}) == 6


def test_swapped_files_are_told(pair: tuple[Path, Path]) -> None:
    with pytest.raises(KeyFileError, match="a private key: give the public one"):
        read_recipients([pair[0]])
    with pytest.raises(KeyFileError, match="no private key"):
        read_identities(pair[1])


@pytest.mark.parametrize("text", ["", "# only\n", "age1", "age1" + "q" * 58, "x" * 70, "\x00", "wirecover-pq1:",
                                  "wirecover-pq1:AAAA",
                                  "wirecover-pq1:" + "_" * 1622, "ssh-ed25519 AAAA", "é", "#" * (1 << 21)])  # fmt: skip
def test_what_is_no_key_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "k").write_text(text, encoding="utf-8")
    for read in (lambda: read_recipients([tmp_path / "k"]), lambda: read_identities(tmp_path / "k")):
        with pytest.raises(KeyFileError):
            read()


def test_a_key_has_one_form_only(tmp_path: Path) -> None:
    secret, public = new_identity(post_quantum=True)
    for text in (public.strip() + "=", public.strip() + "AAAA", public[:-20]):
        (tmp_path / "k").write_text(text)
        with pytest.raises(KeyFileError):
            read_recipients([tmp_path / "k"])
    (tmp_path / "k").write_text(secret.strip()[:-4])
    with pytest.raises(KeyFileError):
        read_identities(tmp_path / "k")


def test_a_key_that_makes_every_secret_the_same_is_refused() -> None:
    with pytest.raises(KeyFileError):
        list(wrap("AGE-SECRET-KEY-1X", ["wirecover-pq1:" + "A" * 1622]))


def test_the_same_key_twice_counts_once_and_kinds_do_not_mix(tmp_path: Path) -> None:
    publics = [new_identity(post_quantum=kind)[1] for kind in (False, False, True)]
    for number, text in enumerate(publics):
        (tmp_path / str(number)).write_text(text)
    both = read_recipients([tmp_path / "0", tmp_path / "1", tmp_path / "0"])
    assert both == Recipients(tuple(sorted(text.strip() for text in publics[:2])), post_quantum=False)
    with pytest.raises(KeyFileError, match="weaker"):
        read_recipients([tmp_path / "0", tmp_path / "2"])


def test_what_is_wrapped_opens_with_its_key_only(tmp_path: Path) -> None:
    pairs = [new_identity(post_quantum=True) for _ in range(2)]
    keys = []
    for number, (secret, _) in enumerate(pairs):
        (tmp_path / str(number)).write_text(secret)
        keys.append(read_identities(tmp_path / str(number)).pq[0])
    publics = [public.strip() for _, public in pairs]
    found = dict(wrap("AGE-SECRET-KEY-1X", publics))
    assert set(found) == {key_name(public) for public in publics}
    assert keys[0].unwrap(found[key_name(publics[0])]) == "AGE-SECRET-KEY-1X"
    wrong = found[key_name(publics[0])]
    for data in (wrong[:-1], b"", wrong[:-1] + bytes([wrong[-1] ^ 1])):
        with pytest.raises(ValueError, match="not for this key"):
            keys[0].unwrap(data)
    with pytest.raises(ValueError, match="not for this key"):
        keys[1].unwrap(wrong)
