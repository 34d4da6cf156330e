"""Files of a case that are neither evidence nor log nor catalogue: the marker, the reference key, what was written.

A report or an export that lies in the case's own folders is compared with the digest that its act in the log
noted. A file there that no act names is pointed out, and is no failure: people keep notes.
"""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wirecover.casefile.custody import REFERENCE_KEY
from wirecover.casefile.layout import EXPORTS, FORMAT_VERSION, MARKER, REPORTS, Marker
from wirecover.casefile.log_file import LOG, Record

if TYPE_CHECKING:
    from wirecover.casefile.case import Case
    from wirecover.casefile.log_check import LogState

Line = tuple[str, bool | None, str]
FILES: Final = "files"
"""Argument of an act's last line: [[name, SHA-256], ...] of the files it wrote."""


def name_of(case: Path, path: Path) -> str:
    """How the log names a file that is written: by its place in the case, or its mere name outside it."""
    whole, home = path.resolve(), case.resolve()
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else path.name


def loose_files(case: "Case", state: "LogState") -> Iterator[Line]:
    """(file, whether it holds, in words) of each."""
    yield from _marker(case, state.acts)
    yield from _key(case.path, state.acts)
    written = _written(state.acts)
    there: set[str] = set()
    for folder in (REPORTS, EXPORTS):
        for path in sorted((case.path / folder).rglob("*")):
            if path.is_file():
                there.add(path.relative_to(case.path).as_posix())
                yield _file(path.relative_to(case.path).as_posix(), path, written)
    for name in sorted(set(written) - there):
        if name.startswith((f"{REPORTS}/", f"{EXPORTS}/")):
            yield name, None, "written by a logged act, and not here any more"


def _marker(case: "Case", log: list[Record]) -> Iterator[Line]:
    first = log[0].arguments.get("training") if log and log[0].verb == "init" else None
    if first is not case.training:
        told = f"the case calls itself {'' if case.training else 'not '}training, its log does not"
        yield MARKER, False, told
    try:
        if (case.path / MARKER).read_bytes() != Marker(FORMAT_VERSION, case.training).to_toml().encode():
            yield MARKER, False, "not as this program writes it"
    except OSError as error:
        yield MARKER, False, error.strerror or str(error)


def _key(case: Path, log: list[Record]) -> Iterator[Line]:
    """The key of references in the log: another one makes them say nothing."""
    want = log[0].arguments.get("reference_key_sha256") if log and log[0].verb == "init" else None
    try:
        found = sha256((case / LOG / REFERENCE_KEY).read_bytes()).hexdigest()
    except OSError:
        found = None
    if found != want and want is not None:
        yield (
            f"{LOG}/{REFERENCE_KEY}",
            False,
            "not the key that the log began with: its references cannot be confirmed",
        )


def _written(log: list[Record]) -> dict[str, set[str]]:
    """File name -> digests that acts noted for files of that name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one in log:
        files = one.arguments.get(FILES)
        for pair in files if isinstance(files, list) else ():
            if isinstance(pair, list) and len(pair) == 2:
                found[str(pair[0])].add(str(pair[1]))
    return found


def _file(name: str, path: Path, written: dict[str, set[str]]) -> Line:
    if name not in written:
        return name, None, "no logged act wrote it"
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return name, False, error.strerror or str(error)
    if digest in written[name]:
        return name, True, "as a logged act wrote it"
    return name, False, "changed since it was written"
