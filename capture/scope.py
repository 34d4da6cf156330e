"""What may be kept of a capture. The lowest floor knows no law: whoever calls it has turned an authority into this."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """A time window, both ends included, in nanoseconds since 1970-01-01 UTC; None is open.

    A packet outside is counted in `out_of_scope_packets` and touches nothing else.
    """

    first_ts: int | None = None
    last_ts: int | None = None

    @property
    def is_open(self) -> bool:
        """Everything may be kept."""
        return self.first_ts is None and self.last_ts is None


EVERYTHING = Scope()
