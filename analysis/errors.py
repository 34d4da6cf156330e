"""What can go wrong in analyses, next to `wirecover.capture.errors`.

WirecoverError
 +-- AnalysisError            an analysis cannot be run as asked: unknown pattern, impossible parameter
"""

from wirecover.capture.errors import EXIT_WRONG_USE, WirecoverError


class AnalysisError(WirecoverError):
    """An analysis that cannot be run as asked; the message says what to change."""

    exit_code = EXIT_WRONG_USE
