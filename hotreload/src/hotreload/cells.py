"""Definitions without a file: a notebook cell that is run again."""

from __future__ import annotations

import gc
import time
from types import ModuleType
from typing import Any

from . import instances
from .execute import collector_paused
from .functions import is_a, is_wrapper
from .journal import Journal
from .match import Matcher
from .plan import Plan
from .report import Report
from .source import Record, Source
from .transaction import Commit


class _Everything:
    """The cell has made all that is new."""

    def __contains__(self, item: object) -> bool:
        return True


def definitions(module: ModuleType) -> dict[str, Any]:
    """The functions, also wrapped ones, and classes that were defined in a module, by name."""
    return {name: value for name, value in vars(module).items()
            if (is_a(value, type) or is_wrapper(value))
            and getattr(value, "__module__", None) == module.__name__
            and hasattr(value, "__qualname__")}


def redefine(module: ModuleType, before: dict[str, Any]) -> Report:
    """Let what has been defined again take the place of what was there before.

    `before` are the `definitions()` of the module before the cell was run. Raises
    `ReloadRefused` if that is impossible, or what a `__reload__` method raises. Then objects
    that use the old definitions keep them.
    """
    begin = time.perf_counter()
    again = {name: (before[name], value) for name, value in definitions(module).items()
             if name in before and before[name] is not value
             and before[name].__qualname__ == value.__qualname__}
    report = Report()
    if not again:
        return report
    report.modules = (module.__name__,)
    plan = Plan([])
    matcher = Matcher(plan, module, module, Record(module.__name__, "", None, None),
                      Source(b"", ""), _Everything())
    with collector_paused():
        gc.collect(0)  # what is young from now on is not the program's
        for name, (old, new) in again.items():
            matcher.pair(old, new, name, True)
        journal = Journal()
        del again, before
        try:
            hooked = instances.migrate(plan, journal)
            Commit(journal, report, plan, [matcher], hooked).run()
            plan.forget()
        except BaseException:
            journal.undo()
            raise
        journal.forget()
    report.seconds = time.perf_counter() - begin
    return report
