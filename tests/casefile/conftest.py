"""The tests' own decoder must be importable by name, also in the processes that an ingest starts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
