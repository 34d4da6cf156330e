"""What one decode gave: the exhibit, the versions that read it, and a digest of every file written."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FILE_NAME: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """What the scope left out for one reason, or kept under pseudonyms; see `tables.OUT_OF_SCOPE`."""

    reason: str
    action: str
    packets: int
    bytes: int
    records: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of `manifest.json`. Holds no time and no path: the same exhibit gives the same bytes."""

    name: str
    """File name of the exhibit, without its folder."""
    sha256: str
    bytes: int
    tool_version: str
    rules_sha256: str
    tables: dict[str, int]
    """Rows of each table."""
    files: dict[str, str]
    """SHA-256 of each file."""
    damage: tuple[str, ...]
    """What could not be read, one line each."""
    complete: bool
    """The capture was read to its end."""
    local_rules_sha256: str = ""
    """Of what the analyst's own rules say, which `rules_sha256` covers too; empty without any."""
    scope_sha256: str = ""
    """Digest of the scope under which it was read (`Scope.digest`): under another, it is other evidence."""
    out_of_scope: tuple[OutOfScope, ...] = ()
    """As the table of that name."""

    def to_json(self) -> str:
        """Canonical text: sorted keys, two spaces, a line feed at the end."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Raises ValueError or TypeError where the text is no manifest."""
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise TypeError("a manifest is a JSON object")
        fields["damage"] = tuple(fields.get("damage", ()))
        fields["out_of_scope"] = tuple(OutOfScope(**row) for row in fields.get("out_of_scope", ()))
        return cls(**fields)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of an exhibit's folder."""
        return cls.from_json((folder / FILE_NAME).read_text(encoding="utf-8"))

    def write(self, folder: Path) -> None:
        """Write it into the folder whose files it lists."""
        (folder / FILE_NAME).write_text(self.to_json(), encoding="utf-8", newline="\n")
