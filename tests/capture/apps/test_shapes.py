"""Shapes of flows: what is well-formed, what fits, what does not, and that no rule of a shape can make a label."""

import copy
import tomllib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.capture.apps.loader import RULES, load_rules, parse_rules
from wirecover.capture.apps.shapes import SHAPE_KINDS, Heartbeat, Payload, RecordLength, parse_shape
from wirecover.capture.errors import RuleError

MS = 1_000_000
SHIPPED = [
    pytest.param(kind, value, id=row.id)
    for app in load_rules().apps.values()
    for row in app.evidence
    for kind in row.kinds
    if kind in SHAPE_KINDS
    for value in row.values
]


def beating(shape: Heartbeat, period: int, count: int = 20, size: int | None = None) -> list[Payload]:
    size = shape.least if size is None else size
    return [Payload(turn * period, turn + 1, shape.up, size) for turn in range(count)]


def records(up: bool, lengths: list[int], kind: int = 23) -> list[Payload]:
    return [Payload(at, at + 1, up, one + 5, ((one, kind),)) for at, one in enumerate(lengths)]


@pytest.mark.parametrize(("kind", "value"), SHIPPED)
def test_each_shipped_rule_fits_what_it_says_and_nothing_beside_it(kind, value):
    shape = parse_shape(kind, value)
    if isinstance(shape, Heartbeat):
        for period in (shape.period - shape.tolerance, shape.period, shape.period + shape.tolerance):
            assert shape.fit(beating(shape, period))
        for period in (
            shape.period - shape.tolerance - 1,
            shape.period + shape.tolerance + 1,
            shape.period * 2,
        ):
            assert shape.fit(beating(shape, period)) is None
        assert shape.fit(beating(shape, shape.period, size=shape.most + 1)) is None
        assert shape.fit(beating(shape, shape.period, size=shape.least - 1)) is None
    else:
        assert isinstance(shape, RecordLength)
        one = [shape.length] * 9
        assert shape.fit(records(True, one) + records(False, one))
        assert shape.fit(records(True, [40] * 9) + records(False, one)) is None  # a download
        assert shape.fit(records(True, [shape.length - 1] * 9) + records(False, one)) is None


def test_no_shape_is_in_the_index_of_the_matcher():
    """Labels are given at ingest, where no shape is known: a flow named like one has no label either."""
    for app in load_rules().apps.values():
        for row in app.evidence:
            if set(row.kinds) & SHAPE_KINDS:
                assert not row.alone and not row.needs and row.confidence <= 20


BEAT = Heartbeat(True, 60_000 * MS, 2_000 * MS, 34, 34)


def test_messages_between_the_beats_do_not_hide_it():
    talk = [Payload(turn * 7_777 * MS, 100 + turn, True, 200 + turn) for turn in range(90)]
    fit = BEAT.fit(sorted(beating(BEAT, BEAT.period) + talk))
    assert fit == (19, 19, 1)


def test_five_beats_are_too_few():
    assert BEAT.fit(beating(BEAT, BEAT.period, 5)) is None
    assert BEAT.fit(beating(BEAT, BEAT.period, 6)) == (5, 5, 1)


def test_the_other_direction_is_another_heartbeat():
    down = [one._replace(up=False) for one in beating(BEAT, BEAT.period)]
    assert BEAT.fit(down) is None


def test_people_keep_no_time():
    random, at, payloads = Random(3), 0, []
    for turn in range(200):
        at += int(random.lognormvariate(3.6, 1) * 1e9)
        payloads.append(Payload(at, turn + 1, True, 34))
    assert BEAT.fit(payloads) is None


def test_records_of_both_directions():
    shape = RecordLength(16401)
    ends = records(True, [53]) + records(False, [16401] * 20) + records(True, [16401] * 10)
    assert shape.fit(ends) == (30, 31, 1)
    assert shape.fit(records(True, [16401] * 7) + records(False, [16401] * 20)) is None
    assert shape.fit(records(True, [16401] * 20, kind=22) + records(False, [16401] * 20)) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("timing", ""), ("timing", "up 60 s"), ("timing", "up 60000ms +-2000ms 35-34B"),
        ("timing", "up 60000ms +-16000ms 34-34B"), ("timing", "up 0ms +-0ms 34-34B"), ("timing", "both 9ms +-1ms 1-2B"),
        ("timing", "up 60000ms +-2000ms 0-34B"), ("timing", "up 999999999ms +-2000ms 1-34B"),
        ("records", "0B"), ("records", "16401"), ("records", "123456B"), ("records", "-5B"),
    ],
)  # fmt: skip
def test_what_is_not_well_formed(kind, value):
    assert parse_shape(kind, value) is None


@given(st.sampled_from(sorted(SHAPE_KINDS)), st.text(max_size=40))
def test_any_text(kind, value):
    parse_shape(kind, value)


PAYLOADS = st.lists(
    st.builds(
        Payload, st.integers(-(1 << 63), (1 << 63) - 1), st.integers(1, 9), st.booleans(), st.integers(0, 1 << 31),
        st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=3).map(tuple),
    ), max_size=30,
)  # fmt: skip


@given(PAYLOADS)
def test_any_times_and_sizes(payloads):
    for shape in (BEAT, RecordLength(100)):
        fit = shape.fit(payloads)
        assert fit is None or 0 < fit.agreeing <= fit.total


@pytest.mark.parametrize(
    "change", [{"alone": True}, {"confidence": 21}, {"needs": ["threema-ports"]}, {"kind": ["timing", "port"]},
               {"values": ["tcp/443"]}],
)  # fmt: skip
def test_a_rule_of_a_shape_that_claims_more_is_refused(change):
    document = tomllib.loads((RULES / "threema.toml").read_text(encoding="utf-8"))
    changed = copy.deepcopy(document)
    (row,) = [one for one in changed["evidence"] if one["id"] == "threema-heartbeat"]
    parse_rules(changed, "threema.toml")
    row.update(change)
    with pytest.raises(RuleError, match="threema-heartbeat"):
        parse_rules(changed, "threema.toml")
