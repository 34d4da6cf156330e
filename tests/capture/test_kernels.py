"""The decorator: compiles, caches where that is safe, and only there; warming is complete."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from wirecover.capture import kernels

PROGRAM = """
from wirecover.capture.kernels import kernel

@kernel
def plus(a, b):
    return a + b

assert plus(2, 3) == 5
print(len(plus.stats.cache_hits), len(plus.stats.cache_misses), plus.stats.cache_path)
"""


def run(folder: Path, **environment: str) -> list[str]:
    program = folder / "program.py"
    if not program.exists():
        program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_second_process_takes_the_code_from_the_cache_unless_bounds_are_checked(tmp_path: Path) -> None:
    assert run(tmp_path)[:2] == ["0", "1"]
    assert run(tmp_path) == ["1", "0", str(tmp_path / "__pycache__")]
    # Bounds-checked code is never cached, and does not take the cached unchecked code.
    assert run(tmp_path, WIRECOVER_BOUNDSCHECK="1") == ["0", "1", "None"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits")
def test_a_folder_that_others_can_write_is_no_cache(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert run(tmp_path, NUMBA_CACHE_DIR=str(shared)) == ["0", "1", "None"]


def test_no_writable_cache_is_no_error(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("a file where a folder should be")
    program = PROGRAM.replace(
        "from wirecover", f"import os; os.environ.update(HOME={str(nowhere)!r})\nfrom wirecover"
    )
    compiled = (
        "exec(compile(open(0).read(), 'made-up.py', 'exec'))"  # no source file: numba finds no place at all
    )
    done = subprocess.run(
        [sys.executable, "-c", compiled], input=program, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "1", "None"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits")
def test_privacy_looks_at_every_folder_up_to_the_root(tmp_path: Path) -> None:
    source, inner = tmp_path / "module.py", tmp_path / "open" / "inner"
    inner.mkdir(parents=True)
    source.write_text("")
    assert kernels.is_private(inner, source)
    inner.parent.chmod(0o777)
    assert not kernels.is_private(inner, source)
    inner.parent.chmod(0o1777)  # sticky: others may add, not rename or replace
    assert kernels.is_private(inner, source)
    inner.chmod(0o1777)
    assert not kernels.is_private(inner, source)
    assert kernels.is_private(inner.parent / "not yet made" / "deeper", source)


def test_warm_calls_each_module_and_a_missing_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from wirecover.capture.files import scan

    called = []
    monkeypatch.setattr(scan, "warm", lambda: called.append("scan"))
    kernels.warm(["wirecover.capture.files.scan"])
    assert called == ["scan"]
    with pytest.raises(ModuleNotFoundError):
        kernels.warm(["wirecover.capture.files.no_such_module"])


def test_forgetting_deletes_the_cached_code_of_that_module_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one_kernel.py").write_text(PROGRAM.partition("print")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    other = tmp_path / "__pycache__" / "another.plus-1.py311.1.nbc"
    assert kernels.forget(["one_kernel"]) >= 2
    other.write_bytes(b"")
    assert kernels.forget(["one_kernel"]) == 0
    assert other.exists()


def test_setting_up_forgets_before_it_warms(monkeypatch: pytest.MonkeyPatch) -> None:
    acts: list[str] = []
    monkeypatch.setattr(kernels, "forget", lambda: acts.append("forget"))
    monkeypatch.setattr(kernels, "warm", lambda: acts.append("warm"))
    loaded = {"wirecover.imported_by_forget": kernels, "another": kernels}
    monkeypatch.setattr(kernels, "sys", SimpleNamespace(modules=loaded))
    assert kernels.main() == 0
    assert acts == ["forget", "warm"]
    assert list(loaded) == ["another"]


def test_importing_the_floor_does_not_load_numba() -> None:
    program = (
        "import sys, wirecover.capture; assert 'numba' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
