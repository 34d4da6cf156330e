"""What can go wrong with a question.

WirecoverError                 wirecover.capture.errors
 +-- QueryError                the query cannot be loaded, was refused, failed or ran too long; one clear line
      +-- QueryUseError        asked wrongly: no such query, parameter or format (exit code 2)
"""

from wirecover.capture.errors import EXIT_WRONG_USE, WirecoverError


class QueryError(WirecoverError):
    """A query that cannot be loaded, was refused, failed or ran too long."""


class QueryUseError(QueryError):
    """A query asked for wrongly: name, parameter or output format."""

    exit_code = EXIT_WRONG_USE
