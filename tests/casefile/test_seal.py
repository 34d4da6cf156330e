"""Sealing a case and back: the same case, for the right key only, and nothing half done."""

import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from fake_decode import decode, write_capture
from sealing import Keys, keys, opened_by_hand, small_case

from wirecover.casefile import seal as seal_module
from wirecover.casefile.bundle import SealError
from wirecover.casefile.bundle_check import check_bundle
from wirecover.casefile.case import Case
from wirecover.casefile.errors import CaseBusyError, CaseError, IntegrityError
from wirecover.casefile.log_file import records
from wirecover.casefile.private_files import only_writer, partial_of
from wirecover.casefile.seal import case_files, log_state, seal, unseal
from wirecover.casefile.verify import verify


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sealing")
    case = small_case(root, captures=("packets=3", "packets=5"))
    (case.path / "reports" / "Rapport élève.pdf").write_bytes(b"%PDF" + bytes(70_000))
    return root


@pytest.fixture
def case(model: Path, tmp_path: Path) -> Case:
    return Case.open(Path(shutil.copytree(model / "case", tmp_path / "case")))


@pytest.fixture
def bob(tmp_path: Path) -> Keys:
    return keys(tmp_path / "keys", "bob")


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("case.duckdb", "custody.jsonl", "head.json", "lock")
    }


def log_of(case: Path) -> bytes:
    return (case / "log" / "custody.jsonl").read_bytes()


def acts(case: Case) -> list[tuple[str, str]]:
    return [(one.verb, one.phase) for one in records(case.path)]


@pytest.mark.parametrize("post_quantum", [False, True], ids=["age", "post-quantum"])
def test_what_is_unsealed_is_the_case(case: Case, tmp_path: Path, post_quantum: bool) -> None:
    bob, eve = (keys(tmp_path / name, "k", post_quantum=post_quantum) for name in ("bob", "eve"))
    before, log_before = digests(case.path), log_of(case.path)
    result = seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    assert not result.cleared and result.left_out == 0
    with pytest.raises(SealError, match="not sealed for any key"):
        unseal(tmp_path / "sealed", eve.identities, tmp_path / "stolen")
    done = unseal(tmp_path / "sealed", bob.identities, tmp_path / "back", trusted=bob.fingerprint)
    assert digests(tmp_path / "back") == before == digests(case.path)
    assert log_of(tmp_path / "back").startswith(log_before)
    assert verify(done.case).holds and verify(case).holds
    assert acts(case)[-2:] == [("seal", "begun"), ("seal", "done")]
    assert [*records(case.path)][-1].result == hashlib.sha256((tmp_path / "sealed").read_bytes()).hexdigest()
    assert acts(done.case) == [*acts(case)[:-2], ("unseal", "done")]
    assert not (tmp_path / "stolen").exists()
    assert {path.name for path in tmp_path.iterdir()} == {
        "case",
        "bob",
        "eve",
        "sealed",
        "sealed.receipt.json",
        "back",
    }


def test_each_of_several_recipients_can_open_it(case: Case, tmp_path: Path) -> None:
    people = [keys(tmp_path / "keys", name) for name in ("a", "b", "c")]
    (tmp_path / "all").write_text("".join(one.public.read_text() for one in people[:2]))
    from wirecover.casefile.bundle_keys import read_recipients

    seal(case, tmp_path / "sealed", read_recipients([tmp_path / "all"]), people[0].signer)
    for number, one in enumerate(people[:2]):
        unseal(tmp_path / "sealed", one.identities, tmp_path / f"back{number}")
    with pytest.raises(SealError):
        unseal(tmp_path / "sealed", people[2].identities, tmp_path / "back2")


def test_other_programs_open_and_check_it(case: Case, bob: Keys, tmp_path: Path) -> None:
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    with tarfile.open(fileobj=io.BytesIO(opened_by_hand(tmp_path / "sealed", bob.identities))) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    bob.signer.key.public_key().verify(files["manifest.sig"], files["manifest.json"])  # type: ignore[union-attr,call-arg]
    listed = json.loads(files["manifest.json"])["members"]
    assert [one["path"] for one in listed] == list(files)[3:]
    assert all(hashlib.sha256(files[one["path"]]).hexdigest() == one["sha256"] for one in listed)


def test_the_archive_is_the_same_when_the_case_is(case: Case, bob: Keys, tmp_path: Path) -> None:
    shutil.copytree(case.path, tmp_path / "copy")
    copy = Case.open(tmp_path / "copy")
    first, second = (case_files(one.path, log_state(one))[0] for one in (case, copy))
    assert [member for member, _ in first] == [member for member, _ in second]
    assert {member.path.split("/")[0] for member, _ in first} == {
        "case.duckdb", "case.toml", "evidence", "log", "reports",
    }  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_may_read_what_is_made(case: Case, bob: Keys, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
        unseal(tmp_path / "sealed", bob.identities, tmp_path / "back")
    finally:
        os.umask(old)
    made = [
        tmp_path / "sealed",
        tmp_path / "sealed.receipt.json",
        tmp_path / "back",
        *(path for path in (tmp_path / "back").rglob("*") if path.name != "head.json"),  # a number and a hash
    ]
    assert not [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077]
    evidence = [path for path in (tmp_path / "back" / "evidence").rglob("*") if path.is_file()]
    assert evidence and all(stat.S_IMODE(path.stat().st_mode) == 0o400 for path in evidence)


def test_every_changed_or_missing_byte_is_found(case: Case, bob: Keys, tmp_path: Path) -> None:
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    data = (tmp_path / "sealed").read_bytes()
    places = [*range(0, 400, 7), *range(400, len(data), len(data) // 40), len(data) - 1]
    for number, place in enumerate(places):
        changed = bytearray(data)
        changed[place] ^= 0x20
        variants = [bytes(changed), data[:place]] if number % 2 else [bytes(changed)]
        for variant in [*variants, data + b"x"] if number == 3 else variants:
            (tmp_path / "bad").write_bytes(variant)
            with pytest.raises((IntegrityError, SealError)):
                unseal(tmp_path / "bad", bob.identities, tmp_path / "back")
            assert {path.name for path in tmp_path.iterdir()} == {
                "case", "keys", "sealed", "sealed.receipt.json", "bad"
            }  # fmt: skip


def test_the_trusted_signer_must_have_signed(case: Case, bob: Keys, tmp_path: Path) -> None:
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    with pytest.raises(IntegrityError, match="not by the key that was to sign"):
        unseal(tmp_path / "sealed", bob.identities, tmp_path / "back", trusted="0" * 64)


def test_places_where_nothing_may_be_written(case: Case, bob: Keys, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    for out in (tmp_path / "there", case.path / "x", case.path / "exports" / "x", tmp_path / "none" / "x"):
        with pytest.raises(SealError):
            seal(case, out, bob.recipients, bob.signer)
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(SealError):
        seal(case, tmp_path / "link", bob.recipients, bob.signer)
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    for out in (tmp_path / "there", case.path, tmp_path / "link", tmp_path / "none" / "x"):
        with pytest.raises(SealError):
            unseal(tmp_path / "sealed", bob.identities, out)
    assert (tmp_path / "there").read_text() == "mine"


def test_a_case_with_links_or_unportable_names_is_not_sealed(case: Case, bob: Keys, tmp_path: Path) -> None:
    for make in (
        lambda path: path.joinpath("x\ny").write_text(""),
        lambda path: path.joinpath("con").write_text(""),
        lambda path: path.joinpath("link").symlink_to("/etc/passwd"),
    ):
        folder = case.path / "exports"
        make(folder)
        with pytest.raises(CaseError):
            seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
        [one.unlink() for one in folder.iterdir()]
        assert not (tmp_path / "sealed").exists() and not partial_of(tmp_path / "sealed").exists()


def test_unfinished_files_stay_behind_and_are_counted(case: Case, bob: Keys, tmp_path: Path) -> None:
    (case.path / "evidence" / ".partial-1").mkdir()
    (case.path / "evidence" / ".partial-1" / "flows.parquet").write_bytes(b"x")
    assert seal(case, tmp_path / "sealed", bob.recipients, bob.signer).left_out == 1


def test_a_file_that_changes_while_it_is_sealed_stops_it(
    case: Case, bob: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = seal_module.write_sealed

    def meddle(*arguments):
        (case.path / "reports" / "Rapport élève.pdf").write_bytes(b"%PDF" + b"x" * 70_000)
        return real(*arguments)

    monkeypatch.setattr(seal_module, "write_sealed", meddle)
    with pytest.raises(CaseError, match="changed while it was being sealed"):
        seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    assert {path.name for path in tmp_path.iterdir()} == {"case", "keys"}
    assert acts(case)[-1] == ("seal", "failed")


def test_two_writers_of_one_target_exclude_each_other(case: Case, bob: Keys, tmp_path: Path) -> None:
    with only_writer(tmp_path / "sealed"), pytest.raises(CaseBusyError):
        seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)


def test_a_catalogue_of_another_time_is_refused(case: Case, bob: Keys, tmp_path: Path) -> None:
    """A signer's slip, or a swap before signing: the manifest speaks of another log than the one that came."""
    from dataclasses import replace

    from wirecover.casefile.bundle import seal_files

    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    manifest = unseal(tmp_path / "sealed", bob.identities, tmp_path / "back").opened.manifest
    paths = [(one.path, case.path / one.path) for one in manifest.members]
    sources = [(seal_module.member(path, name), path) for name, path in paths]
    wrong = replace(manifest, members=tuple(one for one, _ in sources), log_acts=manifest.log_acts - 1)
    seal_files(tmp_path / "wrong", sources, wrong, bob.recipients, bob.signer)
    with pytest.raises(IntegrityError, match="not the one that the manifest describes"):
        unseal(tmp_path / "wrong", bob.identities, tmp_path / "back2")
    assert not (tmp_path / "back2").exists() and not partial_of(tmp_path / "back2").exists()


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from sealing import Keys
from wirecover.casefile.bundle_keys import read_identities, read_recipients
from wirecover.casefile.case import Case
from wirecover.casefile.manifest_signature import signer_from_pem
from wirecover.casefile.seal import seal, unseal
root = Path({root!r})
print("ready", flush=True)
sys.stdin.readline()
if {act!r} == "seal":
    seal(Case.open(root / "case"), root / "out", read_recipients([root / "keys/bob.pub"]),
         signer_from_pem(root / "keys/bob.pem"))
else:
    unseal(root / "sealed", read_identities(root / "keys/bob"), root / "out")
"""


def kill_at(root: Path, act: str, delay: float) -> None:
    """Run one act in a process of its own and end it after a delay, as kill -9 does."""
    script = KILLED.format(tests=str(Path(__file__).parent), root=str(root), act=act)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdin.write(b"go\n")
        process.stdin.flush()
        time.sleep(delay)
        process.kill()


@pytest.mark.parametrize("delay", [0.004, 0.03, 0.05, 0.08, 0.12])
def test_a_killed_seal_leaves_nothing_or_a_whole_file(
    case: Case, bob: Keys, tmp_path: Path, delay: float
) -> None:
    kill_at(tmp_path, "seal", delay)
    assert verify(Case.open(case.path)).holds
    if not (tmp_path / "out").exists():
        seal(case, tmp_path / "out", bob.recipients, bob.signer)
    assert all(check.holds is not False for check in check_bundle(tmp_path / "out", bob.identities))
    unseal(tmp_path / "out", bob.identities, tmp_path / "back")
    assert not partial_of(tmp_path / "out").exists()


@pytest.mark.parametrize("delay", [0.004, 0.03, 0.05, 0.08, 0.12])
def test_a_killed_unseal_leaves_nothing_or_a_whole_case(
    case: Case, bob: Keys, tmp_path: Path, delay: float
) -> None:
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    kill_at(tmp_path, "unseal", delay)
    if (tmp_path / "out").exists():
        assert verify(Case.open(tmp_path / "out")).holds
    else:
        left = partial_of(tmp_path / "out").exists()
        done = unseal(tmp_path / "sealed", bob.identities, tmp_path / "out")
        assert done.cleared == left and verify(done.case).holds
    assert not partial_of(tmp_path / "out").exists()


def test_a_case_is_sealed_after_more_was_ingested(case: Case, bob: Keys, tmp_path: Path) -> None:
    write_capture(tmp_path / "more.pcap", "packets=9")
    case.ingest([tmp_path / "more.pcap"], decoder=decode)
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer)
    done = unseal(tmp_path / "sealed", bob.identities, tmp_path / "back")
    assert len(done.case.exhibits()) == 3
