"""Operating systems as coarse families."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.analysis.inventory_rows import Fact, Place
from wirecover.analysis.systems import families, family


@pytest.mark.parametrize(("text", "expected"), [
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "windows"),
    ("MSFT 5.0", "windows"),
    ("Microsoft-Windows/10.0 UPnP/1.0", "windows"),
    ("Mozilla/5.0 (Linux; Android 14; Pixel 8)", "android"),
    ("android-dhcp-14", "android"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)", "apple"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "apple"),
    ("Signal/7.1 CFNetwork/1490 Darwin/23.0", "apple"),
    ("Mozilla/5.0 (X11; CrOS x86_64)", "chrome-os"),
    ("Mozilla/5.0 (X11; Linux x86_64)", "linux"),
    ("udhcp 1.36", None),
    ("Winterboard", None),
    ("kiosk", None),
])  # fmt: skip
def test_the_family_of_a_text(text, expected):
    assert family(text) == expected


@given(st.text(max_size=3000))
def test_any_text_has_one_family_or_none(text):
    assert family(text) in {None, "windows", "apple", "android", "chrome-os", "linux"}


def test_only_what_tells_of_a_system_counts():
    place = Place(7, 1, None)
    facts = [
        Fact("hostname", "android-1", "dhcp", 0, 0, 1, place),
        Fact("vendor-class", "MSFT 5.0", "dhcp", 0, 0, 1, place),
    ]
    assert families(facts) == {"windows"}
