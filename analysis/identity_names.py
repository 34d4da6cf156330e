"""What a server name says besides naming a server: fixed patterns, each with its reason and its caveat.

Sources: tchapgouv/tchap-web-v4 a4867ec (departments), 3GPP TS 23.003 sections 13 and 28 and GSMA RCC.15 (names with
mcc and mnc), threema-ch/threema-android e2defbb MediatorUrl.kt (prefixes), RFC 6120 section 3.2 and XEP-0368 (XMPP),
the Matrix client-server specification (home servers).
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple


class Told(NamedTuple):
    """One thing that a name, a relay or a clear byte tells."""

    attribute: str
    value: str
    app: str | None
    source: str
    """The name (or address) it was read from."""
    reason: str
    caveat: str


HINT: Final = (
    r"(tchap\.gouv\.fr|\.mcc\d{2,3}\.|rcs\.telephony\.goog|threema\.ch|_xmpps?-(client|server)\._tcp\.|"
    r"_matrix(-fed)?\._tcp\.)"
)
"""Names that may tell something match this; what does, `read_name` decides."""
_TCHAP: Final = re.compile(r"(?:[a-z0-9-]+\.)*?(?:agent\.)?([a-z0-9-]+)\.tchap\.gouv\.fr")
_NOT_DEPARTMENTS: Final = frozenset(
    {"www", "web", "agent", "matrix", "beta", "aide", "status", "sygnal", "stats"}
)
_OPERATOR: Final = re.compile(
    r"(?:.*\.)?mnc(\d{2,3})\.mcc(\d{3})\.(jibecloud\.net|pub\.3gppnetwork\.org|3gppnetwork\.org)"
)
_GOOGLE_RCS: Final = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.rcs\.telephony\.goog")
_CARRIER: Final = re.compile(r"fp-([a-z]{2})-carrier-([a-z0-9-]+)\.rcs\.telephony\.goog")
_THREEMA: Final = re.compile(r"(mediator|blob-mirror|safe)-([0-9a-f]{1,8})\.threema\.ch")
_SERVICE_RECORD: Final = re.compile(r"_(xmpps?-client|xmpps?-server|matrix|matrix-fed)\._tcp\.(.+)")
_MATRIX_SITES: Final = frozenset(
    {"matrix.org", "element.io", "www.matrix.org", "app.element.io", "vector.im", "riot.im"}
)
_MATRIX_PORT: Final = 8448
_OTHER_ACCOUNTS: Final = "who talks to an account of that server may ask for it too"


def read_name(name: str, app: str | None, port: int | None) -> Iterator[Told]:
    """What a name (lower case, as in a ClientHello or a DNS question) tells; `app` and `port` are those of its flow."""
    name = name.rstrip(".")
    if found := _TCHAP.fullmatch(name):
        if found[1] not in _NOT_DEPARTMENTS:
            yield Told(
                "Tchap department", found[1], "tchap", name, "the label before tchap.gouv.fr names the home server's "
                "department", "of the home server asked for, which is mostly that of the account",
            )  # fmt: skip
        return
    yield from _operator(name)
    if found := _THREEMA.fullmatch(name):
        what = "backup id" if found[1] == "safe" else "device group id"
        yield Told(
            f"Threema {what} prefix", found[2], "threema", name,
            f"the name of the {found[1]} server holds the first digits of it",
            "many share so short a prefix; derived from the application's source, not yet seen on traffic",
        )  # fmt: skip
    yield from _home_server(name, app, port)


def _home_server(name: str, app: str | None, port: int | None) -> Iterator[Told]:
    if found := _SERVICE_RECORD.fullmatch(name):
        kind = "Matrix" if found[1].startswith("matrix") else "XMPP"
        reason = "a service record is asked for by the domain of an account"
        yield Told(f"{kind} home server", found[2], kind.lower(), name, reason, _OTHER_ACCOUNTS)
    elif app == "xmpp":
        reason = "server name of a connection labelled XMPP"
        yield Told("XMPP home server", name, "xmpp", name, reason, _OTHER_ACCOUNTS)
    elif app == "matrix" and name not in _MATRIX_SITES:
        reason = "server name of a connection labelled Matrix"
        yield Told("Matrix home server", name, "matrix", name, reason, _OTHER_ACCOUNTS)
    elif port == _MATRIX_PORT and app is None:
        reason = "server name of TLS on port 8448, which Matrix servers use among themselves"
        caveat = "the port is a custom only, and a server speaks there for all its users"
        yield Told("Matrix home server", name, None, name, reason, caveat)


def _operator(name: str) -> Iterator[Told]:
    if found := _OPERATOR.fullmatch(name):
        rcs = found[3] == "jibecloud.net" or ".rcs." in f".{name}"
        yield Told(
            "home operator", f"MCC {found[2]} MNC {found[1]}", "rcs" if rcs else None, name,
            "the name holds country and network code of the SIM (3GPP TS 23.003)",
            "the network code is as written there: one of two digits has a zero in front",
        )  # fmt: skip
        return
    if (found := _CARRIER.fullmatch(name)) or ((found := _GOOGLE_RCS.fullmatch(name)) and len(found[1]) == 2):
        operator, country = found[2], found[1]
    else:
        return
    caveat = "as they are called there"
    if operator == "pfi":
        caveat += "; pfi is Google itself and no operator"
    reason = "the name of the RCS server holds operator and country"
    yield Told("home operator", f"{operator} ({country})", "rcs", name, reason, caveat)
