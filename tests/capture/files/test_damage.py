"""The ledger of damage: bounded, and clear about what may have cost a packet."""

from wirecover.capture.files import damage as kinds
from wirecover.capture.files.batch import Damage
from wirecover.capture.files.damage import DamageLog


def test_entries_beyond_the_limit_are_folded_with_their_count() -> None:
    log = DamageLog()
    for number in range(kinds.MAX_ENTRIES + 50):
        log.add(kinds.GAP, f"gap {number}", offset=number, frame=number, count=2)
        log.add(kinds.BAD_OPTION, "an option", offset=number)
    gaps = [entry for entry in log.entries if entry.kind == kinds.GAP]
    assert len(gaps) == kinds.MAX_ENTRIES + 1
    assert gaps[-1] == Damage(kinds.GAP, 100, 100, 100, "further ones like these")
    assert len(log.entries) == 2 * (kinds.MAX_ENTRIES + 1)


def test_only_losses_make_a_capture_incomplete() -> None:
    log = DamageLog()
    assert log.lossless
    log.add(kinds.SECRETS, "one")
    log.add(kinds.NO_TIME, "one")
    assert log.lossless
    log.add(kinds.CUT, "one")
    assert not log.lossless
