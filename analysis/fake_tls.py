"""Connections that begin like TLS 1.3 and are not: no Finished message where the protocol demands one.

After the server's flight the client's first encrypted record holds its Finished message and nothing else (RFC 8446
sections 4.4.4 and 5.1: handshake messages and application data do not share a record), so its length is fixed by the
hash of the cipher suite: 4 + 32 + 1 + 16 = 53 bytes with SHA-256, 69 with SHA-384, eight less with CCM_8. Proxies for
Telegram ("fake TLS") copy the hellos and then send data at once.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import duckdb

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import rows
from wirecover.analysis.findings import counted, parameters_json, result, utc_text
from wirecover.analysis.sightings import check_tolerance, prepare_sightings
from wirecover.capture.apps.matcher import load_rules

FINISHED: Final = {
    "TLS_AES_128_GCM_SHA256": 53, "TLS_AES_256_GCM_SHA384": 69, "TLS_CHACHA20_POLY1305_SHA256": 53,
    "TLS_AES_128_CCM_SHA256": 53, "TLS_AES_128_CCM_8_SHA256": 45,
}  # fmt: skip
"""Length of the record with the client's Finished message."""
PLAIN_SERVER_HELLO: Final = "eb1d94daa7e0344597e756a1fb6e7054"
"""JA3S of a ServerHello with TLS_AES_128_GCM_SHA256 and the extensions key_share, supported_versions in this order."""
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class Parameters:
    """Least number of further reasons beside the missing Finished message."""

    further_reasons: int = 1
    clock_tolerance_s: float = 2.0
    """Clocks of exhibits that recorded the same conversation differ by at most so much."""

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        check_tolerance(self.clock_tolerance_s)
        if not 0 <= self.further_reasons <= 3:
            raise AnalysisError("further_reasons must lie between 0 and 3")


_QUERY = """
WITH hellos AS (
    SELECT t.flow_id, f.capture_id, f.client_ip, f.server_ip, f.server_port, t.sni, t.ja4, t.ja3s, t.cipher,
           t.client_frame, epoch_ns(t.client_ts) AS at
    FROM tls_handshakes t JOIN flow_sightings f USING (flow_id)
    WHERE f.counted AND t.carrier = 'tcp' AND t.version = 'TLS 1.3' AND t.client_frame IS NOT NULL
      AND t.server_frame IS NOT NULL AND f.syn_seen AND coalesce(f.missing_bytes, 0) = 0
      AND NOT coalesce(t.early_data, false) AND t.cipher IN (SELECT unnest($ciphers::VARCHAR[]))
), records AS (
    SELECT p.flow_id, p.frame, generate_subscripts(p.record_types, 1) AS place, unnest(p.record_types) AS kind,
           unnest(p.record_bytes) AS length
    FROM packets p JOIN hellos h USING (flow_id) WHERE p.up AND p.record_types IS NOT NULL
), firsts AS (
    SELECT flow_id, arg_min(length, (frame, place)) FILTER (kind = 22) AS hello
    FROM records GROUP BY flow_id
), data AS (
    SELECT flow_id, length, frame, row_number() OVER (PARTITION BY flow_id ORDER BY frame, place) AS nth
    FROM records WHERE kind = 23
)
SELECT h.*, r.hello, list(d.length ORDER BY d.nth), min(d.frame)
FROM hellos h JOIN firsts r USING (flow_id) JOIN data d ON d.flow_id = h.flow_id AND d.nth <= 3
GROUP BY ALL ORDER BY h.at, h.capture_id, h.client_frame, h.flow_id
"""


class FakeTls:
    """Detector: TLS 1.3 that cannot be TLS."""

    name: ClassVar[str] = "fake_tls"
    version: ClassVar[str] = "1"
    question: ClassVar[str] = (
        "Which connections begin like TLS 1.3 but lack the Finished message that TLS 1.3 demands?"
    )
    method: ClassVar[str] = (
        "Of each TLS 1.3 connection over TCP that was recorded whole from its SYN on, without early data, the lengths "
        "of the client's first three encrypted records are compared with the one length that its Finished message can "
        "have (53 bytes with SHA-256, 69 with SHA-384, 45 with CCM_8). Where none fits and the first has 64 bytes or "
        "more, the message is missing. Further reasons are counted: a ClientHello of 517 bytes, the ClientHello of "
        "Telegram's own template at that time, a ServerHello with nothing but key_share and supported_versions in "
        "this order. With at least one of these in most of the connections of one address to one server these "
        "make an assessment. On 110 ordinary TLS 1.3 connections of public test captures the message was "
        "missing in none (95 % interval 0 to 3.3 %); no capture of fake TLS was at hand, so how many are found is not "
        "known."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        "Which application it is: other circumvention tools copy TLS, too.",
        "What is carried, or to whom: the server is a proxy.",
        (
            "That it is no TLS with a client certificate whose messages share one record with the Finished message, "
            "nor TLS with padded records: both are rare and would look the same."
        ),
        "Connections whose beginning is not in the capture, or with bytes missing.",
        "Fake TLS that sends a record of the right length first.",
    )
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """One assessment for each address and server."""
        parameters.check()
        sightings = prepare_sightings(connection, parameters.clock_tolerance_s)
        tested = rows(connection, sightings.into(_QUERY), {"ciphers": list(FINISHED)})
        pairs: dict[tuple[str, str, int], list[Any]] = {}
        for row in tested:
            pairs.setdefault((row[2], row[3], row[4]), []).append(row)
        text = parameters_json(parameters)
        found = [
            finding
            for pair, of_pair in sorted(pairs.items())
            if (finding := _judge(pair, of_pair, parameters, text)) is not None
        ]
        notes = (f"{counted(len(tested), 'TLS 1.3 connection')} recorded whole from its SYN on were tested.",)
        return result(found, notes=notes)


def _reasons(row: Any) -> tuple[str, ...]:
    """Why one connection is no TLS; empty when its Finished message may be there."""
    _, _, _, _, _, _, ja4, ja3s, cipher, _, at, hello, lengths, _ = row
    if FINISHED[cipher] in lengths or lengths[0] < 64:
        return ()
    found = ["no Finished message"]
    if hello == 512:
        found.append("ClientHello of 517 bytes")
    if any(one.kinds == ("ja4",) and ja4 in one.values and one.valid_from <= at < one.valid_to
           for one in load_rules().apps["telegram"].evidence):  # fmt: skip
        found.append("ClientHello of Telegram's template")
    if ja3s == PLAIN_SERVER_HELLO:
        found.append("ServerHello with two extensions only")
    return tuple(found)


def _judge(
    pair: tuple[str, str, int], of_pair: list[Any], parameters: Parameters, text: str
) -> Finding | None:
    client, server, port = pair
    judged = [(row, reasons) for row in of_pair if len(reasons := _reasons(row)) > parameters.further_reasons]
    if not judged or 2 * len(judged) <= len(of_pair):
        return None
    counts: dict[str, int] = {}
    for _, reasons in judged:
        for reason in reasons:
            counts[reason] = counts.get(reason, 0) + 1
    first, last = judged[0][0][10], judged[-1][0][10]
    names = sorted({row[5] for row, _ in judged if row[5]})
    listed = "; ".join(
        f"{reason} ({number:,})"
        for reason, number in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    )
    statement = (
        f"{counted(len(judged), 'connection')} of {len(of_pair):,} that address {client} made to {server} port {port} "
        f"between {utc_text(first)} and {utc_text(last)} began like TLS 1.3"
        f"{' for ' + ', '.join(names[:3]) if names else ''} and cannot be it, by these signs (connections): {listed}."
    )
    frames = [
        ref
        for row, _ in judged[:_LISTED]
        for ref in (
            FrameRef(row[1], row[9], row[0], "ClientHello"),
            FrameRef(row[1], row[13], row[0], "first encrypted record of the client"),
        )
    ]
    return Finding(
        pattern=FakeTls.name, version=FakeTls.version, kind="assessment", statement=statement, parameters=text,
        first_ns=first, last_ns=last, subject=client, object=server, score=len(judged) / len(of_pair),
        key=str(port),
        details={
            "connections": len(judged), "tested": len(of_pair), "reasons": counts, "names": names, "port": port,
            "first_record_lengths": sorted({row[12][0] for row, _ in judged}),
            "connections_with_frames": min(len(judged), _LISTED),
        },
        frames=tuple(frames), capture_ids=tuple(sorted({row[1] for row, _ in judged})),
    )  # fmt: skip
