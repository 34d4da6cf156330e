"""What is written where: results on standard output, words on standard error.

File names and text from captures are foreign: control, direction-changing and undecodable characters are
named, so that one message is one line and shows what is there.
"""

import os
import sys
from io import TextIOWrapper


def prepare_streams() -> None:
    """UTF-8 on both streams, whatever the console's code page, and no character that cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def plain(text: object) -> str:
    """One line of visible text."""
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in shown)


def complain(text: str) -> None:
    """One line of error on standard error."""
    tell(f"wirecover: {text}")


def tell(text: str) -> None:
    """One line for the user on standard error; a closed standard error is no reason to fail."""
    try:
        print(plain(text), file=sys.stderr, flush=True)
    except OSError:
        return


def show(text: str) -> None:
    """One line of result on standard output."""
    print(plain(text))


def silence_stdout() -> None:
    """Send what is still buffered for standard output nowhere, since the interpreter flushes once more."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):  # no real file behind it (a test's stream)
        return
    finally:
        os.close(null)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 capture`, `1,234 captures`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """A number of bytes in the unit that fits: `512 bytes`, `1.5 MB`."""
    if number < 1000:
        return count(number, "byte")
    value = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95 or unit == "TB":
            return f"{value:.1f} {unit}"
    raise AssertionError  # the last unit takes all
