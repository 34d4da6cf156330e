"""Destroying a case: nothing of it remains but a signed record, also after a kill at any point."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sealing import Keys, keys, small_case

from wirecover.casefile import destroy as destroy_module
from wirecover.casefile.case import Case
from wirecover.casefile.destroy import (
    DestroyError,
    check_record,
    destroy,
    doomed_of,
    reference_of,
    remains_of,
)
from wirecover.casefile.errors import CaseBusyError, IntegrityError
from wirecover.cli.main import main

NOW = 1_800_000_000_000_000_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_case(tmp_path_factory.mktemp("destroy")).path


@pytest.fixture
def case(model: Path, tmp_path: Path) -> Case:
    return Case.open(Path(shutil.copytree(model, tmp_path / "case")))


@pytest.fixture
def alice(tmp_path: Path) -> Keys:
    return keys(tmp_path / "keys", "alice")


def test_only_the_record_remains(case: Case, alice: Keys, tmp_path: Path) -> None:
    files = {path.relative_to(case.path).as_posix() for path in case.path.rglob("*") if path.is_file()}
    name = reference_of(case)
    done = destroy(
        case.path, name, alice.signer, act_on=replace(case, reason="limitation reached"), clock=lambda: NOW
    )
    assert {path.name for path in tmp_path.iterdir()} == {"keys", "case.destroyed"}
    assert {path.name for path in done.folder.iterdir()} == {
        "record.json",
        "record.sig",
        "signer.pem",
        "custody.jsonl",
    }
    record, signer = check_record(done.folder)
    assert signer == alice.fingerprint == done.signer
    assert {one["path"] for one in record["files"]} >= files and all(one["sha256"] for one in record["files"])
    assert record["reason"] == "limitation reached" and record["ended_at"] == NOW and not record["resumed"]
    assert record["case_id"].startswith(name) and "Solid-state" in record["limits"]
    log = [json.loads(line) for line in (done.folder / "custody.jsonl").read_text().splitlines()]
    assert [(one["verb"], one["phase"]) for one in log[-2:]] == [("destroy", "begun"), ("destroy", "done")]


def test_contents_are_overwritten_before_they_are_removed(
    case: Case, alice: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: dict[str, int] = {}
    real = os.fsync

    def watch(handle: int) -> None:
        real(handle)
        place = Path(f"/proc/self/fd/{handle}")
        if place.exists() and ".destroying" in str(place.readlink()) and place.stat().st_size:
            assert not any(place.resolve().read_bytes())
            sizes[place.resolve().name] = place.stat().st_size

    monkeypatch.setattr(os, "fsync", watch)
    destroy(case.path, reference_of(case), alice.signer)
    if Path("/proc/self/fd").is_dir():
        assert {"case.duckdb", "flows.parquet", "reference.key"} <= set(sizes)


@pytest.mark.parametrize("wrong", ["", "yes", "0" * 16])
def test_without_its_reference_nothing_is_touched(case: Case, alice: Keys, wrong: str) -> None:
    before = sorted(case.path.rglob("*"))
    with pytest.raises(DestroyError, match="not confirmed"):
        destroy(case.path, wrong, alice.signer)
    assert sorted(case.path.rglob("*")) == before and not remains_of(case.path).exists()


def test_a_case_in_use_is_not_destroyed(case: Case, alice: Keys) -> None:
    with case.connect(), pytest.raises(CaseBusyError):
        destroy(case.path, reference_of(case), alice.signer)
    assert Case.open(case.path).exhibits()


def test_links_and_other_names_of_a_file_are_not_followed(case: Case, alice: Keys, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (case.path / "exports" / "link").symlink_to(tmp_path / "mine")
    os.link(tmp_path / "mine", case.path / "exports" / "hard")
    done = destroy(case.path, reference_of(case), alice.signer)
    assert (tmp_path / "mine").read_text() == "mine"
    assert check_record(done.folder)[0]["not_overwritten"] == ["exports/hard"]


class Killed(BaseException):
    """What a kill is to the code: nothing after it runs."""


POINTS = ("private_folder", "write_private", "_replace", "_erase", "_overwrite", "_certify", "sync_folder")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_killed_run_is_resumed(
    case: Case, alice: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, nth: int
) -> None:
    name, calls = reference_of(case), [0]
    real = getattr(destroy_module, point)

    def stop(*arguments: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] == nth:
            raise Killed
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(destroy_module, point, stop)
        try:
            destroy(case.path, name, alice.signer)
        except Killed:
            assert case.path.exists() or (remains_of(case.path) / "plan.json").exists() or calls[0] > 1
    if not (remains_of(case.path) / "record.json").exists() or (remains_of(case.path) / "plan.json").exists():
        destroy(case.path, name, alice.signer)
    assert not case.path.exists() and not doomed_of(case.path).exists()
    record, _ = check_record(remains_of(case.path))
    assert {"case.duckdb", "case.toml", "log/reference.key"} <= {one["path"] for one in record["files"]}
    assert {path.name for path in tmp_path.iterdir()} == {"keys", "case.destroyed"}


def test_resuming_needs_the_same_reference(case: Case, alice: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    name = reference_of(case)
    with monkeypatch.context() as patch:
        patch.setattr(destroy_module, "_erase", lambda path: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            destroy(case.path, name, alice.signer)
    with pytest.raises(DestroyError, match="another reference"):
        destroy(case.path, "other", alice.signer)
    assert destroy(case.path, name, alice.signer).resumed


def test_a_changed_record_is_found(case: Case, alice: Keys) -> None:
    folder = destroy(case.path, reference_of(case), alice.signer).folder
    for name in ("record.json", "custody.jsonl"):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(kept.replace(b'"destroy"', b'"report"').replace(b"1", b"2"))
        with pytest.raises(IntegrityError):
            check_record(folder)
        (folder / name).write_bytes(kept)
    check_record(folder)


def test_a_record_of_another_case_is_not_overwritten(case: Case, model: Path, alice: Keys) -> None:
    name = reference_of(case)
    destroy(case.path, name, alice.signer)
    shutil.copytree(model, case.path)
    with pytest.raises(DestroyError, match="move it away"):
        destroy(case.path, name, alice.signer)
    assert case.path.exists()


def test_the_command_line(case: Case, alice: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["destroy", str(case.path), "--key", str(alice.pem), "--confirm"]
    assert main([*words, "no"]) == 1
    assert main([*words, reference_of(case)]) == 0
    assert "Record:" in capsys.readouterr().err
    assert main([*words, "x"]) == 1
