"""Nothing out of scope gets behind the filter, whatever is in the capture: random networks, random scopes."""

import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from support import conversations as talk
from support import scope_world as sw
from support.traffic import ACK, SECOND, START, Connection, Frame, packet, tcp, udp, write_capture

from wirecover.capture.decode import decode
from wirecover.capture.scope import Scope, Selector

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a world is small, and shrinking it takes minutes
EVERY_KIND = [
    sw.Talk(kind, one, other, second, number)
    for number, (kind, (one, other, second)) in enumerate(
        (kind, ends)
        for kind in sw.KINDS
        for ends in (
            ("10.0.0.2", "192.0.2.10", 1100), ("192.0.2.10", "10.0.0.2", 1100), ("10.0.0.77", "192.0.2.10", 1200),
            ("10.0.0.2", "203.0.113.99", 1300), ("203.0.113.99", "10.0.0.2", 1300),
            ("10.0.0.2", "198.51.100.200", 1400), ("10.0.0.2", "10.9.9.9", 100),
            ("2001:db8::2", "2001:db8:5::1", 1500), ("2001:db8:77::1", "2001:db8:5::1", 1500),
        )
    )
]  # fmt: skip
NOT_ALL = ("lawyer-in-answer", "reverse", "gtp-fragments", "radius-of-third", "radius", "gtpc")
"""Kinds of which a part is left out even where their ends are in scope."""


def worlds() -> st.SearchStrategy[sw.World]:
    return st.builds(
        sw.World, sw.talks(), pseudonymise=st.booleans(), by_name=st.booleans(),
        withheld=st.sets(st.sampled_from(["hosts", "dns_answers", "tls_handshakes.sni", "app_evidence.value"])).map(
            frozenset
        ),
        spans=st.sampled_from([
            (sw.WINDOW,),
            ((START + 1000 * SECOND, START + 1400 * SECOND), (START + 1500 * SECOND, START + 3000 * SECOND)),
        ]),
    )  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(worlds())
@example(sw.World(EVERY_KIND))
@example(sw.World(EVERY_KIND, pseudonymise=True))
@example(sw.World(EVERY_KIND, by_name=False))
def test_nothing_out_of_scope_is_in_any_file(world: sw.World) -> None:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        out.mkdir()
        manifest = decode(world.write(Path(name) / "exhibit.pcapng"), out, world.scope)
        assert sw.leaks(out, world.forbidden() | sw.RECORDER_WORDS) == []
        counted = sum(one.packets for one in manifest.out_of_scope if one.action == "dropped")
        capture = pq.read_table(out / "captures.parquet").to_pylist()[0]
        assert capture["out_of_scope_packets"] == counted
        assert capture["packets"] == sum(len(sw.frames_of(one)) for one in world.talks)
        for entry in world.withheld:
            table, _, column = entry.partition(".")
            rows = pq.read_table(out / f"{table}.parquet")
            assert rows.num_rows == 0 if not column else rows[column].null_count == rows.num_rows


def test_what_is_in_scope_is_kept_as_without_a_scope(tmp_path: Path) -> None:
    """The other half of the property: of a capture that is all in scope, a scope takes nothing away."""
    world = sw.World(EVERY_KIND)
    inside = [one for one in EVERY_KIND if world.allowed(one) and one.kind not in NOT_ALL]
    frames = [frame for one in inside for frame in sw.frames_of(one)]
    path = write_capture(tmp_path / "a.pcap", sorted(frames, key=lambda frame: frame.ts))
    for name, scope in (("open", Scope()), ("scoped", world.scope)):
        tmp_path.joinpath(name).mkdir()
        decode(path, tmp_path / name, scope)
    for table in ("flows", "packets", "tls_handshakes", "stun_messages", "dns_messages", "hosts", "names"):
        one, other = (
            pq.read_table(tmp_path / name / f"{table}.parquet").to_pylist() for name in ("open", "scoped")
        )
        assert one == other, table
        assert one, table


def decoded(tmp_path: Path, frames: list[Frame], scope: Scope, name: str = "a.pcap") -> dict[str, list]:
    out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
    out.mkdir()
    decode(write_capture(tmp_path / name, frames), out, scope)
    return {path.stem: pq.read_table(path).to_pylist() for path in out.glob("*.parquet")}


def line(client: str, server: str, ts: int = START, port: int = 40000) -> list[Frame]:
    return talk.tls_13(Connection(client, server, port, 443, ts=ts), b"www.example").frames


def reasons(found: dict[str, list]) -> dict[tuple[str, str], int]:
    return {(row["reason"], row["action"]): row["packets"] for row in found["out_of_scope"]}


def test_each_packet_is_counted_once_under_the_first_reason(tmp_path: Path) -> None:
    early = line("10.0.0.9", "203.0.113.99", START)
    lawyer = line("10.0.0.2", "203.0.113.99", START + 100 * SECOND)
    third = line("10.0.0.9", "192.0.2.1", START + 100 * SECOND)
    late = line("10.0.0.2", "192.0.2.2", START + 200 * SECOND)
    kept = line("10.0.0.2", "192.0.2.1", START + 100 * SECOND, 40001)
    strange = [Frame(bytes(12) + b"\x88\xcc" + bytes(40), START + 100 * SECOND)]
    scope = Scope(
        spans=((START + 50 * SECOND, None),),
        targets=(Selector("network", "10.0.0.2", spans=((None, START + 150 * SECOND),)),),
        excluded=(Selector("network", "203.0.113.0/24"),),
    )  # fmt: skip
    found = decoded(tmp_path, [*early, *lawyer, *third, *kept, *strange, *late], scope)
    assert reasons(found) == {
        ("time", "dropped"): len(early), ("excluded", "dropped"): len(lawyer),
        ("third-party", "dropped"): len(third), ("target-time", "dropped"): len(late),
        ("no-address", "dropped"): 1,
    }  # fmt: skip
    assert [(row["client_ip"], row["server_ip"]) for row in found["flows"]] == [("10.0.0.2", "192.0.2.1")]


def test_renewals_are_several_times_and_their_ends_are_inside(tmp_path: Path) -> None:
    frames = [Frame(packet("10.0.0.2", "192.0.2.1", 17, udp(1, 2, b"x")), START + at) for at in range(10)]
    found = decoded(tmp_path, frames, Scope(spans=((START + 1, START + 2), (START + 5, START + 7))))
    assert [row["frame"] for row in found["packets"]] == [2, 3, 6, 7, 8]


def test_both_directions_of_a_target_are_kept(tmp_path: Path) -> None:
    found = decoded(
        tmp_path, line("192.0.2.1", "10.0.0.2"), Scope(targets=(Selector("network", "10.0.0.0/30"),))
    )
    [flow] = found["flows"]
    assert flow["packets_up"] > 0 and flow["packets_down"] > 0 and not found["out_of_scope"]


def tunnel(inner: bytes, outer: tuple[str, str], teid: int) -> bytes:
    head = bytes((0x30, 0xFF)) + len(inner).to_bytes(2, "big") + teid.to_bytes(4, "big")
    return packet(*outer, 17, udp(2152, 2152, head + inner))


@pytest.mark.parametrize(
    ("selector", "kept"),
    [
        (Selector("network", "10.1.1.1"), True), (Selector("network", "10.1.1.1", "outer"), False),
        (Selector("network", "172.16.0.1", "outer"), True), (Selector("network", "172.16.0.1"), False),
        (Selector("network", "172.16.0.1", "any"), True), (Selector("teid", "77"), True),
        (Selector("teid", "78"), False),
        (Selector("mac", "01:01:01:01:01:01"), True), (Selector("mac", "02:02:02:02:02:02"), True),
        (Selector("mac", "02:02:02:02:02:03"), False), (Selector("recording", "LIID-7"), True),
        (Selector("recording", "LIID"), False),
    ],
)  # fmt: skip
def test_a_target_is_held_at_the_layer_that_is_stated(tmp_path: Path, selector: Selector, kept: bool) -> None:
    inner = packet("10.1.1.1", "192.0.2.1", 6, tcp(1000, 443, 1, 1, ACK, b"x"))[14:]
    frame = Frame(tunnel(inner, ("172.16.0.1", "172.16.0.2"), 77))
    found = decoded(tmp_path, [frame], Scope(targets=(selector,)), "openli_LIID-7_1700000000.pcap")
    assert len(found["flows"]) == kept


def test_an_exclusion_is_held_against_every_layer(tmp_path: Path) -> None:
    inner = packet("10.1.1.1", "192.0.2.1", 6, tcp(1000, 443, 1, 1, ACK, b"x"))[14:]
    for network in ("10.1.1.1", "192.0.2.0/24", "172.16.0.2"):
        found = decoded(
            tmp_path, [Frame(tunnel(inner, ("172.16.0.1", "172.16.0.2"), 77))],
            Scope(excluded=(Selector("network", network),)),
        )  # fmt: skip
        assert not found["flows"] and reasons(found) == {("excluded", "dropped"): 1}


# ---- layers between the outermost and the innermost IP header ------------------------------------------------

MIDDLES = ("172.20.0.1", "172.20.0.2")
WAYS = ("gtp", "ipip", "gre", "vxlan", "erspan-like")
INNERMOST = packet("10.0.0.2", "192.0.2.10", 6, tcp(46000, 443, 1, 1, ACK, b"x"))


def wrapped(way: str, frame: bytes, ends: tuple[str, str]) -> bytes:
    """The frame in one tunnel more."""
    if way == "gtp":
        return tunnel(frame[14:], ends, 77)
    if way == "ipip":
        return packet(*ends, 4, frame[14:])
    if way == "gre":
        return packet(*ends, 47, b"\0\0\x08\0" + frame[14:])
    if way == "vxlan":
        return packet(*ends, 17, udp(50000, 4789, b"\x08\0\0\0\0\0\x07\0" + frame))
    return packet(*ends, 47, b"\0\0\x65\x58" + frame)  # transparent Ethernet bridging


def tagged(frame: bytes, ends: tuple[str, str]) -> bytes:
    """The frame with hardware addresses of its own."""
    return bytes.fromhex((ends[1] + ends[0]).replace(":", "")) + frame[12:]


@st.composite
def nests(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]], list[tuple[str, str]]]:
    """(a frame in one to four tunnels, the addresses of each IP header, the hardware addresses of each frame)."""
    frame, ends, macs = INNERMOST, [("10.0.0.2", "192.0.2.10")], []
    for depth, way in enumerate(draw(st.lists(st.sampled_from(WAYS), min_size=1, max_size=4))):
        if way in ("vxlan", "erspan-like"):
            macs.append((f"02:0a:0{depth}:00:00:01", f"02:0a:0{depth}:00:00:02"))
            frame = tagged(frame, macs[-1])
        ends.append((f"172.{16 + depth}.0.1", f"172.{16 + depth}.0.2"))
        frame = wrapped(way, frame, ends[-1])
    macs.append(("02:0b:00:00:00:01", "02:0b:00:00:00:02"))
    return tagged(frame, macs[-1]), ends, macs


@settings(max_examples=30, deadline=None, phases=PHASES)
@given(nests(), st.data())
def test_an_exclusion_is_held_at_any_depth(
    made: tuple[bytes, list[tuple[str, str]], list[tuple[str, str]]], data: st.DataObject
) -> None:
    frame, ends, macs = made
    kind, layers = data.draw(st.sampled_from([("network", ends), ("mac", macs)]))
    value = data.draw(st.sampled_from([end for pair in layers for end in pair]))
    frames = [Frame(frame, START), Frame(INNERMOST, START + SECOND)]
    with tempfile.TemporaryDirectory() as name:
        found = decoded(Path(name), frames, Scope(excluded=(Selector(kind, value),)))
        innermost = value in ends[0]
        assert reasons(found) == {("excluded", "dropped"): 2 if innermost else 1}
        assert sw.leaks(Path(name) / "out0", {value}) == [] and (Path(name) / "out0").is_dir()
        if not innermost:
            [flow] = found["flows"]
            assert flow["packets_up"] + flow["packets_down"] == 1
        assert found["tunnels"] == []
        kept = decoded(Path(name), frames, Scope(excluded=(Selector("network", "203.0.113.7"),)), "b.pcap")
        assert reasons(kept) == {} and kept["tunnels"], "nothing else is left out"


@settings(max_examples=25, deadline=None, phases=PHASES)
@given(nests(), st.data(), st.integers(1, 6))
def test_an_exclusion_is_held_at_any_depth_of_a_datagram_in_fragments(
    made: tuple[bytes, list[tuple[str, str]], list[tuple[str, str]]], data: st.DataObject, cut: int
) -> None:
    """Only the datagram that was put together shows the layers in it."""
    frame, ends, macs = made
    body, at = frame[34:], 8 * cut
    if at >= len(body):
        return
    outer = ends[-1]
    protocol = frame[23]
    parts = [packet(*outer, protocol, body[:at], ident=7, fragment=0x2000),
             packet(*outer, protocol, body[at:], ident=7, fragment=cut)]  # fmt: skip
    frames = [Frame(tagged(part, macs[-1]), START + n) for n, part in enumerate(parts)]
    kind, layers = data.draw(st.sampled_from([("network", ends), ("mac", macs)]))
    value = data.draw(st.sampled_from([end for pair in layers for end in pair]))
    with tempfile.TemporaryDirectory() as name:
        found = decoded(Path(name), frames, Scope(excluded=(Selector(kind, value),)))
        assert sw.leaks(Path(name) / "out0", {value, "46000"}) == [] and (Path(name) / "out0").is_dir()
        assert reasons(found).get(("excluded", "dropped"), 0) >= 1


@pytest.mark.parametrize("later", [0, 61 * SECOND])
def test_the_first_fragment_of_someone_excluded_is_not_read_later(tmp_path: Path, later: int) -> None:
    """Its datagram is never completed, and given up when only its own addresses are at hand."""
    ask = udp(5353, 53, (asked := talk.dns_query(1, "mkfirst.example")) + bytes(40 - len(asked) % 8))
    first = packet("10.0.0.2", "192.0.2.10", 17, ask, fragment=0x2000)
    same_flow = Frame(
        packet("10.0.0.2", "192.0.2.10", 17, udp(5353, 53, talk.dns_query(2, "a.example"))), START
    )
    other = packet("10.0.0.2", "192.0.2.77", 17, b"x" * 64, ident=9, fragment=0x2000)
    frames = [
        same_flow,
        Frame(tagged(first, ("02:0b:00:00:00:01", "02:0b:00:00:00:02")), START),
        Frame(other, START + later),
    ]
    found = decoded(tmp_path, frames, Scope())
    assert "mkfirst.example" in [row["query_name"] for row in found["dns_messages"]]
    found = decoded(tmp_path, frames, Scope(excluded=(Selector("mac", "02:0b:00:00:00:01"),)), "b.pcap")
    assert len(found["dns_messages"]) == 1 and "mkfirst" not in str(found)


def test_a_protected_name_s_pair_is_found_inside_tunnels(tmp_path: Path) -> None:
    """A flow shows the name; another one of the same ends runs around a tunnel of others."""
    shown = talk.tls_13(
        Connection("172.16.0.1", "172.16.0.2", 40000, 443, ts=START), sw.LAWYER_NAME.encode()
    ).frames
    inside = Frame(
        wrapped("gre", packet("172.16.0.1", "172.16.0.2", 4, INNERMOST[14:]), MIDDLES), START + SECOND
    )
    found = decoded(tmp_path, [*shown, inside], Scope(excluded_names=(sw.LAWYER_NAME,)))
    assert found["flows"] == [] and reasons(found) == {("excluded-name", "dropped"): len(shown) + 1}


@pytest.mark.parametrize(("teid", "kept"), [("77", 1), ("78", 0)])
def test_a_tunnel_number_is_a_target_s_at_any_depth(tmp_path: Path, teid: str, kept: int) -> None:
    frame = wrapped("ipip", tunnel(INNERMOST[14:], MIDDLES, 77), ("172.16.0.1", "172.16.0.2"))
    found = decoded(tmp_path, [Frame(frame)], Scope(targets=(Selector("teid", teid),)))
    assert len(found["flows"]) == kept


def test_a_tunnel_in_fragments_is_judged_by_what_it_holds(tmp_path: Path) -> None:
    """The first fragment ends before the inner header: only put together they show whose packet it is."""
    talks = [sw.Talk("gtp-fragments", "10.0.0.2", other, 1100, number)
             for number, other in enumerate(("192.0.2.10", sw.LAWYER))]  # fmt: skip
    talks.append(sw.Talk("gtp-fragments", "10.9.9.9", "192.0.2.10", 1100, 2))
    frames = [frame for one in talks for frame in sw.frames_of(one)]
    for scope in (sw.World([]).scope, Scope(excluded=(Selector("network", sw.LAWYER),))):
        found = decoded(tmp_path, frames, scope)
        ends = {(row["client_ip"], row["server_ip"]) for row in found["flows"]}
        assert ("10.0.0.2", "192.0.2.10") in ends and not any(sw.LAWYER in pair for pair in ends)
        assert (("10.9.9.9", "192.0.2.10") in ends) is (scope.targets is None)
        assert found["tls_handshakes"][0]["sni"] == "mk000zq.example"
        assert "mk001zq" not in str(found)


def test_third_parties_under_pseudonyms_have_sizes_and_times_only(tmp_path: Path) -> None:
    frames = [*line("10.0.0.9", "192.0.2.1"), *line("192.0.2.1", "10.0.0.8", port=50000)]
    frames += talk.dns_lookup("secret.example", "alias.example", bytes((1, 2, 3, 4)), START + SECOND)
    icmp = Frame(packet("10.0.0.9", "192.0.2.1", 1, b"\x08\0\0\0" + bytes(20)), START + 2 * SECOND)
    scope = Scope(targets=(Selector("network", "10.0.0.99"),), others="pseudonymise", key=b"k" * 32)
    found = decoded(tmp_path, [*frames, icmp], scope)
    assert reasons(found) == {("third-party", "pseudonymised"): len(frames), ("third-party", "dropped"): 1}
    ends = [(row["client_ip"], row["server_ip"]) for row in found["flows"]]
    assert len(ends) == 3 and all(ip.startswith("100::") for pair in ends for ip in pair)
    assert ends[0][1] == ends[1][0], "one address has one pseudonym"
    assert sum(row["payload_bytes"] for row in found["packets"]) > 0
    for table in ("tls_handshakes", "dns_messages", "names", "hosts", "app_evidence", "stun_messages"):
        assert found[table] == [], table
    other = decoded(
        tmp_path, [*frames, icmp], Scope(targets=scope.targets, others="pseudonymise", key=b"l" * 32)
    )
    assert {row["client_ip"] for row in other["flows"]}.isdisjoint(ip for pair in ends for ip in pair)


def test_pseudonyms_need_a_key() -> None:
    with pytest.raises(ValueError, match="key"):
        Scope(others="pseudonymise", key=b"short")


def test_the_digest_tells_scopes_apart_and_no_key(tmp_path: Path) -> None:
    scopes = [
        Scope(), Scope(spans=((1, 2),)), Scope(targets=()), Scope(targets=(Selector("network", "10.0.0.1"),)),
        Scope(targets=(Selector("network", "10.0.0.1", "outer"),)), Scope(excluded_names=("abcd",)),
        Scope(others="pseudonymise", key=b"k" * 32), Scope(others="pseudonymise", key=b"l" * 32),
        Scope(withheld=frozenset({"hosts"})),
    ]  # fmt: skip
    assert len({scope.digest() for scope in scopes}) == len(scopes)
    assert "6b6b6b6b" not in repr(scopes[6]) and "kkkk" not in repr(scopes[6])


def test_no_target_keeps_nobody(tmp_path: Path) -> None:
    found = decoded(tmp_path, line("10.0.0.9", "192.0.2.1"), Scope(targets=()))
    assert found["flows"] == [] and found["captures"][0]["first_ts"] is None
