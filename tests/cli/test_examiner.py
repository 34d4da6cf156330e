"""Profiles from the command line; passphrases come from files, descriptors or the terminal, and from nowhere else."""

import json
import os
from pathlib import Path

import pytest
from support import orders

WORDS = ("--role", "analyst", "--organisation", "court")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("correct horse battery\nsecond line\n", encoding="utf-8")
    return path


@pytest.fixture
def ana(run, tmp_path: Path, secret: Path) -> Path:
    done = run("examiner", "new", tmp_path / "ana", "--name", "Ana", *WORDS, "--passphrase-file", secret)
    assert done.code == 0, done.err
    return tmp_path / "ana" / "examiner.toml"


def test_a_profile_is_made_and_shown(run, ana: Path, secret: Path) -> None:
    done = run("examiner", "show", ana, "--passphrase-file", secret)
    assert done.code == 0
    assert done.out.splitlines()[:3] == ["name          Ana", "role          analyst", "organisation  court"]
    assert "(ed25519)" in done.out
    reading, writing = os.pipe()
    os.write(writing, b"correct horse battery\n")
    os.close(writing)
    assert run("examiner", "show", ana, "--passphrase-fd", reading).out == done.out
    os.close(reading)


def test_a_descriptor_that_is_none_is_one_line(run, ana: Path) -> None:
    done = run("examiner", "show", ana, "--passphrase-fd", 999)
    assert done.code == 2 and len(done.lines) == 1 and "descriptor 999 cannot be read" in done.lines[0]


def test_without_a_terminal_nothing_is_asked(run, ana: Path) -> None:
    done = run("examiner", "show", ana)
    assert done.code == 2 and "give a passphrase file or descriptor" in done.err


def test_acts_are_signed_and_the_key_can_be_trusted(run, case: Path, ana: Path, secret: Path) -> None:
    words = ("--examiner", ana, "--examiner-passphrase-file", secret)
    assert run("sql", case, "SELECT 1", *words).code == 0
    rows = json.loads(run("log", case, "--format", "json").out)
    signed = [(one["verb"], one["examiner"], one["role"], len(one["signed_by"])) for one in rows]
    assert signed == [
        ("init", None, None, 0), ("examiner", "Ana", "analyst", 1), ("sql", "Ana", "analyst", 1),
        ("sql", "Ana", "analyst", 1), ("log", None, None, 0),
    ]  # fmt: skip
    key = ana.parent / "examiner.pub.pem"
    done = run("verify", case, "--signer", key)
    assert done.code == 0 and "3 lines signed by 'Ana'" in done.out and "the key you trust" in done.out
    assert run("sql", case, "SELECT 1", "--second", ana, "--second-passphrase-file", secret).code == 2


def test_two_must_sign_where_the_authority_says_so(run, ana: Path, secret: Path, tmp_path: Path) -> None:
    assert (
        run("examiner", "new", tmp_path / "bob", "--name", "Bob", *WORDS, "--passphrase-file", secret).code
        == 0
    )
    case, record = tmp_path / "case", tmp_path / "order.toml"
    record.write_bytes(orders.order(more='[custody]\ntwo_person = ["export"]\n'))
    assert run("init", case, "--authority", record).code == 0
    out = tmp_path / "x.csv"
    words = [
        "sql",
        case,
        "SELECT 1 AS x",
        "--out",
        out,
        "--examiner",
        ana,
        "--examiner-passphrase-file",
        secret,
    ]
    assert run(*words).code == 4 and not out.exists()
    both = [*words, "--second", tmp_path / "bob" / "examiner.toml", "--second-passphrase-file", secret]
    assert run(*both).code == 0 and out.read_text(encoding="utf-8") == "x\n1\n"
    done = run("verify", case)
    assert "signed by 'Bob'" in done.out and "FAILS" not in done.out


def test_wrong_use(run, tmp_path: Path, ana: Path, secret: Path) -> None:
    assert run("examiner", "new", tmp_path / "x", "--name", "A", *WORDS, "--certificate", secret).code == 2
    assert (
        run("examiner", "new", tmp_path / "ana", "--name", "A", *WORDS, "--passphrase-file", secret).code == 1
    )
