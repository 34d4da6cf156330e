"""The journal: what one person's programs know to have happened, one JSON object a line.

Times are nanoseconds of the machine's clock (UTC), the clock the captures are stamped with.
"""

import json
import ssl
import time
from pathlib import Path
from typing import Any


def now_ns() -> int:
    return time.time_ns()


class Journal:
    def __init__(self, path: Path, person: str) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._person = person

    def write(self, what: str, **fields: Any) -> None:
        self._file.write(json.dumps({"what": what, "person": self._person, **fields}) + "\n")
        self._file.flush()

    def handshake(
        self,
        carrier: str,
        sni: str,
        begun_ns: int,
        addresses: tuple[Any, Any],
        tls: dict[str, Any],
    ) -> None:
        """addresses: the socket's own and the peer's name, as the socket module gives them."""
        local, remote = addresses
        self.write(
            "handshake",
            carrier=carrier,
            sni=sni,
            client_ip=bare(local[0]),
            client_port=local[1],
            server_ip=bare(remote[0]),
            server_port=remote[1],
            begun_ns=begun_ns,
            done_ns=now_ns(),
            **tls,
        )


def bare(address: str) -> str:
    """An IPv4-mapped IPv6 address as the IPv4 address that is on the wire."""
    return address.removeprefix("::ffff:")


def tls_facts(connection: ssl.SSLObject | ssl.SSLSocket, alpn_offered: list[str]) -> dict[str, Any]:
    cipher = connection.cipher()
    return {
        "alpn_offered": alpn_offered,
        "alpn_selected": connection.selected_alpn_protocol(),
        "version": connection.version(),
        "cipher_openssl": cipher[0] if cipher else None,
        "resumed": bool(connection.session_reused),
    }


def client_context(bundle: Path, alpn: list[str], tls: str) -> ssl.SSLContext:
    """A verifying client context; tls is "1.2" (no newer offered) or "1.3"."""
    context = ssl.create_default_context(cafile=str(bundle))
    if alpn:
        context.set_alpn_protocols(alpn)
    if tls == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


_TEXT = "the boat leaves at noon when wind and tide allow, so bring rope, bread and a warm coat "


def filler(size: int) -> str:
    """Harmless text of exactly `size` ASCII bytes."""
    return (_TEXT * (size // len(_TEXT) + 1))[:size]
