"""Applications that make calls over their own UDP traffic, and how a call is named after its flows.

A label comes from the application rules; this table only says of which labels it is known that they carry calls, so
that packets without any known header, or a set-up without media, may be taken for one.
"""

from collections.abc import Iterable
from typing import Final

CALL_APPS: Final = frozenset({
    "discord", "element", "facetime", "google-meet", "imo", "jami", "kakaotalk", "line", "matrix", "messenger",
    "meta", "olvid", "session", "signal", "skype", "snapchat", "tchap", "teams", "telegram", "threema", "tox",
    "viber", "webex", "wechat", "whatsapp", "wire", "xmpp", "zalo", "zoom",
})  # fmt: skip
META: Final = frozenset({"meta", "whatsapp", "messenger"})
SURE: Final = 80
"""Percent from which a label is believed against one of the same company."""
SHARED_SERVERS: Final = frozenset({"google-meet"})
"""Labels that public STUN servers give: other applications use these servers in their calls, so in a set-up without
media they say nothing where there is another label."""


def call_app(labels: Iterable[tuple[int, str, int]]) -> tuple[str | None, int]:
    """The label of a call and its confidence, from (rank of the leg, label, confidence) of its flows.

    Legs of the lowest rank decide (media before relays before the rest). WhatsApp and Messenger share relays and
    formats (nDPI issue 2797): where their labels meet, or a sure one is missing, the call is Meta's.
    """
    found = sorted(set(labels), key=lambda one: (one[0], one[1] in SHARED_SERVERS, -one[2], one[1]))
    if not found:
        return None, 0
    names = {app for _, app, _ in found}
    if names - SHARED_SERVERS and found[0][0] > 0:
        found = [one for one in found if one[1] not in SHARED_SERVERS]
    _, app, confidence = found[0]
    if app not in META:
        return app, confidence
    family = [one for one in found if one[1] in META]
    sure = {name for _, name, percent in family if name != "meta" and percent >= SURE}
    if len(sure) == 1:
        (name,) = sure
        return name, max(percent for _, label, percent in family if label == name)
    return "meta", max(percent for _, _, percent in family)
