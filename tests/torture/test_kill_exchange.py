"""Sealing, unsealing, sharing, receiving and destroying, killed at points drawn at random.

After each kill the same act is done again, and then: what was to be there is whole, it is there once, and no
unfinished file is left, neither beside it nor in the case. As in test_kill.py, WIRECOVER_KILLS sets how many.
"""

import os
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("kills are by SIGKILL in forked processes", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "casefile"))

from killing import child, count_lines, done, duration, kill_after, kill_at_line
from scenes import fresh
from sealing import keys
from sharing import SCOPE, Line, case_of, write_scope

from wirecover.casefile.bundle import SealError
from wirecover.casefile.bundle_check import check_bundle
from wirecover.casefile.bundle_keys import read_identities, read_recipients
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, record
from wirecover.casefile.destroy import DestroyError, check_record, destroy, reference_of, remains_of
from wirecover.casefile.manifest_signature import signer_from_pem, trusted_fingerprint
from wirecover.casefile.seal import seal, unseal
from wirecover.casefile.share import share
from wirecover.casefile.share_receive import bundles, foreign_problems, receive
from wirecover.casefile.share_scope import read_order
from wirecover.casefile.verify import verify

KILLS = int(os.environ.get("WIRECOVER_KILLS", "4"))
SEED = os.environ.get("WIRECOVER_SEED", "1")
T0 = 1_700_000_000_000_000_000
Step = Callable[[Path], object]


def prepare(root: Path) -> None:
    """Two cases, keys of two persons, a sealed case and a share."""
    root.mkdir()
    ours = case_of(root / "case", [[Line("192.0.2.1", "198.51.100.1", T0, T0 + 9, "signal")]])
    Case.create(root / "theirs", training=True)
    for name in ("alice", "bob"):
        keys(root / "keys", name)
    write_scope(root / "scope.toml", SCOPE)
    (root / "reference").write_text(reference_of(ours))
    to, by = read_recipients([root / "keys/bob.pub"]), signer_from_pem(root / "keys/alice.pem")
    seal(ours, root / "sealed", to, by)
    share(ours, read_order(root / "scope.toml"), "H2", None, root / "shared", to, by)


def do_seal(root: Path) -> None:
    to, by = read_recipients([root / "keys/bob.pub"]), signer_from_pem(root / "keys/alice.pem")
    try:
        seal(Case.open(root / "case"), root / "out", to, by)
    except SealError as error:
        assert "exists already" in str(error)


def do_share(root: Path) -> None:
    to, by = read_recipients([root / "keys/bob.pub"]), signer_from_pem(root / "keys/alice.pem")
    try:
        share(Case.open(root / "case"), read_order(root / "scope.toml"), "H2", None, root / "out", to, by)
    except SealError as error:
        assert "exists already" in str(error)


def do_unseal(root: Path) -> None:
    try:
        unseal(root / "sealed", read_identities(root / "keys/bob"), root / "out")
    except SealError as error:
        assert "not an empty folder" in str(error)


def do_receive(root: Path) -> None:
    trusted = trusted_fingerprint(root / "keys/alice.signer.pem")
    receive(Case.open(root / "theirs"), root / "shared", read_identities(root / "keys/bob"), trusted)


def do_destroy(root: Path) -> None:
    case = root / "case"
    try:
        destroy(case, (root / "reference").read_text(), signer_from_pem(root / "keys/alice.pem"))
    except DestroyError as error:
        assert "no such case" in str(error)


def a_bundle(root: Path) -> list[str]:
    found = check_bundle(root / "out", read_identities(root / "keys/bob"))
    return [one.detail for one in found if one.holds is False] + failing(root / "case")


def a_case(root: Path) -> list[str]:
    return failing(root / "out")


def a_receipt(root: Path) -> list[str]:
    case = Case.open(root / "theirs")
    count = len(bundles(case))
    return failing(case.path) + foreign_problems(case) + ([] if count == 1 else [f"{count} bundles"])


def a_record(root: Path) -> list[str]:
    facts, _ = check_record(remains_of(root / "case"))
    names = {one["path"] for one in facts["files"]}
    return (
        []
        if {"case.duckdb", "case.toml"} <= names and not (root / "case").exists()
        else ["not all was erased"]
    )


def failing(case: Path) -> list[str]:
    return [one.detail for one in verify(Case.open(case)).checks if one.holds is False]


def left(root: Path) -> list[str]:
    """Unfinished files anywhere, after one more act on every case: it clears what a kill left in the log."""
    for marker in root.glob("*/case.toml"):
        with record(Case.open(marker.parent), Act("query")):
            pass
    return [path.relative_to(root).as_posix() for path in root.rglob(".*")]


SCENES: dict[str, tuple[Step, Step]] = {
    "seal": (do_seal, a_bundle), "unseal": (do_unseal, a_case), "share": (do_share, a_bundle),
    "receive": (do_receive, a_receipt), "destroy": (do_destroy, a_record),
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("exchange") / "model"
    done(child(partial(prepare, root)))
    return root


@pytest.mark.parametrize("name", SCENES)
def test_killed_anywhere_it_is_done_again_and_whole(name: str, model: Path, tmp_path: Path) -> None:
    act, judge = SCENES[name]
    drawn = random.Random(f"{SEED} {name}")
    fresh(model, tmp_path / "counted")
    lines = count_lines(partial(act, tmp_path / "counted"))
    fresh(model, tmp_path / "timed")
    seconds = duration(partial(act, tmp_path / "timed"))
    killed = 0
    for number in range(KILLS):
        place = tmp_path / str(number)
        fresh(model, place)
        if number % 4:
            killed += kill_at_line(partial(act, place), line=drawn.randint(1, lines))
        else:
            killed += kill_after(partial(act, place), seconds=drawn.uniform(0, seconds))
        done(child(partial(act, place)))
        assert done(child(partial(judge, place))) == "[]", (name, number)
        assert done(child(partial(left, place))) == "[]", (name, number)
    assert killed >= KILLS // 2, "most points must lie within the act"
    if KILLS >= 100:
        print(f"\n{name}: {killed} of {KILLS} kills came while it ran; all survived")
