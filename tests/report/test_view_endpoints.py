"""The sections on addresses and devices and on what has no label: shown in four languages, whole in the CSV files."""

import csv
import io

import fake_case
import pytest

from wirecover.analysis.device_links import COUNTER as LINK_COUNTER
from wirecover.analysis.device_links import REASONS as LINK_REASONS
from wirecover.analysis.device_links import STRENGTHS as LINK_STRENGTHS
from wirecover.analysis.shared_devices import WARNINGS
from wirecover.analysis.unexplained import LABELLED
from wirecover.analysis.unexplained import REASONS as WHY
from wirecover.report.csv_files import tables
from wirecover.report.document import build, from_json, to_json
from wirecover.report.messages import LANGUAGES, catalogue
from wirecover.report.view_endpoints import (
    ABSENCES,
    ABSENT,
    COUNTER,
    KNOWN,
    REASONS,
    ROWS,
    SIGNS,
    STRENGTHS,
    endpoints_view,
    unexplained_view,
)
from wirecover.report.words import NOTHING, Words

SECOND, START = fake_case.SECOND, fake_case.START
A, B, HOSTILE = "192.0.2.1", "192.0.2.2", "ada\u202e=cmd()"


def case(**own):
    made = fake_case.FakeCase()
    ids = [made.add_exhibit("one.pcap"), made.add_exhibit("two.pcap", first_ts=START + 1)]
    made.own |= {name: [row(name, ids, columns) for columns in rows] for name, rows in own.items()}
    return made


def row(table, ids, columns):
    capture = {"capture_id": ids[columns.pop("at", 0)][0]}
    if table == "endpoints":
        return capture | {
            "endpoint_id": 1, "ip": A, "first_ts": START, "last_ts": START + SECOND, "last_capture_id": ids[0][0],
            "first_frame": 3, "last_frame": 9, "flows": 4, "flows_opened": 3, "peers": 2, "bytes_sent": 100,
            "bytes_received": 50, "links": 0,
        } | columns  # fmt: skip
    if table == "device_links":
        return capture | {
            "link_id": 1, "ip": A, "other_ip": B, "reason": "mac", "strength": "hardware", "value": "02:00:00:00:00:01",
            "source": "arp", "ts": START, "frame": 5, "other_source": "dhcp", "other_ts": START + SECOND,
            "other_capture_id": ids[1][0], "other_frame": 7, "addresses": 2, "counter": [],
        } | columns  # fmt: skip
    if table == "endpoint_warnings":
        return (
            capture
            | {"endpoint_id": 1, "ip": A, "warning": "names-changed", "told": ["ada"], "frame": 5}
            | columns
        )
    return capture | {
        "endpoint_id": 1, "ip": A, "place": 1, "reason": "application", "labelled": True, "flows": 3, "bytes": 700,
        "services": ["tls"], "apps": ["signal"], "first_ts": START, "first_frame": 3, "flow_id": 1,
    } | columns  # fmt: skip


def read(made):
    document = build(made, fake_case.METHODS)
    assert from_json(to_json(document)) == document
    return document


def test_an_address_with_what_was_told_of_it():
    told = {"macs": ["02:00:00:00:00:01"], "names": ["a", "b", "c", "d"], "apps": ["signal"], "links": 2,
            "warnings": ["router", "not-known-yet"], "network": "vxlan 5", "at": 1}  # fmt: skip
    [shown] = endpoints_view(read(case(endpoints=[told])), Words("en"))["rows"]
    assert shown["address"] == f"{A}\nvxlan 5" and shown["frame"] == "E2 3"
    assert shown["told"] == [
        "hardware address: 02:00:00:00:00:01", "name: a, b, c and 1 more", "links to other addresses or times: 2",
        "to be read with care: it is the address of a router or a DHCP server; not-known-yet",
    ]  # fmt: skip
    assert (shown["apps"], shown["flows"], shown["bytes"]) == ("signal", "4", "150")


def test_an_address_of_which_nothing_was_told():
    [shown] = endpoints_view(read(case(endpoints=[{}])), Words("en"))["rows"]
    assert shown["told"] == ["nothing but its traffic"] and shown["apps"] == NOTHING


def test_a_link_says_what_it_is_worth_and_what_speaks_against_it():
    made = case(
        device_links=[
            {"counter": ["together", "router"]},
            {"other_ip": A, "reason": "name", "strength": "name"},
        ]
    )
    second, first = endpoints_view(read(made), Words("en"))["links"]
    assert second[:2] == [A, "the same, in another recording"]
    assert first[2] == "the same hardware address: 02:00:00:00:00:01" and first[4] == "E1 5\nE2 7"
    worth, against = first[3].splitlines()
    assert worth.startswith("It may be one piece of hardware") and against.startswith(
        "Against one device: both IPv4"
    )
    assert "\n" not in second[3]


def test_a_sign_has_its_frames():
    made = case(endpoint_warnings=[{}, {"ip": B, "other_capture_id": 5, "other_frame": 8, "told": []}])
    first, second = endpoints_view(read(made), Words("en"))["signs"]
    assert first == [A, "its device name changed", "ada", "E1 5"]
    assert second[2:] == [NOTHING, "E1 5\ncapture 5 8"]


def test_shares_are_of_the_address_and_the_address_stands_once():
    missing = {"place": 12, "reason": "no-rule", "labelled": False, "flows": 1, "bytes": 300, "apps": []}
    made = case(unexplained=[{}, missing, {"ip": B, "reason": "odd-key", "labelled": False, "bytes": 9000}])
    other, labelled, rest = unexplained_view(read(made), Words("en"))["rows"]
    assert other[:2] == [B, "odd-key (signal)"], "most bytes without a label first"
    assert labelled[0] == A and rest[0] == ""
    assert (labelled[2], labelled[3].startswith("700 (70.0")) == ("3 (75.0\u202f%)", True)
    assert rest[1] == "handshake with a server name that no rule knows (tls)" and rest[4] == "E1 3"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_hostile_text_is_escaped_in_every_language(lang):
    made = case(
        endpoints=[{"names": [HOSTILE], "network": HOSTILE, "identities": [HOSTILE]}],
        device_links=[{"value": HOSTILE, "reason": HOSTILE}],
        endpoint_warnings=[{"told": [HOSTILE], "warning": HOSTILE}],
        unexplained=[{"services": [HOSTILE], "apps": [], "reason": HOSTILE}],
    )  # fmt: skip
    document = read(made)
    shown = str(endpoints_view(document, Words(lang))) + str(unexplained_view(document, Words(lang)))
    assert "\u202e" not in shown and shown.count("202e") >= 7
    for name in ("endpoints", "device_links", "endpoint_warnings", "unexplained"):
        text = tables(document)[name][0].decode("utf-8")
        assert "\u202e" not in text and "202e" in text


def test_more_than_is_printed_is_in_the_files():
    many = [{"ip": f"10.0.{number >> 8}.{number & 255}"} for number in range(ROWS + 1)]
    names = ("endpoints", "device_links", "endpoint_warnings", "unexplained")
    document = read(case(**{name: [dict(one) for one in many] for name in names}))
    part = endpoints_view(document, Words("en"))
    assert len(part["rows"]) == len(part["links"]) == len(part["signs"]) == ROWS
    assert "endpoints.csv" in part["cut"] and "device_links.csv" in part["links_cut"]
    absent = unexplained_view(document, Words("en"))
    assert len(absent["rows"]) == ABSENT and "unexplained.csv" in absent["cut"]
    for name in names:
        data, count = tables(document)[name]
        assert count == ROWS + 1 == len(list(csv.reader(io.StringIO(data.decode("utf-8"))))) - 1


def test_the_words_are_for_the_keys_that_the_detectors_write():
    assert set(REASONS) == set(LINK_REASONS)
    assert (set(STRENGTHS), COUNTER, SIGNS) == (set(LINK_STRENGTHS), tuple(LINK_COUNTER), tuple(WARNINGS))
    assert (*LABELLED, *WHY) == ABSENCES
    for lang in LANGUAGES:
        for table, keys in KNOWN.items():
            assert all(f"{table}.{key}" in catalogue(lang) for key in keys)


def test_the_english_words_are_those_of_the_findings():
    english = catalogue("en")
    assert {key: english[f"link_counter.{key}"] for key in ("together", "router")} == {
        key: LINK_COUNTER[key] for key in ("together", "router")
    }
    assert all(english[f"sign.{key}"] == text for key, text in WARNINGS.items())
    assert "absence of use" in english["absence.note"]
