"""One target under atheris: `guided.py TARGET CORPUS [libFuzzer options]`, started by run.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import atheris  # type: ignore[import-not-found,unused-ignore]  # an optional tool of development

with atheris.instrument_imports(include=["wirecover.capture.protocols"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    TARGETS[name](b"")  # kernels are compiled before libFuzzer's clock runs
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
