"""Record the lab: build the network, start servers, record both vantages, run the plan, write the truth.

    .labvenv/bin/python -m lab.record --out tests/captures --name harbour-xmpp-turn-h3

Needs root, ip netns, dumpcap, prosody, coturn, unbound and ethtool; see README.md.
"""

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab import pcapng, truth
from lab.certificates import Authority
from lab.hosts import CLIENTS, OUTSIDE, ROUTER
from lab.network import LAN_BRIDGE, Network
from lab.plan import Plan, make_plan
from lab.recorder import Recorder
from lab.services import Services

VANTAGE_CLIENT = "ada"
COMMENT = "wirecover lab recording. chat.signal.org and g.whatsapp.net are lab stand-ins, see the truth file."


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--name", default="harbour-xmpp-turn-h3")
    arguments.add_argument("--seed", type=int, default=20261122)
    arguments.add_argument("--seconds", type=float, default=1500.0)
    arguments.add_argument(
        "--keep", action="store_true", help="keep the run's folder (logs, keys) and say where"
    )
    options = arguments.parse_args()
    plan = make_plan(options.seed, options.seconds)
    folder = Path(tempfile.mkdtemp(prefix="wc-lab-"))
    folder.chmod(0o755)  # prosody runs as its own user
    run = Run(folder, plan)
    run.record()
    options.out.mkdir(parents=True, exist_ok=True)
    run.publish(options.out, options.name)
    if options.keep:
        print(f"kept {folder}", file=sys.stderr)
    else:
        subprocess.run(["rm", "-r", "--", str(folder)], check=True)


class Run:
    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder, self._plan = folder, plan
        self._router, self._client = folder / "router.pcapng", folder / "client.pcapng"
        self._truth: dict[str, Any] = {}

    def record(self) -> None:
        self._plan.save(self._folder / "plan.json")
        with ExitStack() as stack:
            network = stack.enter_context(Network())
            services = Services(self._folder, Authority(self._folder))
            stack.callback(services.stop)
            self._start_delay_line(services, network)
            services.start()
            recorders = [
                Recorder(ROUTER, LAN_BRIDGE, self._router),
                Recorder(VANTAGE_CLIENT, "eth0", self._client),
            ]
            with ExitStack() as recording:
                for recorder in recorders:
                    recording.callback(recorder.stop)
                    recorder.wait_until_open()
                time.sleep(0.5)
                self._run_people(services)
                time.sleep(1.0)
            journals = truth.read_journals(self._folder)
            self._truth = truth.build(self._plan, journals, services.servers, self._folder / "queries.log")
        # Leaving the stack stopped every process and removed every namespace.

    def publish(self, out: Path, name: str) -> None:
        router, client = out / f"{name}.pcapng", out / f"{name}-client1.pcap.gz"
        description = "clients' side of the lab router"
        pcapng.clean(self._router, router, COMMENT, description)
        # dumpcap's own pcap output cuts times to microseconds; editcap only changes the file format.
        plain = self._folder / "client.pcap"
        subprocess.run(["editcap", "-F", "nsecpcap", str(self._client), str(plain)], check=True)
        with (
            client.open("wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as packed,
        ):
            packed.write(plain.read_bytes())
        self._truth["captures"] = [
            _capture(router, "router bridge, all clients", LAN_BRIDGE, None),
            _capture(client, "one client's interface", "eth0", VANTAGE_CLIENT),
        ]
        text = json.dumps(self._truth, indent=1, ensure_ascii=True)
        (out / f"{name}.truth.json").write_text(text + "\n", encoding="utf-8")

    def _start_delay_line(self, services: Services, network: Network) -> None:
        services.run_python(ROUTER, "lab.delay", "--seed", str(self._plan.seed))
        log = self._folder / f"lab.delay-{ROUTER}.log"
        deadline = time.monotonic() + 10
        while b"ready" not in log.read_bytes():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the delay line did not start: {log.read_text(encoding='utf-8')}")
            time.sleep(0.1)
        network.join_delay_line()

    def _run_people(self, services: Services) -> None:
        start_ns = time.time_ns() + 3_000_000_000
        people = {
            host.name: services.run_python(
                host.name, "lab.person", host.name, str(self._folder), str(start_ns)
            )
            for host in CLIENTS + OUTSIDE
        }
        deadline = time.monotonic() + self._plan.duration_s + 40
        while any(process.poll() is None for process in people.values()):
            failed = [name for name, process in people.items() if process.poll()]
            if failed or time.monotonic() > deadline:
                logs = "\n".join((self._folder / f"lab.person-{name}.log").read_text() for name in failed)
                raise RuntimeError(f"failed or late: {failed or 'time is over'}\n{logs}")
            time.sleep(0.5)
        lost = [command for command in services.dead() if "lab.person" not in command]
        if lost:
            raise RuntimeError(f"servers ended early: {lost}")


def _capture(path: Path, vantage: str, interface: str, host: str | None) -> dict[str, Any]:
    data = path.read_bytes()
    return {
        "file": path.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "vantage": vantage,
        "interface": interface,
        "host": host,
    }


if __name__ == "__main__":
    main()
