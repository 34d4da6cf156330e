"""identity, seal, unseal on the command line."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from support.signing_keys import write_key


@pytest.fixture
def place(analysed: Path, tmp_path: Path) -> Path:
    shutil.copytree(analysed, tmp_path / "case")
    write_key(tmp_path / "key.pem")
    return tmp_path


@pytest.mark.parametrize("options", [(), ("--post-quantum",)], ids=["age", "post-quantum"])
def test_a_case_goes_there_and_back(run, place: Path, options: tuple[str, ...]) -> None:
    made = run("identity", place / "id", *options)
    assert made.code == 0 and made.out.strip() == (place / "id.pub").read_text().strip()
    done = run(
        "seal",
        place / "case",
        "--to",
        place / "id.pub",
        "--out",
        place / "out.age",
        "--key",
        place / "key.pem",
    )
    assert done.code == 0
    assert done.out.strip() == hashlib.sha256((place / "out.age").read_bytes()).hexdigest()
    back = run(
        "unseal",
        place / "out.age",
        "--identity",
        place / "id",
        "--out",
        place / "back",
        "--signer",
        place / "key.pub",
    )
    assert back.code == 0 and back.out == ""
    assert run("verify", place / "back").code == 0


def test_what_does_not_fit_is_refused_in_one_line(run, place: Path) -> None:
    for name in ("id", "eve"):
        run("identity", place / name)
    write_key(place / "other.pem")
    seal = ("seal", place / "case", "--to", place / "id.pub", "--key", place / "key.pem", "--out")
    assert run(*seal, place / "out.age").code == 0
    assert run(*seal, place / "out.age").code == 1
    assert run(*seal, place / "case" / "out.age").code == 1
    assert run("identity", place / "id").code == 2
    stranger = run("unseal", place / "out.age", "--identity", place / "eve", "--out", place / "back")
    assert stranger.code == 1 and len(stranger.lines) == 1
    wrong = run(
        "unseal",
        place / "out.age",
        "--identity",
        place / "id",
        "--out",
        place / "b",
        "--signer",
        place / "other.pub",
    )
    assert wrong.code == 5 and len(wrong.lines) == 1
    data = bytearray((place / "out.age").read_bytes())
    data[-1] ^= 1
    (place / "bad.age").write_bytes(data)
    broken = run("unseal", place / "bad.age", "--identity", place / "id", "--out", place / "back")
    assert broken.code == 5 and len(broken.lines) == 1
    assert not (place / "back").exists() and not (place / "b").exists()


def test_a_passphrase_comes_from_a_descriptor_and_never_from_the_arguments(run, place: Path) -> None:
    run("identity", place / "id")
    write_key(place / "locked.pem", b"open sesame")
    seal = (
        "seal",
        place / "case",
        "--to",
        place / "id.pub",
        "--key",
        place / "locked.pem",
        "--out",
        place / "x",
    )
    for text, code in ((b"open sesame\n", 0), (b"wrong\n", 1)):
        reading, writing = os.pipe()
        os.write(writing, text)
        os.close(writing)
        done = run(*seal[:-1], place / f"x{code}", "--passphrase-fd", reading)
        os.close(reading)
        assert done.code == code
        assert "sesame" not in done.err + done.out
    assert run(*seal).code == 2, "no terminal to ask at"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_what_the_command_line_makes_is_private(run, place: Path) -> None:
    run("identity", place / "id")
    run("init", place / "new", "--training")
    assert (place / "id").stat().st_mode & 0o077 == 0
    for path in [place / "new", *(place / "new").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_sealed_file_is_verified_with_and_without_its_key(run, place: Path) -> None:
    run("identity", place / "id")
    run(
        "seal",
        place / "case",
        "--to",
        place / "id.pub",
        "--out",
        place / "out.age",
        "--key",
        place / "key.pem",
    )
    outside = run("verify", place / "out.age")
    assert outside.code == 0 and "not checked  inside" in outside.out
    whole = run("verify", place / "out.age", "--identity", place / "id", "--signer", place / "key.pub")
    assert whole.code == 0 and all(line.startswith("holds ") for line in whole.out.splitlines())
    with (place / "out.age").open("ab") as file:
        file.write(b"x")
    assert run("verify", place / "out.age", "--identity", place / "id").code == 5
