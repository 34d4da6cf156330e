"""Session descriptions: where media goes, and nothing that was not asked for."""

from dataclasses import astuple

from hypothesis import given
from hypothesis import strategies as st

from wirecover.capture.protocols.sdp import MAX_CANDIDATES, MAX_MEDIA, parse_sdp

# RFC 8866 section 5 gives the form; this one adds ICE (RFC 8839), DTLS (RFC 8122) and a key that must not leave.
BODY = b"""v=0\r
o=alice 2890844526 2890844526 IN IP4 198.51.100.1\r
s=TOP SECRET SUBJECT\r
i=TOP SECRET TEXT\r
c=IN IP4 198.51.100.1\r
k=clear:KEYKEYKEY\r
t=0 0\r
a=fingerprint:sha-256 AB:CD\r
m=audio 49170 RTP/SAVPF 111 0\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEYKEYKEY\r
a=ice-ufrag:Yx8t\r
a=ice-pwd:KEYKEYKEY\r
a=candidate:1 1 UDP 2130706431 10.0.0.7 49170 typ host\r
a=candidate:2 1 UDP 1694498815 2001:db8::7 49171 typ srflx raddr 10.0.0.7 rport 49170\r
a=sendonly\r
m=video 0/2 RTP/AVP 31\r
c=IN IP6 2001:db8::1/127\r
m=bad\r
m=audio 99999 RTP/AVP 0\r
m=audio 0000000000000000009 RTP/AVP 0\r
"""


def test_addresses_ports_and_candidates() -> None:
    audio, video = parse_sdp(BODY)
    assert (audio.kind, audio.ip, audio.port, audio.protocol) == ("audio", "198.51.100.1", 49170, "RTP/SAVPF")
    assert (audio.formats, audio.direction, audio.ice_ufrag) == (("111", "0"), "sendonly", "Yx8t")
    assert audio.candidates == ("10.0.0.7:49170 host udp", "[2001:db8::7]:49171 srflx udp")
    assert audio.fingerprint == video.fingerprint == "sha-256 AB:CD"
    assert (video.kind, video.ip, video.port, video.direction) == ("video", "2001:db8::1", 0, None)


def test_keys_and_texts_do_not_leave_the_parser() -> None:
    told = repr([astuple(one) for one in parse_sdp(BODY)])
    assert "KEY" not in told
    assert "SECRET" not in told


def test_it_is_bounded() -> None:
    assert len(parse_sdp(b"m=audio 1 RTP/AVP 0\n" * 999)) == MAX_MEDIA
    many = b"m=audio 1 RTP/AVP 0\n" + b"a=candidate:1 1 UDP 1 10.0.0.7 9 typ host\n" * 300
    assert len(parse_sdp(many)[0].candidates) == MAX_CANDIDATES


@given(st.binary(max_size=300), st.sampled_from([b"", BODY[:200], b"m=audio 1 RTP/AVP 0\n", b"a=candidate:"]))
def test_anything_may_come(tail: bytes, head: bytes) -> None:
    for cut in (0, len(tail) // 2, len(tail)):
        assert all(0 <= one.port <= 65535 for one in parse_sdp(head + tail[:cut]))
