"""What can go wrong with a case.

WirecoverError                 wirecover.capture.errors
 +-- CaseError                 the case cannot be made, opened or written; one clear line
      +-- CaseBusyError        another process holds the case
      +-- IntegrityError       the case is not what its own records say (exit code 5)
"""

from wirecover.capture.errors import EXIT_INTEGRITY, WirecoverError


class CaseError(WirecoverError):
    """The case cannot be made, opened or written."""


class CaseBusyError(CaseError):
    """Another process (or another connection of this one) holds the case."""


class IntegrityError(CaseError):
    """The case contradicts its own records: a file, a row or the custody log was changed."""

    exit_code = EXIT_INTEGRITY
