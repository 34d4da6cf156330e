"""`make bench`: how long a whole ingest takes beside a mere hash of the same file, and how much memory.

    python tests/bench/run.py [--bytes N] [--repeat N] [--large] [--no-peers]

Everything is measured in one run on one file, in turns, best of N: a ratio within a run means something on a
shared machine, a time does not. The file is read once before, so that all find it in memory. This process
imports the standard library only: what a child is said to have used at its peak includes its parent at the
moment of its start.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent / "captures"
FOLDER = HERE.parent.parent / "bench-data"
WIRECOVER = [sys.executable, "-m", "wirecover.cli"]
LARGER = 4
LIMIT_RATIO = 6.0
LIMIT_BYTES = 3 << 29
FLAT = 1.15
"""The peak on the larger file may be this many times that on the smaller one."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process and those it waited for."""

    seconds: float
    processor_seconds: float | None
    peak_bytes: int | None
    """Largest resident set of any of the processes; None where the system does not say."""
    said: str


def measured(command: Sequence[str]) -> Run:
    """Run a command to its end; RuntimeError when it fails."""
    errors = FOLDER / "stderr.txt"
    with errors.open("w") as stderr:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
        spent = peak = None
        if hasattr(os, "wait4"):
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            spent = usage.ru_utime + usage.ru_stime
            peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        else:
            child.wait()
        seconds = time.perf_counter() - start
    said = errors.read_text(encoding="utf-8", errors="replace").strip()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {child.returncode}: {said[-300:]}")
    return Run(seconds, spent, peak, said)


def built(size: int) -> Path:
    """The bench capture of about that many bytes, made when it is not there or its recipe has changed."""
    recipe = hashlib.sha256((HERE / "build.py").read_bytes())
    captures = sorted(CAPTURES.glob("*.pcap*"))
    for path in captures:
        recipe.update(path.read_bytes())
    out = FOLDER / f"dense-{size}-{recipe.hexdigest()[:12]}.pcap"
    if not out.exists():
        for old in FOLDER.glob(f"dense-{size}-*"):
            old.unlink()
        partial = out.with_suffix(".partial")
        command = [sys.executable, str(HERE / "build.py"), str(partial), "--bytes", str(size)]
        done = subprocess.run([*command, *map(str, captures)], check=True, capture_output=True, text=True)
        print(done.stdout.strip().replace(str(partial), out.name))
        partial.replace(out)
    return out


def ingested(capture: Path) -> Run:
    """A whole ingest into a fresh training case."""
    case = FOLDER / "case"
    shutil.rmtree(case, ignore_errors=True)
    measured([*WIRECOVER, "init", str(case), "--training"])
    try:
        return measured([*WIRECOVER, "ingest", str(case), str(capture)])
    finally:
        shutil.rmtree(case, ignore_errors=True)


def peers(capture: Path) -> dict[str, list[str]]:
    """Other programs that read the same file for the same ends, where they are installed."""
    known = {
        "ndpiReader": ["ndpiReader", "-q", "-i", str(capture)],
        "tshark": [
            "tshark", "-n", "-r", str(capture), "-Y", "tls.handshake.type == 1", "-T", "fields",
            "-e", "frame.number", "-e", "tls.handshake.extensions_server_name",
        ],
    }  # fmt: skip
    return {name: command for name, command in known.items() if shutil.which(command[0])}


def best(runs: Sequence[Run]) -> Run:
    return min(runs, key=lambda run: run.seconds)


def read_once(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 22):
            pass


def line(name: str, run: Run, hashing: Run) -> str:
    spent = "" if run.processor_seconds is None else f"{run.processor_seconds:9.2f} s"
    peak = "" if run.peak_bytes is None else f"{run.peak_bytes / (1 << 20):9.0f} MiB"
    return f"{name:<22} {run.seconds:8.2f} s {spent:>11} {peak:>13} {run.seconds / hashing.seconds:8.2f}"


def bench(capture: Path, repeat: int, *, with_peers: bool) -> dict[str, Run]:
    """Best of `repeat` for the hash and the ingest, in turns; the peers once."""
    read_once(capture)
    hashing = ["openssl", "dgst", "-sha256", str(capture)]
    runs: dict[str, list[Run]] = {"openssl sha256": [], "wirecover ingest": []}
    for _ in range(repeat):
        runs["openssl sha256"].append(measured(hashing))
        runs["wirecover ingest"].append(ingested(capture))
    if with_peers:
        for name, command in peers(capture).items():
            try:
                runs[name] = [measured(command)]
            except RuntimeError as error:
                print(f"{name} could not be measured: {error}", file=sys.stderr)
        runs["openssl sha256"].append(measured(hashing))
    return {name: best(these) for name, these in runs.items()}


def show(capture: Path, results: dict[str, Run]) -> None:
    hashing, ingest = results["openssl sha256"], results["wirecover ingest"]
    print(f"\n{capture.name}: {capture.stat().st_size / 1e6:.0f} MB; {ingest.said}\n")
    print(f"{'':<22} {'wall':>10} {'processor':>11} {'peak memory':>13} {'x hash':>8}")
    for name, run in results.items():
        print(line(name, run, hashing))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=600_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="also one four times as large: is memory flat?")
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    if shutil.which("openssl") is None:
        print("make bench: openssl is not installed, so there is nothing to compare with", file=sys.stderr)
        return 1
    capture = built(asked.bytes)
    results = bench(capture, asked.repeat, with_peers=not asked.no_peers)
    show(capture, results)
    found = {capture.name: {name: asdict(run) for name, run in results.items()}}
    ingest = results["wirecover ingest"]
    ratio = ingest.seconds / results["openssl sha256"].seconds
    verdicts = [(f"ingest takes {ratio:.2f} times the hash (at most {LIMIT_RATIO:g})", ratio <= LIMIT_RATIO)]
    if ingest.peak_bytes is not None:
        peak = f"peak memory {ingest.peak_bytes / (1 << 20):.0f} MiB (at most {LIMIT_BYTES >> 20})"
        verdicts.append((peak, ingest.peak_bytes <= LIMIT_BYTES))
    if asked.large:
        large = built(asked.bytes * LARGER)
        larger = bench(large, 1, with_peers=False)
        show(large, larger)
        found[large.name] = {name: asdict(run) for name, run in larger.items()}
        top = larger["wirecover ingest"].peak_bytes
        if top is not None and ingest.peak_bytes is not None:
            times = top / ingest.peak_bytes
            verdicts.append(
                (f"{LARGER} times the file, {times:.2f} times the memory (at most {FLAT})", times <= FLAT)
            )
    print()
    for text, good in verdicts:
        print(f"{'ok  ' if good else 'MISS'} {text}")
    (FOLDER / "result.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
