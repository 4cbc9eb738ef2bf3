"""What ``python -m hotreload`` prints, to the standard error."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

from .errors import ReloadError
from .report import Report

try:
    from rich.console import Console
    from rich.text import Text
    from rich.traceback import Traceback
except ImportError:  # plain text then
    Console = None  # type: ignore[assignment, misc]


def say(report: Report) -> None:
    """One line for a reload."""
    if Console is None:
        print(f"hotreload: {report}", file=sys.stderr)
        return
    modules, _, rest = str(report).partition(": ")
    _console().print(Text.assemble(("↻ ", "green"), (modules, "bold"), " ", rest), soft_wrap=True)


def complain(error: BaseException) -> None:
    """An error, with its place in the source. The program goes on."""
    # Where a file could not be compiled is said by the error itself.
    trace = None if isinstance(error, SyntaxError) else trimmed(error.__traceback__)
    if isinstance(error, ReloadError):
        message = f"not reloaded: {error}"
        if Console is None:
            print(f"hotreload: {message}", file=sys.stderr)
        else:
            _console().print(Text.assemble(("✗ ", "red"), message), soft_wrap=True)
        return
    if Console is None:
        traceback.print_exception(type(error), error, trace)
        print("hotreload: not reloaded, the program goes on as it was", file=sys.stderr)
        return
    console = _console()
    console.print(Traceback.from_exception(type(error), error, trace))
    console.print(Text.assemble(("✗ ", "red"), "not reloaded, the program goes on as it was"))


def trimmed(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of this package at its beginning."""
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    return trace


def _console() -> Console:
    return Console(stderr=True)
