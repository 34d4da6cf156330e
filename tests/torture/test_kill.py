"""Every write path, killed at points drawn at random: nothing lost, nothing twice, and the next run says so.

`make test` draws a few points for each path; `make torture` (WIRECOVER_KILLS=200) draws 200. WIRECOVER_SEED
chooses other points. After each kill:

  * what is in the case can be read, and `verify` finds nothing but what a kill may leave;
  * the log begins with all that it held before, and no line of it goes lost later;
  * the act is done again, says what it found, and then the case is as if nobody had killed, and holds.
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

from killing import child, count_lines, done, duration, kill_after, kill_at_line
from scenes import SCENES, Scene, case_of, contents, fresh

from wirecover.casefile.log_check import read_log
from wirecover.casefile.verify import verify

KILLS = int(os.environ.get("WIRECOVER_KILLS", "4"))
SEED = os.environ.get("WIRECOVER_SEED", "1")
MAY_BE_LEFT = (
    "left by an unfinished ingest",
    "is logged but not in the catalogue: an ingest was killed",
    "in no catalogue: not evidence of this case",  # renamed, and killed before its line in the log
    "which was killed; analyze again",
    "has no end: it is running, or was killed",
    "no logged act wrote it",
    "changed since it was written",
    "an amendment was killed",
    "left by an amendment that was killed",
)


def state(root: Path) -> list[str]:
    """What `verify` has against a case, without what a kill may leave."""
    return [
        f"{one.subject}: {one.detail}"
        for one in verify(case_of(root)).checks
        if one.holds is False and not any(left in one.detail for left in MAY_BE_LEFT)
    ]


def whole(root: Path) -> tuple[list[str], dict[str, str]]:
    """What `verify` has against a case, all of it, and what was entered or ended twice; what the case holds."""
    wrong = [f"{one.subject}: {one.detail}" for one in verify(case_of(root)).checks if one.holds is False]
    entered: dict[str, int] = {}
    for line in read_log(root / "case").acts:
        if line.verb == "exhibit" and line.phase in {"noted", "withdrawn"}:
            digest = str(line.arguments["sha256"])
            entered[digest] = entered.get(digest, 0) + (1 if line.phase == "noted" else -1)
    wrong += [f"{path.relative_to(root)} is left" for path in root.rglob(".*")]
    wrong += [f"{digest} is entered {count} times" for digest, count in entered.items() if count != 1]
    return wrong, contents(root)


def log_of(root: Path) -> bytes:
    path = root / "case" / "log" / "custody.jsonl"
    return path.read_bytes() if path.exists() else b""


@pytest.fixture(scope="module", params=SCENES, ids=list(SCENES))
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Scene, Path, str]:
    """A scene, its folder before the act, and what the case holds when nobody kills."""
    scene = SCENES[request.param]
    root = tmp_path_factory.mktemp(request.param)
    done(child(partial(scene.prepare, root / "model")))
    fresh(root / "model", root / "untouched")
    done(child(partial(scene.act, root / "untouched")))
    return request.param, scene, root, done(child(partial(contents, root / "untouched")))


def points(scene: Scene, root: Path, name: str) -> list[Callable[[Callable[[], object]], bool]]:
    """What kills: mostly at a line of ours, and at moments that also fall into the libraries' writing."""
    drawn = random.Random(f"{SEED} {name}")
    fresh(root / "model", root / "counted")
    lines = count_lines(partial(scene.act, root / "counted"))
    fresh(root / "model", root / "timed")
    seconds = duration(partial(scene.act, root / "timed"))
    timed = max(1, KILLS // 4)
    return [
        *(partial(kill_at_line, line=drawn.randint(1, lines)) for _ in range(KILLS - timed)),
        *(partial(kill_after, seconds=drawn.uniform(0, seconds)) for _ in range(timed)),
    ]  # fmt: skip


@pytest.mark.timeout(300 + 20 * KILLS)
def test_killed_anywhere_nothing_is_lost_and_nothing_is_there_twice(
    prepared: tuple[str, Scene, Path, str], record_property: Callable[[str, object], None]
) -> None:
    name, scene, root, want = prepared
    killed = 0
    for number, kill in enumerate(points(scene, root, name)):
        place = root / f"kill{number}"
        fresh(root / "model", place)
        before = log_of(place)
        killed += kill(partial(scene.act, place))
        after = log_of(place)
        assert after.startswith(before), "the log lost what it held"
        if (place / "case").exists():
            assert done(child(partial(state, place))) == "[]", kill
        done(child(partial(scene.act, place)))
        assert log_of(place).startswith(after.rpartition(b"\n")[0]), (
            "the log lost a line of the run that was killed"
        )
        assert done(child(partial(whole, place))) == f"([], {want})", kill
    record_property("killed", killed)
    assert killed >= KILLS // 2, "most points must lie within the act"
    if KILLS >= 100:
        print(f"\n{name}: {killed} of {KILLS} kills came while it ran; all survived")
