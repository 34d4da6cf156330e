"""What can go wrong in wirecover, lowest floor first.

WirecoverError                one clear line for the user; carries the exit code of the command line
 +-- CaptureError             an exhibit cannot be read at all (not a capture, no permission, ...)
 +-- RuleError                an application rule file breaks the house rules for rules

Floors above add their own next to these. Programming errors stay builtin exceptions.
"""

EXIT_DONE = 0
EXIT_OTHER = 1
EXIT_WRONG_USE = 2
EXIT_DAMAGED = 3
EXIT_REFUSED = 4
EXIT_INTEGRITY = 5


class WirecoverError(Exception):
    """An error to show as one line. `exit_code` is what the process returns."""

    exit_code = EXIT_OTHER


class CaptureError(WirecoverError):
    """A capture that cannot be read at all; `offset` is the byte where reading stopped, if one is known."""

    exit_code = EXIT_DAMAGED

    def __init__(self, name: str, reason: str, offset: int | None = None) -> None:
        self.name = name
        self.reason = reason
        self.offset = offset
        super().__init__(f"{name}: {reason}" + ("" if offset is None else f" (offset {offset})"))


class RuleError(WirecoverError):
    """An application rule that cannot be used: file, line or rule id, and why."""
