"""An authority -> the scope that the lowest floor enforces.

Data categories open tables and columns; what no granted category opens is withheld, a table that is not listed
here included: whoever adds one decides here what it tells. `traffic` is who spoke with whom, when, for how long and
how much; all that goes further has a category of its own, so that an order can leave it out.
"""

from typing import Final

from wirecover.capture.scope import Kind, Layer, Scope, Selector, Span
from wirecover.capture.tables import TABLES
from wirecover.casefile.authority import CATEGORIES, Authority, Period

ALWAYS: Final = frozenset({"captures", "interfaces", "damage", "out_of_scope", "quality", "authenticity"})
"""Facts of the recording, not of those who speak in it."""
OPENS: Final[dict[str, frozenset[str]]] = {
    "traffic": frozenset({
        "flows", "packets", "media_streams", "tls_handshakes", "quic_handshakes", "ssh_handshakes", "stun_messages",
        "tunnels", "recognitions", "messenger_frames", "flow_ends",
    }),
    "server-names": frozenset({
        "dns_messages", "dns_answers", "names", "certificates", "tls_handshakes.sni", "tls_handshakes.sni_kind",
        "tls_handshakes.certificate_sha1s", "tls_handshakes.certificate_sha256s",
        "tls_handshakes.alpn_offered", "tls_handshakes.alpn_selected", "stun_messages.realm", "app_evidence.value",
        "recognitions.value",
    }),
    "applications": frozenset({"app_evidence", "flows.app", "flows.app_confidence"}),
    "equipment": frozenset({
        "hosts", "tls_handshakes.ja3", "tls_handshakes.ja3s", "tls_handshakes.ja4", "tls_handshakes.client_version",
        "tls_handshakes.client_certificate_sha256s", "quic_handshakes.user_agent",
        "quic_handshakes.transport_parameters", "ssh_handshakes.client_software", "ssh_handshakes.server_software",
        "ssh_handshakes.hassh", "ssh_handshakes.hassh_server", "stun_messages.software", "sip_messages.software",
    }),
    "accounts": frozenset({"stun_messages.username", "sip_messages", "sdp_media", "messenger_facts"}),
    "subscriber": frozenset({"subscribers"}),
    "location": frozenset({"tunnels.bssid"}),
    "recorder-notes": frozenset({"comments"}),
}  # fmt: skip
"""Category -> tables it opens; a column named here needs this category besides the one that opens its table."""
_KINDS: Final[dict[str, Kind]] = {"network": "network", "mac": "mac", "teid": "teid", "liid": "recording"}
_LAYERS: Final[dict[str, Layer]] = {"inner": "inner", "outer": "outer", "any": "any"}


def withheld(categories: tuple[str, ...]) -> frozenset[str]:
    """Tables, and columns of open tables, of which nothing may be written."""
    if set(categories) == set(CATEGORIES):
        return frozenset()
    granted = frozenset[str]().union(*(OPENS[one] for one in categories))
    gated = frozenset[str]().union(*OPENS.values())
    tables = {table for table in TABLES if table not in granted and table not in ALWAYS}
    columns = {one for one in gated - granted if "." in one and one.partition(".")[0] not in tables}
    return frozenset(tables | columns)


def scope_of(authority: Authority, key: bytes) -> Scope:
    """What may be kept under an authority. `key` makes the pseudonyms, where it asks for them."""
    targets = None
    if authority.selection == "packets":
        targets = tuple(
            Selector(_KINDS[one.type], one.value, _LAYERS[one.layer], _spans(one.periods))
            for one in authority.targets
            if one.type in _KINDS
        )
    pseudonyms = authority.others == "pseudonymise"
    return Scope(
        spans=_spans(authority.periods),
        targets=targets,
        excluded=tuple(
            Selector(_KINDS[one.type], one.value, "any") for one in authority.exclusions if one.type in _KINDS
        ),
        excluded_names=tuple(one.value for one in authority.exclusions if one.type == "name"),
        others="pseudonymise" if pseudonyms else "drop",
        key=key if pseudonyms else b"",
        # sequence numbers would tell whose flow a pseudonymised one is
        withheld=withheld(authority.categories) | ({"flow_ends"} if pseudonyms else set()),
    )


def _spans(periods: tuple[Period, ...]) -> tuple[Span, ...]:
    return tuple((one.first, one.last) for one in periods)
