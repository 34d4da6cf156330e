"""Build hook: an editable install sees the top-level folders as the package `wirecover`."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableLinks(BuildHookInterface):  # type: ignore[type-arg]
    """Link `.editable/wirecover/<folder>` to each folder that the wheel maps."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version != "editable":
            return
        package = Path(self.root, ".editable", "wirecover")
        package.mkdir(parents=True, exist_ok=True)
        for folder in self.build_config.sources:
            link = package / folder.strip("/")
            if not link.exists():
                link.symlink_to(Path("..", "..", folder.strip("/")), target_is_directory=True)
