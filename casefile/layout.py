"""Names inside a case folder, and the marker file that makes a folder a case."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wirecover.casefile.errors import CaseError

FORMAT_VERSION: Final = 1
MARKER: Final = "case.toml"
CATALOGUE: Final = "case.duckdb"
EVIDENCE: Final = "evidence"
REPORTS: Final = "reports"
EXPORTS: Final = "exports"
MANIFEST: Final = "manifest.json"
PARTIAL_PREFIX: Final = ".partial-"
"""Start of the name of a folder in evidence/ that an ingest is still writing."""


@dataclass(frozen=True, slots=True)
class Marker:
    """case.toml: what must be known before the catalogue is opened."""

    format_version: int
    training: bool
    """True marks everything made from this case as training material."""

    def to_toml(self) -> str:
        """The file's text."""
        return (
            "# wirecover case folder; see case.duckdb for what is in it\n"
            f"format_version = {self.format_version}\n"
            f"training = {str(self.training).lower()}\n"
        )


def read_marker(case: Path) -> Marker:
    """The marker of a case folder; CaseError when the folder is not a case or is newer than this program."""
    path = case / MARKER
    if not case.is_dir():
        raise CaseError(f"{case}: no such case folder")
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CaseError(f"{case}: not a case folder (it has no {MARKER})") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CaseError(f"{path}: cannot be read: {error}") from error
    version, training = facts.get("format_version"), facts.get("training")
    if not isinstance(version, int) or isinstance(version, bool) or not isinstance(training, bool):
        raise CaseError(f"{path}: format_version and training are missing or of the wrong type")
    if version != FORMAT_VERSION:
        raise CaseError(f"{path}: case format {version}, this program reads format {FORMAT_VERSION}")
    return Marker(version, training)
