"""The servers: configuration out of templates, started in their namespaces, stopped by process id."""

import json
import os
import pwd
import secrets
import shutil
import string
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.certificates import Authority, Issued
from lab.hosts import (
    FILES_NAME,
    HOSTS,
    SIGNAL_NAME,
    TURN_NAME,
    TURN_REALM,
    WEB_NAME,
    WHATSAPP_NAME,
    XMPP_DOMAIN,
    XMPP_NAME,
    zone,
)
from lab.network import inside

TEMPLATES = Path(__file__).parent / "templates"
REPOSITORY = Path(__file__).parent.parent
XMPP_USERS = ("ada", "ben", "cleo", "erik")
TURN_USERS = ("ada", "ben", "cleo", "gil")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server as the truth file tells it."""

    host: str
    names: tuple[str, ...]
    service: str
    transport: str
    port: int
    software: str
    certificate_sha256: str | None
    stand_in_for: str | None


class Services:
    def __init__(self, folder: Path, authority: Authority) -> None:
        self._folder, self._authority = folder, authority
        self._running: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        self.servers: list[Server] = []

    def start(self) -> None:
        self._start_resolver()
        self._start_prosody()
        self._start_turn()
        self._start_web()
        self._start_stand_in("signal", SIGNAL_NAME, tls="1.3", use_rsa=False)
        self._start_stand_in("whatsapp", WHATSAPP_NAME, tls="1.2", use_rsa=True)
        for server in self.servers:
            if server.transport == "tcp":
                self._wait_for(server)

    def stop(self) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs:
            log.close()

    def dead(self) -> list[str]:
        """The servers that ended on their own: there must be none."""
        return [str(process.args) for process in self._running if process.poll() is not None]

    def run_python(self, host: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = inside(host, sys.executable, "-m", module, *arguments)
        return self._spawn(f"{module}-{host}", command)

    def _spawn(self, label: str, command: list[str]) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{label}.log").open("wb")
        self._logs.append(log)
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self._running.append(process)
        return process

    def _write(self, template: str, folder: Path, **values: str) -> Path:
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        target = folder / template
        target.write_text(string.Template(text).substitute(folder=folder, **values), encoding="utf-8")
        return target

    def _start_resolver(self) -> None:
        host = HOSTS["resolver"]
        records = "\n".join(f"  local-data: '{record}'" for record in zone())
        configuration = self._write("unbound.conf", self._folder, address=host.ipv4_address, records=records)
        self._spawn("unbound", inside(host.name, "unbound", "-d", "-c", str(configuration)))
        self._add(host.name, (), "dns", "udp", 53, "unbound " + _package_version("unbound"), None)

    def _start_prosody(self) -> None:
        folder = self._folder / "prosody"
        folder.mkdir()
        issued = self._authority.issue("xmpp", [XMPP_DOMAIN, XMPP_NAME])
        shutil.copy(issued.chain, folder / f"{XMPP_DOMAIN}.crt")
        shutil.copy(issued.key, folder / f"{XMPP_DOMAIN}.key")
        configuration = self._write("prosody.cfg.lua", folder, domain=XMPP_DOMAIN)
        (folder / "data").mkdir()
        account = pwd.getpwnam("prosody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)
        as_prosody = ["setpriv", "--reuid=prosody", "--regid=prosody", "--clear-groups"]
        passwords = {user: secrets.token_hex(12) for user in XMPP_USERS}
        turn = {user: secrets.token_hex(12) for user in TURN_USERS}
        keep = self._folder / "secrets.json"
        keep.touch(mode=0o600)
        keep.write_text(json.dumps({"xmpp": passwords, "turn": turn}), encoding="utf-8")
        for user, password in passwords.items():
            register = ["prosodyctl", "--config", str(configuration), "register", user, XMPP_DOMAIN, password]
            subprocess.run(
                [*as_prosody, *register], check=True, capture_output=True, stdin=subprocess.DEVNULL
            )
        command = [*as_prosody, "prosody", "-F", "--config", str(configuration)]
        self._spawn("prosody", inside("xmpp", *command))
        software = "Prosody " + _package_version("prosody")
        for service, port in (("xmpp-starttls", 5222), ("xmpp-direct-tls", 5223)):
            self._add("xmpp", (XMPP_DOMAIN, XMPP_NAME), service, "tcp", port, software, issued)

    def _start_turn(self) -> None:
        host = HOSTS["turn"]
        passwords = json.loads((self._folder / "secrets.json").read_text(encoding="utf-8"))["turn"]
        users = "\n".join(f"user={user}:{password}" for user, password in passwords.items())
        configuration = self._write(
            "turnserver.conf", self._folder, address=host.ipv4_address, realm=TURN_REALM, users=users
        )
        self._spawn("turnserver", inside(host.name, "turnserver", "-c", str(configuration)))
        self._add(host.name, (TURN_NAME,), "turn", "udp", 3478, "coturn " + _package_version("coturn"), None)

    def _start_web(self) -> None:
        issued = self._authority.issue("web", [WEB_NAME, FILES_NAME])
        self.run_python("web", "lab.web_server", "--chain", str(issued.chain), "--key", str(issued.key))
        self._add("web", (WEB_NAME,), "https", "tcp", 443, "Python http.server", issued)
        self._add("web", (FILES_NAME,), "http/3", "udp", 443, "aioquic", issued)

    def _start_stand_in(self, host: str, name: str, *, tls: str, use_rsa: bool) -> None:
        issued = self._authority.issue(host, [name], use_rsa=use_rsa)
        arguments = ("--chain", str(issued.chain), "--key", str(issued.key), "--tls", tls)
        self.run_python(host, "lab.relay_server", *arguments)
        self._add(host, (name,), "websocket", "tcp", 443, "websockets", issued, stand_in_for=host)

    def _add(
        self,
        host: str,
        names: tuple[str, ...],
        service: str,
        transport: str,
        port: int,
        software: str,
        issued: Issued | None,
        *,
        stand_in_for: str | None = None,
    ) -> None:
        sha256 = issued.sha256 if issued else None
        self.servers.append(Server(host, names, service, transport, port, software, sha256, stand_in_for))

    def _wait_for(self, server: Server) -> None:
        """Connect from the server's own namespace, so that nothing of it reaches the recorded side."""
        address = (HOSTS[server.host].ipv4_address, server.port)
        probe = f"import socket; socket.create_connection({address!r}, 1)"
        deadline = time.monotonic() + 20
        while subprocess.run(
            inside(server.host, sys.executable, "-c", probe), capture_output=True
        ).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{server.service} on {server.host} does not answer")
            time.sleep(0.2)


def _package_version(package: str) -> str:
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()
