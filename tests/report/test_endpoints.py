"""Endpoints, links, signs and what has no label, as they are read from the case."""

import fake_case

from wirecover.report.document import build
from wirecover.report.endpoints import read_endpoints, read_links, read_unexplained, read_warnings
from wirecover.report.model import DeviceLink, Endpoint, EndpointWarning, Unexplained

START, SECOND = fake_case.START, fake_case.SECOND
A, B = "192.0.2.1", "192.0.2.2"


def test_rows_become_records_with_labels_of_exhibits_in_a_fixed_order():
    made = fake_case.FakeCase()
    one, two = made.add_exhibit("one.pcap")[0], made.add_exhibit("two.pcap", first_ts=START + 1)[0]
    seen = {"first_ts": START, "last_ts": START + 1, "flows_opened": 1, "peers": 1, "links": 0}
    sizes = {"flows": 1, "bytes_sent": 10, "bytes_received": 20}
    made.own["endpoints"] = [
        seen | sizes | {"ip": ip, "capture_id": capture, "first_frame": 3, "macs": macs}
        for ip, capture, macs in ((B, two, None), (A, one, ["02:00:00:00:00:01"]))
    ]
    made.own["device_links"] = [
        {"link_id": 1, "ip": A, "other_ip": B, "reason": "mac", "strength": "hardware", "value": "x", "addresses": 2,
         "capture_id": one, "frame": 3, "ts": START + at, "other_capture_id": 5, "other_frame": 4, "other_ts": START,
         "counter": ["router"]}
        for at in (9, 1)
    ]  # fmt: skip
    made.own["endpoint_warnings"] = [
        {
            "ip": A,
            "warning": "router",
            "told": ["dhcp-server"],
            "first_ts": START,
            "capture_id": two,
            "frame": 6,
        }
    ]
    made.own["unexplained"] = [
        {"ip": ip, "place": place, "reason": reason, "labelled": place == 1, "flows": 1, "bytes": size,
         "capture_id": one, "first_frame": 3, "services": None, "apps": ["signal"]}
        for ip, place, reason, size in ((A, 9, "no-rule", 5), (A, 1, "application", 90), (B, 9, "no-rule", 6))
    ]  # fmt: skip
    exhibits = build(made, fake_case.METHODS).exhibits
    connection = made.connect()
    nothing = ((),) * 5
    assert read_endpoints(connection, exhibits) == (
        Endpoint(
            A, None, START, START + 1, 1, 1, 1, 10, 20, ("02:00:00:00:00:01",), (), *nothing, 0, (), "E1", 3
        ),
        Endpoint(B, None, START, START + 1, 1, 1, 1, 10, 20, (), (), *nothing, 0, (), "E2", 3),
    )
    assert read_links(connection, exhibits) == tuple(
        DeviceLink(
            A,
            None,
            B,
            None,
            "mac",
            "hardware",
            "x",
            ("router",),
            2,
            "E1",
            3,
            START + at,
            "capture 5",
            4,
            START,
        )
        for at in (1, 9)
    )
    [sign] = read_warnings(connection, exhibits)
    assert sign == EndpointWarning(A, None, "router", ("dhcp-server",), START, "E2", 6, None, None)
    assert read_unexplained(connection, exhibits) == tuple(
        Unexplained(ip, None, reason, reason == "application", 1, size, (), ("signal",), "E1", 3)
        for ip, reason, size in ((B, "no-rule", 6), (A, "application", 90), (A, "no-rule", 5))
    )
