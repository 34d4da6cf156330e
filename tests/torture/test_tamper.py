"""Every file of a case, changed in every plain way: each change is found by `verify`, or listed here as not found.

flip      one bit of one byte, drawn at random (WIRECOVER_TAMPERS times for each file; from 100 on, all of small ones)
cut       the last byte taken away           grow     a byte put at the end
empty     no byte left                       gone     the file taken away
swap      the content of another file of the case in its place
log       each line taken away, doubled, swapped with the next, and every shorter log with and without its counter
"""

import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scenes import case_of, contents, full_case

from wirecover.casefile.custody import Act, record
from wirecover.casefile.errors import CaseError
from wirecover.casefile.examiner import Examiner
from wirecover.casefile.log_file import read_head
from wirecover.casefile.manifest_signature import KeySigner
from wirecover.casefile.verify import verify

FULL = int(os.environ.get("WIRECOVER_KILLS", "0")) >= 100
"""`make torture`: every table, and more flipped bits."""
TAMPERS = int(os.environ.get("WIRECOVER_TAMPERS", "4" if FULL else "1"))
SEED = os.environ.get("WIRECOVER_SEED", "1")
SMALL = 700
"""Bytes up to which a file has each of its bytes flipped in the full run."""
NOT_FOUND = {
    "log/lock": "holds the name of who writes at this moment, and nothing else",
    "log/keys": "empty files that only spare the log a second introduction of the same key",
}
"""Files whose change changes nothing that anybody relies on."""
ONLY_TOLD = {
    ("log/custody.jsonl", "grow"): "what a crash leaves of a line; the next record says how much it was",
    ("exports/rows.csv", "gone"): "whoever exported rows may take them away",
}
"""Changes that are told in a remark and are no failure, for they also come about rightly."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with exhibits, findings, a written file, and acts of an examiner who signs."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    root = tmp_path_factory.mktemp("tamper") / "model"
    root.mkdir()
    full_case(root)
    ana = Examiner("Ana", "analyst", "court", KeySigner(Ed25519PrivateKey.from_private_bytes(bytes(32))))
    case = case_of(root)
    signed = type(case)(case.path, case.training, case.clock, by=ana)
    written = root / "case" / "exports" / "rows.csv"
    written.write_bytes(b"a,b\n1,2\n")
    with record(signed, Act("query", {"name": "x"}, export=True)) as entry:
        entry.result("00" * 32, files=[["exports/rows.csv", sha256(written.read_bytes()).hexdigest()]])
    return root


def against(root: Path, *, told: bool = False) -> list[str]:
    """What `verify` has against a case (`told`: or remarks); one line when it cannot even be opened."""
    try:
        checks = verify(case_of(root)).checks
        return [
            f"{one.subject}: {one.detail}"
            for one in checks
            if one.holds is False or (told and one.holds is None)
        ]
    except CaseError as error:
        return [str(error)]


def files_of(root: Path) -> list[str]:
    case = root / "case"
    return [path.relative_to(case).as_posix() for path in sorted(case.rglob("*")) if path.is_file()]


def overwrite(path: Path, data: bytes) -> None:
    if path.exists():
        path.chmod(0o644)
    path.write_bytes(data)


def changes(path: Path, others: list[Path], drawn: random.Random) -> Iterator[tuple[str, bytes | None]]:
    """(name of the change, new content or None for gone)."""
    data = path.read_bytes()
    yield "gone", None
    if data:
        yield "empty", b""
        yield "cut", data[:-1]
    yield "grow", data + b"\x00"
    other = drawn.choice([one for one in others if one.read_bytes() != data])
    yield f"swap with {other.name}", other.read_bytes()
    places = range(len(data)) if TAMPERS >= 100 and len(data) <= SMALL else (
        drawn.randrange(len(data)) for _ in range(TAMPERS if data else 0)
    )  # fmt: skip
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << drawn.randrange(8)
        yield f"flip byte {place}", bytes(flipped)


def is_same_case(root: Path, want: dict[str, str]) -> bool:
    """Whether a catalogue that was changed still says the same (free pages of its file hold nothing)."""
    try:
        return contents(root) == want
    except (CaseError, duckdb.Error):
        return False


@pytest.mark.timeout(300 + 60 * TAMPERS)
def test_every_changed_file_is_found(model: Path, tmp_path: Path) -> None:
    assert against(model) == []
    want = contents(model)
    drawn = random.Random(SEED)
    root = Path(shutil.copytree(model, tmp_path / "copy"))
    names = files_of(root)
    remarks = against(root, told=True)
    tried = harmless = only_told = 0
    missed: list[str] = []
    tables = [name for name in names if name.endswith(".parquet")]
    left_out = set(tables) - set(tables if FULL else drawn.sample(tables, 4))
    for name in names:
        path = root / "case" / name
        if name in left_out or any(name.startswith(one) for one in NOT_FOUND):
            continue
        whole = path.read_bytes()
        others = [root / "case" / one for one in names if one != name and not one.endswith(".duckdb")]
        for what, data in changes(path, others, drawn):
            tried += 1
            if data is None:
                path.chmod(0o644)
                path.unlink()
            else:
                overwrite(path, data)
            if not against(root):
                if (name, what) in ONLY_TOLD and against(root, told=True) != remarks:
                    only_told += 1
                elif name == "case.duckdb" and is_same_case(root, want):
                    harmless += 1
                else:
                    missed.append(f"{name}: {what}")
            path.with_name(path.name + ".wal").unlink(missing_ok=True)
            overwrite(path, whole)
    assert missed == []
    assert against(root) == [], "what was put back holds again"
    print(
        f"\n{tried} changes in {len(names) - len(left_out)} files: all found; {only_told} of them told as a remark, "
        f"{harmless} in free pages of the catalogue, where they change nothing"
    )


def test_what_is_not_found_is_listed_and_harms_nothing(model: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(model, tmp_path / "copy"))
    before = contents(root)
    for name in files_of(root):
        if any(name.startswith(one) for one in NOT_FOUND):
            (root / "case" / name).unlink()
    assert against(root) == []
    assert contents(root) == before
    with record(case_of(root), Act("x")):
        pass
    assert against(root) == []


Change = Callable[[list[bytes], int], list[bytes]]
LINES: dict[str, Change] = {
    "taken away": lambda lines, n: lines[:n] + lines[n + 1 :],
    "doubled": lambda lines, n: lines[: n + 1] + lines[n:],
    "swapped": lambda lines, n: [*lines[:n], *reversed(lines[n : n + 2]), *lines[n + 2 :]],
    "put first": lambda lines, n: [lines[n], *lines[:n], *lines[n + 1 :]],
    "cut behind": lambda lines, n: lines[:n],
}


@pytest.mark.parametrize("change", LINES.values(), ids=list(LINES))
def test_every_change_of_lines_is_found(model: Path, tmp_path: Path, change: Change) -> None:
    from wirecover.casefile.log_check import read_log

    path = tmp_path / "case" / "log"
    shutil.copytree(model / "case" / "log", path)
    lines = (path / "custody.jsonl").read_bytes().splitlines(keepends=True)
    for number in range(len(lines)):
        changed = change(lines, number)
        (path / "custody.jsonl").write_bytes(b"".join(changed))
        if changed != lines:
            assert read_log(tmp_path / "case").problems, number


def test_an_older_log_with_an_older_counter_is_found_where_the_catalogue_knows_more(
    model: Path, tmp_path: Path
) -> None:
    """Rollback of the log alone: every state of it before the last exhibit or analysis is found.

    What came after the last of them (questions, reports, checks) can be cut off together with the counter, and
    nothing inside the case knows. Against that stands any head that was kept elsewhere.
    """
    root = Path(shutil.copytree(model, tmp_path / "copy"))
    path = root / "case" / "log" / "custody.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if json.loads(line)["verb"] in ("exhibit", "analyze")
               and json.loads(line)["phase"] == "noted")  # fmt: skip
    for kept in range(1, len(lines)):
        path.write_bytes(b"".join(lines[:kept]))
        facts = json.loads(lines[kept - 1])
        counter = json.dumps({"seq": kept, "sha256": facts["sha256"]}, sort_keys=True, separators=(",", ":"))
        (path.parent / "head.json").write_bytes(counter.encode() + b"\n")
        assert read_head(root / "case") is not None
        found = against(root)
        assert bool(found) == (kept <= last), (kept, found)
        noted = [(len(lines), json.loads(lines[-1])["sha256"])]
        checks = verify(case_of(root), heads=noted).checks
        assert any(one.holds is False and "acts are missing" in one.detail for one in checks)
