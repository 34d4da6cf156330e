"""The version of wirecover that made something."""

from functools import cache
from importlib.metadata import version


@cache
def tool_version() -> str:
    """As installed, for example `0.1.0`."""
    return version("wirecover")
