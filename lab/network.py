"""The network: namespaces for the clients, a router and the servers, joined by veth pairs.

    clients --- br-lan [router] wan0 ===delay line=== wan1 br-wan [switch] --- servers

Everything is named wc-*; `close` removes exactly what `open` made. Checksum and segmentation
offload are switched off, so that what is recorded is what a wire would carry. The kernel may lack
netem, so the delay between router and servers is made by `delay.py`, which passes frames unchanged.
"""

import subprocess
from pathlib import Path

from lab.hosts import (
    CLIENTS,
    HOSTS,
    LAN4,
    LAN6,
    OUTSIDE,
    ROUTER,
    SERVER_SWITCH,
    SERVERS,
    WAN4,
    WAN6,
    Host,
)

PREFIX = "wc-"
LAN_BRIDGE = "br-lan"
RESOLV_ROOT = Path("/etc/netns")


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def inside(host_name: str, *command: str) -> list[str]:
    """The command line that runs `command` in the namespace of a host."""
    return ["ip", "netns", "exec", PREFIX + host_name, *command]


class Network:
    def __init__(self) -> None:
        self._made: list[str] = []
        self._resolv: list[Path] = []

    def __enter__(self) -> "Network":
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for namespace in reversed(self._made):
            run("ip", "netns", "del", namespace)
        for folder in self._resolv:
            (folder / "resolv.conf").unlink()
            folder.rmdir()
        self._made, self._resolv = [], []

    def join_delay_line(self) -> None:
        """Put the two ends of the running delay line into place (it made both in the router)."""
        router, switch = PREFIX + ROUTER, PREFIX + SERVER_SWITCH
        run("ip", "-n", router, "link", "set", "wan1", "netns", switch)
        run("ip", "-n", switch, "link", "set", "wan1", "master", "br-wan", "up")
        self._address(ROUTER, "wan0", f"{WAN4}1", f"{WAN6}1", "02:00:0a:4d:02:01")

    def _build(self) -> None:
        for name in (ROUTER, SERVER_SWITCH):
            self._namespace(name, ipv6=True)
        self._bridge(ROUTER, LAN_BRIDGE)
        self._bridge(SERVER_SWITCH, "br-wan")
        self._address(ROUTER, LAN_BRIDGE, f"{LAN4}1", f"{LAN6}1", "02:00:0a:4d:01:01")
        for forwarding in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            run(*inside(ROUTER, "sysctl", "-qw", forwarding))
        for host in CLIENTS:
            self._attach(host, ROUTER, LAN_BRIDGE, f"{LAN4}1", f"{LAN6}1")
        for host in OUTSIDE + SERVERS:
            self._attach(host, SERVER_SWITCH, "br-wan", f"{WAN4}1", f"{WAN6}1")

    def _namespace(self, name: str, *, ipv6: bool) -> None:
        run("ip", "netns", "add", PREFIX + name)
        self._made.append(PREFIX + name)
        run("ip", "-n", PREFIX + name, "link", "set", "lo", "up")
        off = "0" if ipv6 else "1"
        settings = [f"net.ipv6.conf.{scope}.disable_ipv6={off}" for scope in ("all", "default")]
        settings += ["net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.accept_ra=0"]
        run(*inside(name, "sysctl", "-qw", *settings))

    def _bridge(self, name: str, bridge: str) -> None:
        run("ip", "-n", PREFIX + name, "link", "add", bridge, "type", "bridge")
        run("ip", "-n", PREFIX + name, "link", "set", bridge, "up")

    def _attach(self, host: Host, hub: str, bridge: str, gateway4: str, gateway6: str) -> None:
        namespace, hub_namespace = PREFIX + host.name, PREFIX + hub
        self._namespace(host.name, ipv6=host.ipv6)
        run(
            "ip",
            "-n",
            namespace,
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            host.name,
            "netns",
            hub_namespace,
        )
        run("ip", "-n", hub_namespace, "link", "set", host.name, "master", bridge, "up")
        self._plain(hub, host.name)
        self._address(host.name, "eth0", host.ipv4_address, host.ipv6_address, host.mac)
        self._plain(host.name, "eth0")
        run("ip", "-n", namespace, "route", "add", "default", "via", gateway4)
        if host.ipv6:
            run("ip", "-n", namespace, "-6", "route", "add", "default", "via", gateway6)
        folder = RESOLV_ROOT / namespace
        folder.mkdir(parents=True)
        self._resolv.append(folder)
        (folder / "resolv.conf").write_text(
            f"nameserver {HOSTS['resolver'].ipv4_address}\n", encoding="ascii"
        )

    def _address(self, name: str, device: str, ipv4: str, ipv6: str | None, mac: str) -> None:
        namespace = PREFIX + name
        run("ip", "-n", namespace, "link", "set", device, "address", mac, "up")
        run("ip", "-n", namespace, "addr", "add", f"{ipv4}/24", "dev", device)
        if ipv6:
            run("ip", "-n", namespace, "addr", "add", f"{ipv6}/64", "dev", device, "nodad")

    def _plain(self, name: str, device: str) -> None:
        features = [word for feature in ("tx", "tso", "gso", "gro") for word in (feature, "off")]
        subprocess.run(inside(name, "ethtool", "-K", device, *features), check=True, capture_output=True)
