"""Compiled kernels of the packet path: one decorator, one place to warm their cache.

`@kernel` is `numba.njit(nogil=True, cache=True)`; packets are touched by such kernels only (DESIGN 3).
Rules:

* Types are part of the compiled key and there are no explicit signatures: importing a module compiles
  nothing, the first call with a *new set of argument types* does. So pass C-contiguous arrays of one fixed
  dtype and plain ints. Traps: a READ-ONLY array is another numba type than a writable one
  (`np.frombuffer(bytes)` is read-only), a slice with a step is not contiguous, an `np.int32` scalar is not
  an `int`, nor is a `bool`. Each compiles anew, at the user's cost. `warm()` of a module calls each of its
  kernels once with exactly the types the product uses.
* `uint64` with `int64` becomes `float64` in numba. Widen bytes with `np.int64(...)` and stay in int64.
* The cache key is the source of the file that *defines* the kernel. A kernel that calls a kernel of another
  file is not recompiled when that other file changes; `python -m wirecover.capture.kernels` drops stale
  files first.
* Nothing checks bounds in the compiled code. `WIRECOVER_BOUNDSCHECK=1` compiles with checks, and without a
  cache: numba's key does not know of the flag, so a cached unchecked kernel would be taken. Tests use it.
* A cache is code. It is used only where no stranger can write (the package's own `__pycache__`, else the
  user's cache folder, or `NUMBA_CACHE_DIR`); where there is no such place the kernel compiles once a
  process instead.
"""

import importlib
import os
import stat
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

MODULES: Final = (
    "wirecover.capture.files.scan",
    "wirecover.capture.packets.steps",
    "wirecover.capture.packets.link_layers",
    "wirecover.capture.packets.ethertypes",
    "wirecover.capture.packets.tunnel_headers",
    "wirecover.capture.packets.upper_layers",
    "wirecover.capture.packets.decode",
    "wirecover.capture.scope_layers",
    "wirecover.capture.scope_ends",
    "wirecover.capture.flows.table",
    "wirecover.capture.flows.media_stream",
    "wirecover.capture.flows.media",
    "wirecover.capture.flows.texts",
    "wirecover.capture.flows.strings",
    "wirecover.capture.flows.names",
    "wirecover.capture.flows.datagrams",
    "wirecover.capture.flows.flights",
    "wirecover.capture.flows.known",
    "wirecover.capture.flows.initials",
    "wirecover.capture.flows.judgements",
    "wirecover.capture.flows.labels",
    "wirecover.capture.flows.tunnels",
    "wirecover.capture.quality.clock",
    "wirecover.capture.quality.lengths",
    "wirecover.capture.quality.packets",
    "wirecover.capture.quality.copies",
    "wirecover.capture.quality.senders",
    "wirecover.capture.quality.segments",
)
"""Modules with kernels. Each has a `warm()` that calls its kernels with the types they are used with."""

BOUNDSCHECK: Final = os.environ.get("WIRECOVER_BOUNDSCHECK", "") not in ("", "0")


def kernel(function: Function) -> Function:
    """Compile `function` on first use, without the GIL, cached on disk where that is safe."""
    compiled: Any = None if BOUNDSCHECK else _cached(function)
    if compiled is None:
        compiled = njit(nogil=True, boundscheck=BOUNDSCHECK)(function)
    return cast(Function, compiled)


def _cached(function: Callable[..., Any]) -> Any:
    """`function` with a cache on disk; None where there is no place for one that is writable and private."""
    try:
        compiled = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba: "no locator available", no cache folder can be written
        return None
    return compiled if _is_private(_cache_path(compiled), Path(function.__code__.co_filename)) else None


def _cache_path(compiled: Any) -> Path | None:
    """Where numba will keep the compiled code; None when jit is switched off (NUMBA_DISABLE_JIT)."""
    stats = getattr(compiled, "stats", None)
    return Path(stats.cache_path) if stats is not None and stats.cache_path else None


def is_private(folder: Path | None, source: Path) -> bool:
    """Whether only this user, root or the owner of the source file can put a file into `folder`.

    Compiled code is loaded from there without a question, so every folder up to the root has to hold: none
    may belong to a stranger, and none may be writable by all (a sticky one may, if what lies in it is ours).
    Windows has access lists instead of mode bits; there the per-user default folders are trusted.
    """
    if folder is None or sys.platform == "win32":
        return True
    owners = {0, os.getuid(), source.stat().st_uid if source.exists() else 0}
    for step, place in enumerate((folder.resolve(), *folder.resolve().parents)):
        if not place.exists():  # numba makes it later, as this user
            continue
        facts = place.stat()
        open_to_all = bool(facts.st_mode & stat.S_IWOTH)
        sticky_parent = step > 0 and bool(facts.st_mode & stat.S_ISVTX)
        if facts.st_uid not in owners or (open_to_all and not sticky_parent):
            return False
    return True


_is_private: Final = lru_cache(is_private)
"""Asked once a module, not once a kernel."""


def warm(modules: Iterable[str] = MODULES) -> None:
    """Compile and cache every kernel, so that no user waits for a compiler. A missing module is an error."""
    for name in modules:
        importlib.import_module(name).warm()


def forget(modules: Iterable[str] = MODULES) -> int:
    """Delete the cached code of these modules (see the third trap above); returns how many files went."""
    gone = 0
    for name in modules:
        module = importlib.import_module(name)
        stem = Path(str(module.__file__)).stem
        folders = {_cache_path(value) for value in vars(module).values() if hasattr(value, "py_func")}
        for file in [file for folder in folders if folder for file in folder.glob(f"{stem}.*.nb[ic]")]:
            file.unlink(missing_ok=True)
            gone += 1
    return gone


def main() -> int:
    """`python -m wirecover.capture.kernels`: what `make setup` runs."""
    forget()
    # Drop all that forget() imported, also what holds on to a module with kernels, so that they are made anew and
    # their (now empty) indexes read again.
    for name in [name for name in sys.modules if name.startswith("wirecover.")]:
        del sys.modules[name]
    warm()
    return 0


if __name__ == "__main__":
    sys.exit(main())
