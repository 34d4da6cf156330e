"""What can go wrong with a case.

WirecoverError                 wirecover.capture.errors
 +-- AuthorityError            the legal basis does not allow what was asked (exit code 4)
 +-- CaseError                 the case cannot be made, opened or written; one clear line
      +-- CaseBusyError        another process holds the case
      +-- IntegrityError       the case is not what its own records say (exit code 5)
"""

from wirecover.capture.errors import EXIT_INTEGRITY, EXIT_REFUSED, WirecoverError


class AuthorityError(WirecoverError):
    """The legal basis of the case does not allow what was asked."""

    exit_code = EXIT_REFUSED


class CaseError(WirecoverError):
    """The case cannot be made, opened or written."""


class CaseBusyError(CaseError):
    """Another process (or another connection of this one) holds the case."""


class IntegrityError(CaseError):
    """The case contradicts its own records: a file, a row or the custody log was changed."""

    exit_code = EXIT_INTEGRITY
