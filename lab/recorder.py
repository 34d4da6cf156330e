"""One dumpcap on one interface of one namespace."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab.network import inside


class Recorder:
    def __init__(self, host: str, interface: str, target: Path) -> None:
        self._target = target
        command = ["dumpcap", "-q", "-i", interface, "-w", str(target), "-a", "filesize:8000"]
        dumpcap = shutil.which("dumpcap")
        if dumpcap is None:
            raise FileNotFoundError("dumpcap is not installed")
        self._log = target.with_suffix(".log").open("wb")
        self._process = subprocess.Popen(
            inside(host, *command), stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )

    def wait_until_open(self) -> None:
        deadline = time.monotonic() + 10
        while not (self._target.exists() and self._target.stat().st_size):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dumpcap did not start: see {self._log.name}")
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)
        self._log.close()
