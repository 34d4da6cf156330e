"""What can go wrong on the report floor.

WirecoverError (wirecover.capture.errors)
 +-- ReportError              a report cannot be written or laid out
      +-- DocumentError       a result document cannot be read: not JSON, or not the members it must have
"""

from wirecover.capture.errors import WirecoverError


class ReportError(WirecoverError):
    """A report that cannot be made or written: one line, says what and where."""


class DocumentError(ReportError):
    """A result document that cannot be read: names the member that is wrong."""
