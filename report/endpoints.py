"""Addresses with what is told of them, links between them, signs that they are shared, and what has no label."""

from collections.abc import Mapping
from typing import Final

import duckdb

from wirecover.report.findings import label_of
from wirecover.report.model import DeviceLink, Endpoint, EndpointWarning, Exhibit, Unexplained

_ENDPOINTS: Final = """
    SELECT ip, network, epoch_ns(first_ts), epoch_ns(last_ts), flows, flows_opened, peers, bytes_sent, bytes_received,
           macs, names, systems, software, ja4s, apps, identities, links, warnings, capture_id, first_frame
    FROM endpoints ORDER BY bytes_sent + bytes_received DESC, ip, network NULLS FIRST"""
_LINKS: Final = """
    SELECT ip, network, other_ip, other_network, reason, strength, value, counter, addresses, capture_id, frame,
           epoch_ns(ts), other_capture_id, other_frame, epoch_ns(other_ts)
    FROM device_links ORDER BY ts, other_ts, ip, other_ip, reason, value, link_id"""
_WARNINGS: Final = """
    SELECT ip, network, warning, told, epoch_ns(first_ts), capture_id, frame, other_capture_id, other_frame
    FROM endpoint_warnings ORDER BY ip, network NULLS FIRST, warning, first_ts, frame, statement"""
_UNEXPLAINED: Final = """
    SELECT ip, network, reason, labelled, flows, bytes, services, apps, capture_id, first_frame
    FROM unexplained
    ORDER BY coalesce(sum(bytes) FILTER (NOT labelled) OVER (PARTITION BY ip, network), 0) DESC, ip,
             network NULLS FIRST, place"""


def _labels(exhibits: tuple[Exhibit, ...]) -> Mapping[int, str]:
    return {exhibit.capture_id: exhibit.label for exhibit in exhibits}


def read_endpoints(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[Endpoint, ...]:
    """All endpoints, most bytes first."""
    labels = _labels(exhibits)
    return tuple(
        Endpoint(
            ip, network, first, last, flows, opened, peers, sent, received, tuple(macs or ()), tuple(names or ()),
            tuple(systems or ()), tuple(software or ()), tuple(ja4s or ()), tuple(apps or ()), tuple(identities or ()),
            links, tuple(warnings or ()), label_of(labels, capture), frame,
        )
        for (ip, network, first, last, flows, opened, peers, sent, received, macs, names, systems, software, ja4s, apps,
             identities, links, warnings, capture, frame) in connection.execute(_ENDPOINTS).fetchall()
    )  # fmt: skip


def read_links(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[DeviceLink, ...]:
    """All links, in order of time."""
    labels = _labels(exhibits)
    return tuple(
        DeviceLink(ip, network, other_ip, other_network, reason, strength, value, tuple(counter or ()), addresses,
                   label_of(labels, capture), frame, ns, label_of(labels, other_capture), other_frame, other_ns)
        for (ip, network, other_ip, other_network, reason, strength, value, counter, addresses, capture, frame, ns,
             other_capture, other_frame, other_ns)
        in connection.execute(_LINKS).fetchall()
    )  # fmt: skip


def read_warnings(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[EndpointWarning, ...]:
    """All signs, by address."""
    labels = _labels(exhibits)
    return tuple(
        EndpointWarning(ip, network, warning, tuple(told or ()), ns, label_of(labels, capture), frame,
                        None if other is None else label_of(labels, other), other_frame)
        for (ip, network, warning, told, ns, capture, frame, other, other_frame)
        in connection.execute(_WARNINGS).fetchall()
    )  # fmt: skip


def read_unexplained(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[Unexplained, ...]:
    """Flows by address and reason; the addresses with most bytes without a label first."""
    labels = _labels(exhibits)
    return tuple(
        Unexplained(ip, network, reason, labelled, flows, size, tuple(services or ()), tuple(apps or ()),
                    label_of(labels, capture), frame)
        for (ip, network, reason, labelled, flows, size, services, apps, capture, frame)
        in connection.execute(_UNEXPLAINED).fetchall()
    )  # fmt: skip
