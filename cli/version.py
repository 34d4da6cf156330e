"""wirecover version."""

import click

from wirecover.cli.streams import show

PARTS = ("numba", "duckdb", "polars", "pyarrow", "cryptography", "typst")
"""What a result may depend on, besides wirecover itself and the rules."""


@click.command()
def version() -> None:
    """Show the version of wirecover, of its rules, and of what it stands on."""
    import platform
    from importlib import metadata

    from wirecover.capture.apps.loader import load_rules
    from wirecover.capture.version import tool_version

    show(f"wirecover {tool_version()}")
    show(f"application rules {load_rules().sha256}")
    show(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in PARTS:
        show(f"{name} {metadata.version(name)}")
