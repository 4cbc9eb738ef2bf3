"""What an edited module has registered with itself while it was executed.

A table of handlers, or an application with its routes, stays as it is, like other
values. What new definitions, and those with other decorators, have put into that of the
draft is added to it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .functions import is_a
from .instances import attributes
from .journal import Journal
from .plan import Plan
from .registrations import CONTAINERS, NO_ENTRIES, Registrations, put, remove
from .resemblance import Resemblance

_DEPTH = 3
"""How far within a value a container may be."""


class Additions:
    """Adds to values that stay."""

    def __init__(self, registrations: Registrations, plan: Plan, journal: Journal) -> None:
        self._registrations = registrations
        self._plan = plan
        self._journal = journal
        self._resemblance = Resemblance(plan)
        self._seen: set[int] = set()
        self._otherwise = {number for number, made in registrations.made.items()
                           if plan.is_decorated_otherwise(made)}
        self._wanted = self._otherwise | {
            number for number, made in registrations.made.items() if plan.is_added(made)}

    def add(self) -> None:
        """Look through all values that stay."""
        if self._wanted:
            for old, new in self._plan.state:
                self._walk(old, new, _DEPTH)

    def _walk(self, old: Any, new: Any, depth: int) -> None:
        if old is new or id(new) in self._seen or id(new) not in self._registrations.fresh \
                or id(new) in self._registrations.made:
            return
        self._seen.add(id(new))
        if type(old) is type(new) and is_a(new, CONTAINERS):
            self._add(old, new)
        elif depth and self._resemblance.mate(type(new)) is type(old) \
                and not is_a(new, (type, *NO_ENTRIES)):
            before, after = attributes(old), attributes(new)
            for name in before.keys() & after.keys():
                self._walk(before[name], after[name], depth - 1)

    def _add(self, old: Any, new: Any) -> None:
        for key, entry in list(new.items() if is_a(new, dict) else enumerate(new)):
            definitions = [*self._registrations.definitions(entry)]
            numbers = {id(made) for made in definitions}
            if not numbers & self._wanted:
                continue
            former = [item for item in (old.values() if is_a(old, dict) else old)
                      if self._resemblance.about(item, entry, definitions)]
            if is_a(old, set):
                if entry not in old:
                    old.add(entry)
                    self._journal.note(partial(remove, old, entry))
            elif is_a(old, dict):
                if numbers & self._otherwise:
                    for name in [name for name, value in old.items() if name not in new
                                 and any(value is item for item in former)]:
                        self._journal.delete_item(old, name)
                self._journal.set_item(old, key, entry)
            elif former:
                put(old, former[0], entry)
                self._journal.note(partial(put, old, entry, former[0]))
            else:
                old.append(entry)
                self._journal.note(partial(remove, old, entry))
