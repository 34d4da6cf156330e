"""`python -m wirecover.cli`."""

import sys

from wirecover.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
