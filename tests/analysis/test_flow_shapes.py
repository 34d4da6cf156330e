"""Shapes of flows of a case: only for applications that something else points to, at the time of the rule."""

import pytest

from wirecover.analysis.flow_shapes import flow_shapes
from wirecover.analysis.label_explained import explain
from wirecover.capture.apps.loader import load_rules

UP, DOWN = True, False
NOW = 1_780_000_000 * 10**9


@pytest.fixture
def beating(traffic):
    """A connection with an echo of 34 bytes every 60 s, and some talk."""
    echoes = [(60.0 * turn + 0.01 * (turn % 3), UP, 34) for turn in range(1, 12)]
    flow = traffic.flow(
        "10.0.0.1", [*echoes, (100.0, UP, 300), (400.5, DOWN, 210)], app="threema", service=None, server_port=5222,
    )  # fmt: skip
    return traffic.connect(), flow


def test_the_shape_of_the_application_something_points_to(beating):
    connection, flow = beating
    [found] = flow_shapes(connection, flow, load_rules(), {"threema", "signal", "nobody"}, NOW)
    assert (found.rule.id, found.kind, found.frame) == ("threema-heartbeat", "timing", 1)
    assert found.value == "up 60000ms +-2000ms 34-34B: 10 of 10 intervals"
    assert flow_shapes(connection, flow, load_rules(), {"whatsapp"}, NOW) == ()
    assert flow_shapes(connection, flow, load_rules(), set(), NOW) == ()


def test_records_of_one_length(traffic):
    # the builder makes records of 5 bytes less than their packet
    packets = [(float(turn), turn % 2 == 0, 16_406, [23]) for turn in range(30)]
    flow = traffic.flow("10.0.0.1", packets, app="simplex")
    download = traffic.flow(
        "10.0.0.1", [(50.0 + turn, DOWN, 16_406, [23]) for turn in range(30)], app="simplex"
    )
    connection = traffic.connect()
    [found] = flow_shapes(connection, flow, load_rules(), {"simplex"}, NOW)
    assert (found.rule.id, found.value) == ("simplex-blocks", "16401B: 30 of 30 records")
    assert flow_shapes(connection, download, load_rules(), {"simplex"}, NOW) == ()


def test_an_explanation_names_it(traffic, monkeypatch):
    echoes = [(60.0 * turn, UP, 34) for turn in range(1, 9)]
    flow = traffic.flow(
        "10.0.0.1",
        echoes,
        app=None,
        app_confidence=None,
        service=None,
        server="185.88.236.5",
        server_port=5222,
    )
    connection = traffic.connect()
    connection.execute("ALTER TABLE captures ADD COLUMN IF NOT EXISTS rules_sha256 VARCHAR")
    found = explain(connection, flow, load_rules())
    shapes = [one for one in found.reasons if one.role == "shape"]
    assert [(one.rule_id, one.frame, one.confidence) for one in shapes] == [("threema-heartbeat", 1, 20)]
    assert found.label is None  # a port, an address range and a heartbeat make no label
    assert shapes[0].source.startswith("https://")
