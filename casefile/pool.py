"""Decoding in this process, or in others that may die of a capture without taking the run along."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb

from wirecover.capture.errors import WirecoverError
from wirecover.capture.manifest import Manifest
from wirecover.capture.scope import Scope
from wirecover.casefile.durable import is_disk_full, remove_tree, seal_folder

Decoder = Callable[[Path, Path, Scope], Manifest]
"""decode(capture, out, scope): writes the evidence files and manifest.json into the folder `out`."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What decoding hands back: the manifest's text, or why there is none."""

    manifest: str | None
    failure: str = ""
    disk_full: bool = False


def decode_job(decoder: Decoder, path: Path, out: Path, scope: Scope) -> JobResult:
    """Decode one capture into the new folder `out` and seal it. Errors are returned: not all survive a
    pipe.
    """
    try:
        out.mkdir()
        manifest = decoder(path, out, scope)
        seal_folder(out)
    except WirecoverError as error:
        return JobResult(None, str(error))
    except MemoryError:
        return JobResult(None, f"{path.name}: not enough memory to decode it")
    except OSError as error:
        return JobResult(None, f"{path.name}: {error.strerror or error}", disk_full=is_disk_full(error))
    except Exception as error:  # noqa: BLE001 - a capture that trips the decoder must not stop the ones after it
        place = extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return JobResult(None, f"{path.name}: the decoder failed at {where}: {type(error).__name__}: {error}")
    return JobResult(manifest.to_json())


class Pool:
    """Runs decode jobs; with one worker in this process, else in fresh (spawned) ones."""

    def __init__(self, workers: int, decoder: Decoder, scope: Scope) -> None:
        self._workers = workers
        self._decoder = decoder
        self._scope = scope
        self._pool = self._start(workers) if workers > 1 else None
        self._started_by: dict[Future[JobResult], ProcessPoolExecutor] = {}

    @staticmethod
    def _start(workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))

    def submit(self, path: Path, out: Path) -> Future[JobResult]:
        """Start a job; in this process it is done at once."""
        job: Future[JobResult]
        if self._pool is None:
            job = Future()
            job.set_result(decode_job(self._decoder, path, out, self._scope))
            return job
        try:
            job = self._pool.submit(decode_job, self._decoder, path, out, self._scope)
        except BrokenProcessPool as error:
            job = Future()
            job.set_exception(error)
        self._started_by[job] = self._pool
        return job

    def result(self, job: Future[JobResult], path: Path, out: Path) -> JobResult:
        """A job's result. When a process dies, its neighbours' jobs die with it: each is tried again,
        alone.
        """
        pool = self._started_by.pop(job, None)
        try:
            return job.result()
        except BrokenProcessPool:
            if pool is self._pool and pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)
                self._pool = self._start(self._workers)
        if out.exists():
            remove_tree(out)
        with self._start(1) as alone:
            try:
                return alone.submit(decode_job, self._decoder, path, out, self._scope).result()
            except BrokenProcessPool:
                return JobResult(None, f"{path.name}: the process that decoded it died (out of memory?)")

    def close(self) -> None:
        """Stop; jobs not begun are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
