"""One target under atheris: `guided.py TARGET CORPUS [libFuzzer options]`, started by run.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import atheris  # type: ignore[import-not-found,unused-ignore]  # an optional tool of development

HOUSE = Path(__file__).parents[2]
PLAIN = [
    ".".join(("wirecover", *path.relative_to(HOUSE).with_suffix("").parts))
    for path in sorted((HOUSE / "capture").rglob("*.py"))
    if "protocols" not in path.parts
]
"""Everything but the parsers: kernels cannot be compiled with probes in them."""

with atheris.instrument_imports(include=["wirecover"], exclude=PLAIN):
    from fuzz.targets import TARGETS


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    TARGETS[name](b"")  # kernels are compiled before libFuzzer's clock runs
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
