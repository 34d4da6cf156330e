"""Which files an ingest is about: files, folders (searched through) and globs, in one sorted order.

A file that is named is always tried, so that the decoder says what is wrong with it. A file that merely lies
in a named folder is tried if its name or its first bytes are those of a capture; others are counted and left
alone.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html section 4 (and the modified and nanosecond
# kinds), https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html section 4.1
_MAGICS: Final = frozenset(bytes.fromhex(text) for text in (
    "a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1", "0a0d0d0a",
))  # fmt: skip
_SUFFIXES: Final = frozenset({".pcap", ".pcapng", ".cap", ".ntar", ".dmp", ".ntap"})
_PACKED: Final = frozenset({".gz", ".zst", ".lz4", ".xz"})
_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Problem:
    """A path that names nothing to ingest, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What the given paths stand for."""

    files: tuple[Path, ...]
    skipped: int
    """Files in named folders that are no captures."""
    problems: tuple[Problem, ...]


def looks_like_capture(path: Path) -> bool:
    """Whether a file's name, or else its first four bytes, are those of a capture."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and (
        suffixes[-1] in _SUFFIXES or (suffixes[-1] in _PACKED and _SUFFIXES & set(suffixes[:-1]))
    ):
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) in _MAGICS
    except OSError:
        return False


def collect(paths: Sequence[Path], case: Path) -> Collected:
    """Expand the paths in the order given, folders and globs sorted inside; each file once.

    The case's own folder is never searched, so that a case may lie beside its captures.
    """
    home = case.resolve()
    files: dict[Path, Path] = {}  # resolved -> as given
    problems: list[Problem] = []
    skipped = 0
    for given in paths:
        for path in _expand(given):
            if path.is_dir():
                found, other, troubles = _search(path, home)
                problems += troubles
                if not found and not troubles:
                    problems.append(Problem(path, "no captures in this folder"))
                skipped += other
                for inner in found:
                    files.setdefault(inner.resolve(), inner)
            elif not path.exists():
                known = bool(_GLOB & set(path.name))
                problems.append(Problem(path, "matches nothing" if known else "no such file or folder"))
            elif not path.is_file():
                problems.append(Problem(path, "not a regular file"))
            else:
                files.setdefault(path.resolve(), path)
    return Collected(tuple(files.values()), skipped, tuple(problems))


def _expand(given: Path) -> Iterator[Path]:
    """The path itself, or what it matches if no such path exists and it is a glob."""
    if given.exists() or not _GLOB & set(str(given)):
        yield given
        return
    matches = sorted(Path(text) for text in glob.glob(str(given), recursive=True))  # noqa: PTH207 - absolute globs
    yield from matches or [given]


def _search(folder: Path, home: Path) -> tuple[list[Path], int, list[Problem]]:
    """(captures, count of other files, unreadable places) anywhere under a folder."""
    found: list[Path] = []
    problems: list[Problem] = []
    other = 0

    def unreadable(error: OSError) -> None:
        place = Path(error.filename) if error.filename else folder
        problems.append(Problem(place, f"cannot be searched: {error.strerror}"))

    for top, subfolders, names in os.walk(folder, onerror=unreadable):
        here = Path(top)
        subfolders[:] = sorted(name for name in subfolders if (here / name).resolve() != home)
        if here.resolve() == home:
            subfolders.clear()
            continue
        for name in sorted(names):
            path = here / name
            if path.is_file() and looks_like_capture(path):
                found.append(path)
            else:
                other += 1
    return found, other, problems
