"""Endpoints: trains of events, and the time in which an address was connected."""

from wirecover.analysis.endpoints import endpoints
from wirecover.analysis.message_events import Parameters, prepare
from wirecover.analysis.pair_test import Design
from wirecover.analysis.sightings import prepare_sightings

SECOND = 1_000_000_000
UP, DOWN = True, False


def found(traffic, *, include_unlabelled=False):
    connection = traffic.connect()
    events = Parameters(include_unlabelled=include_unlabelled)
    table = prepare(connection, events)
    sightings = prepare_sightings(connection, events.clock_tolerance_s)
    return endpoints(connection, table, sightings, events, presence_gap=300 * SECOND)


def test_connected_time_closes_pauses_up_to_the_gap(traffic):
    traffic.flow("10.0.0.1", [(0, UP, 500), (1000, UP, 501)])
    traffic.flow("10.0.0.1", [(1300, UP, 502), (2000, UP, 503)])
    traffic.flow("10.0.0.1", [(2400, UP, 504), (3000, UP, 505)])
    traffic.flow("10.0.0.1", [(9000, UP, 506), (9900, UP, 507)], app="whatsapp")
    traffic.flow("10.0.0.1", [(2100, UP, 508)], transport="udp", service="stun")
    signal, whatsapp = found(traffic)
    assert signal.connected == (
        (traffic.ns(0), traffic.ns(2000) + 1),
        (traffic.ns(2400), traffic.ns(3000) + 1),
    )
    assert whatsapp.connected == ((traffic.ns(9000), traffic.ns(9900) + 1),)


def test_pairs_are_compared_only_while_both_are_connected(traffic):
    traffic.flow("10.0.0.1", [(0, UP, 500), (4000, UP, 501)])
    traffic.flow("10.0.0.2", [(3000, UP, 500), (8000, UP, 501)])
    one, other = found(traffic)
    design = Design(3 * SECOND, 600 * SECOND, 60 * SECOND, 120 * SECOND, 10, 1000)
    blocks = design.blocks_of(one, other)
    assert (blocks[0][0], blocks[-1][1]) == (traffic.ns(3000), traffic.ns(4000) + 1)
    assert len(blocks) == 2
    assert design.blocks_of(other, one) == blocks


def test_trains_hold_message_like_events_of_each_direction_merged_over_flows(traffic):
    traffic.flow("10.0.0.1", [(10, UP, 500), (20, DOWN, 600), (30, UP, 20)])
    traffic.flow("10.0.0.1", [(10.3, UP, 500), (40, UP, 20_000)], client_port=40_001)
    (one,) = found(traffic)
    assert one.up.tolist() == [traffic.ns(10.3), traffic.ns(40)]
    assert one.down.tolist() == [traffic.ns(20)]
    assert one.events == 3


def test_unlabelled_traffic_is_an_application_without_a_name(traffic):
    traffic.flow("10.0.0.1", [(10, UP, 500)], app=None)
    assert found(traffic) == []
    (one,) = found(traffic, include_unlabelled=True)
    assert (one.app, one.address) == ("", "10.0.0.1")
    assert one.connected == ((traffic.ns(10), traffic.ns(10) + 1),)
