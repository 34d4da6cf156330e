"""Which rows and columns of the evidence may leave with a share; everything that is not named here stays.

Closed by default twice over: a table without a rule is never shared, and a column that a rule does not list leaves
as NULL, so that what a later version adds does not leave before somebody has thought about it. Columns are left out
where they tell of more than their own row's flow: sums over an exhibit, the last sighting of a name by anybody, the
frame of an event in another flow.
"""

from dataclasses import dataclass
from typing import Final, Literal

By = Literal["flow", "certificate", "name", "host", "exhibit", "evidence"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one table is shared."""

    by: By
    """flow: with its flow. certificate: when a shared handshake names it. name: with the flow that tied it. host:
    by its address. exhibit: with its exhibit. evidence: with its flow, when its frame is one of that flow.
    """
    columns: tuple[str, ...]
    times: tuple[str, ...] = ()
    """Columns that must lie in the window where they are not NULL (the flow itself always must)."""
    needs: tuple[str, ...] = ()
    """Columns of times that must not be NULL when there is a window."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


RULES: Final[dict[str, Rule]] = {
    "flows": Rule("flow", _names(
        "flow_no transport client_ip client_port server_ip server_port client_by first_frame last_frame first_ts "
        "last_ts packets_up packets_down bytes_up bytes_down payload_up payload_down syn_seen fin_seen rst_seen "
        "rtt_us retransmits missing_bytes vlan tunnel community_id service app app_confidence"
    ), ("first_ts", "last_ts"), ("first_ts", "last_ts")),
    "packets": Rule("flow", _names("flow_no frame ts up payload_bytes record_bytes record_types"), ("ts",), ("ts",)),
    "tls_handshakes": Rule("flow", _names(
        "flow_no carrier client_frame client_ts server_frame server_ts sni alpn_offered alpn_selected version "
        "client_version cipher ja3 ja3s ja4 ech resumed hello_retry quic_version certificate_sha1s certificate_sha256s"
    ), ("client_ts", "server_ts")),
    "certificates": Rule("certificate", _names(
        "sha256 sha1 subject issuer serial not_before not_after san public_key_type public_key_bits self_signed"
    )),
    "dns_messages": Rule("flow", _names(
        "flow_no frame ts message_id is_response query_name query_type rcode answers"
    ), ("ts",), ("ts",)),
    "dns_answers": Rule("flow", _names("flow_no frame ts query_name name type data ttl"), ("ts",), ("ts",)),
    "names": Rule("name", _names("ip name first_ts source flow_no frame"), ("first_ts",), ("first_ts",)),
    "stun_messages": Rule("flow", _names(
        "flow_no frame ts source method class transaction_id username realm software mapped relayed peer error_code "
        "attributes"
    ), ("ts",), ("ts",)),
    "media_streams": Rule("flow", _names(
        "flow_no ssrc payload_type up first_ts last_ts first_frame packets bytes kind last_frame lost gaps rtcp "
        "extension_profile turn_channel encapsulation"
    ), ("first_ts", "last_ts"), ("first_ts", "last_ts")),
    "ssh_handshakes": Rule("flow", _names(
        "flow_no client_frame server_frame client_software server_software hassh hassh_server"
    )),
    "app_evidence": Rule("evidence", _names("flow_no app rule_id kind value frame confidence")),
    "messenger_frames": Rule("flow", _names("flow_no frame ts up protocol kind length"), ("ts",), ("ts",)),
    "hosts": Rule("host", _names("ip mac attribute value source frame first_ts last_ts"),
                  ("first_ts", "last_ts"), ("first_ts", "last_ts")),
    "captures": Rule("exhibit", _names(
        "capture_id flow_base sha256 bytes format compression snaplen complete tool_version rules_sha256"
    )),
}  # fmt: skip
"""Evidence tables by name. `captures` always goes along: a row without its exhibit proves nothing."""
ALWAYS: Final = ("captures",)
