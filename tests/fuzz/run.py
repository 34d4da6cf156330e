"""Fuzz the parsers, readers and decoders.

    python tests/fuzz/run.py [TARGET...] [--seconds N] [--engine auto|atheris|plain] [--seed N] [--out DIR]

With atheris installed each target runs in a process of its own under its coverage-guided engine; without it, or with
`--engine plain`, inputs are random changes of the seeds. N seconds are shared among the targets. An input that fails
is written to DIR (fuzz-out) and the exit status is 1. `--list` names the targets.
"""

import argparse
import importlib.util
import subprocess
import sys
import time
import traceback
from hashlib import sha256
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

SLOW_S = 5.0
"""One input may take so long; what takes longer is a finding too."""


def plain(name: str, seconds: float, seed: int, out: Path) -> int:
    """Random changes of the seeds; how many inputs failed (the first few are kept)."""
    from fuzz.mutate import mutated
    from fuzz.seeds import seeds_of
    from fuzz.targets import TARGETS

    target, seeds, chance = TARGETS[name], seeds_of(name), Random(f"{seed} {name}")
    end, runs, failures = time.monotonic() + seconds, 0, 0
    pending = list(seeds)
    while (now := time.monotonic()) < end and failures < 5:
        data = pending.pop() if pending else mutated(seeds, chance)
        runs += 1
        try:
            target(data)
        except Exception:  # noqa: BLE001 - that is what is looked for
            failures += 1
            keep(name, data, out, traceback.format_exc(limit=-6))
        else:
            if time.monotonic() - now > SLOW_S and runs > 1:  # the first may compile
                failures += 1
                keep(name, data, out, f"took {time.monotonic() - now:.1f} s")
    print(f"{name}: {runs} inputs, {failures} failures", flush=True)
    return failures


def keep(name: str, data: bytes, out: Path, why: str) -> None:
    """Write a failing input where it can be found again."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}-{sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    print(f"{name}: {path}\n{why}", file=sys.stderr, flush=True)


def guided(name: str, seconds: float, out: Path) -> int:
    """The same under atheris, in a process of its own, which libFuzzer ends itself."""
    from fuzz.seeds import seeds_of

    corpus = out / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds_of(name):
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    done = subprocess.run(
        [sys.executable, str(HERE / "guided.py"), name, str(corpus), f"-max_total_time={max(1, int(seconds))}",
         f"-artifact_prefix={out / name}-", "-max_len=16384", "-timeout=10", "-verbosity=0", "-print_final_stats=0"],
        check=False,
    )  # fmt: skip
    print(f"{name}: {'failed' if done.returncode else 'nothing found'}", flush=True)
    return int(done.returncode != 0)


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 when nothing failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--engine", choices=("auto", "atheris", "plain"), default="auto")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("fuzz-out"))
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args(arguments)
    from fuzz.targets import TARGETS

    if given.list:
        print("\n".join(TARGETS))
        return 0
    names = given.targets or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}")
    engine = given.engine
    if engine == "auto":
        engine = "atheris" if importlib.util.find_spec("atheris") else "plain"
    share = given.seconds / len(names)
    failures = sum(
        guided(name, share, given.out) if engine == "atheris" else plain(name, share, given.seed, given.out)
        for name in names
    )
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
