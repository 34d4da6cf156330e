"""What is killed: verbs upon a small case, and what must be true after a kill and after the next run.

A scene prepares a case, does something that is killed, and is done again. Cases are made of the tests' own
decoder and tables, so that a scene takes a tenth of a second and its lines can be counted.
"""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent.parent / "casefile"))

from fake_decode import decode, write_capture
from support import orders

from wirecover.casefile import authority_store
from wirecover.casefile.authority_file import AuthorityFile, parse_authority
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, note, record
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.digest import stored_digest
from wirecover.casefile.errors import CaseError
from wirecover.casefile.rebuild import COMPARED, rebuild
from wirecover.casefile.store import replace_analysis
from wirecover.report.files import write_together

AT = 1_800_000_000_000_000_000
ORDERED = 1_700_000_000_000_000_000
"""A time at which the order of `support.orders` holds."""
Step = Callable[[Path], Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """One write path."""

    prepare: Step
    """Make the folder in which it happens."""
    act: Step
    """What is killed, and done again."""


def case_of(root: Path, at: int = AT) -> Case:
    return Case.open(root / "case", clock=lambda: at)


def captures(root: Path) -> Path:
    for number in range(2):
        write_capture(root / "in" / f"{number}.pcap", f"packets={number + 1}")
    return root / "in"


def new_case(root: Path) -> None:
    captures(root)
    Case.create(root / "case", training=True, clock=lambda: AT)


def full_case(root: Path) -> None:
    new_case(root)
    ingest(root)
    analyze(root)


def ingest(root: Path) -> Any:
    return case_of(root).ingest([root / "in"], decoder=decode)


def rows(table: str, *given: dict[str, Any]) -> pa.Table:
    blank = dict.fromkeys(DERIVED[table].names)
    return pa.Table.from_pylist([blank | row for row in given], schema=DERIVED[table])


def store(case: Case, pattern: str, count: int, **named: Any) -> None:
    ids = range(ord(pattern) * 100, ord(pattern) * 100 + count)
    replace_analysis(
        case, pattern,
        rows("findings", *({"finding_id": n, "pattern": pattern, "subject": "192.0.2.1"} for n in ids)),
        rows("finding_frames", *({"finding_id": n, "capture_id": 1, "frame": n} for n in ids)),
        rows("events", *({"event_id": n, "pattern": pattern, "ts": n} for n in ids)),
        parameters={"count": count}, **named,
    )  # fmt: skip


def analyze(root: Path, count: int = 2) -> None:
    case = case_of(root)
    with record(case, Act("analyze", {"patterns": ["a", "b"]})) as entry:
        for pattern in ("a", "b"):
            store(case, pattern, count, entry=entry)


def analyze_again(root: Path) -> None:
    analyze(root, 3)


def log(root: Path) -> None:
    case = case_of(root)
    for number in range(3):
        with record(case, Act("query", {"n": number})) as entry:
            entry.note("part", {"n": number})
            entry.result("ab" * 32)
    note(case, Act("x"))


def report(root: Path) -> None:
    """The report without what it says and its typesetter, which take a second: what is written, and how."""
    case = case_of(root)
    out = root / "case" / "reports" / "r.pdf"
    with record(case, Act("report", export=True)) as entry:
        document = repr(case.exhibits()).encode()
        write_together({out: document, out.with_suffix(".json"): document})
        entry.result(None)


def make_anew(root: Path) -> Any:
    def rerun(case: Case, pattern: str, parameters: dict[str, Any]) -> None:
        store(case, pattern, parameters["count"], logged=False)

    return rebuild(case_of(root), rerun, put_in_place=True)


def order(more: str = "") -> AuthorityFile:
    return parse_authority(orders.order(more=more, top='third_parties = "pseudonymise"'), "order.toml")


def scoped_case(root: Path) -> None:
    """A case under an order, with its captures."""
    Case.create(root / "case", training=False, authority=order(), clock=lambda: ORDERED)
    captures(root)
    case_of(root, ORDERED).ingest([root / "in"], decoder=decode)


def amend(root: Path) -> None:
    """A later record, unless it holds already."""
    case, later = case_of(root, ORDERED), order(orders.excluded("network", "203.0.113.99"))
    held = case.authority()
    if held is None or held.sha256 != later.sha256:
        authority_store.amend(case, later)


def create(root: Path) -> None:
    try:
        new_case(root)
    except CaseError as error:
        assert "not an empty folder" in str(error)


SCENES = {
    "create": Scene(lambda root: root.mkdir(exist_ok=True), create),
    "ingest": Scene(new_case, ingest),
    "analyze": Scene(full_case, analyze_again),
    "log": Scene(new_case, log),
    "report": Scene(full_case, report),
    "rebuild": Scene(full_case, make_anew),
    "amend": Scene(scoped_case, amend),
}


def contents(root: Path) -> dict[str, str]:
    """All that a case holds, by digest: what must be the same whether somebody killed or not."""
    with closing(case_of(root).connect()) as connection:
        found = {table: stored_digest(connection, table) for table in (*COMPARED, "flows", "packets")}
    evidence = root / "case" / "evidence"
    found["evidence"] = repr(sorted(path.relative_to(evidence).as_posix() for path in evidence.rglob("*")))
    found["records"] = repr([path.name for path in sorted((root / "case").glob("*authority*"))])
    return found


def fresh(model: Path, root: Path) -> None:
    """A copy of a prepared folder (evidence is read-only, and shared by links where that can be)."""
    shutil.copytree(model, root, copy_function=_link)


def _link(source: str, target: str) -> str:
    if source.endswith(".parquet"):
        try:
            os.link(source, target)
        except OSError:
            return str(shutil.copy2(source, target))
        return target
    return str(shutil.copy2(source, target))
