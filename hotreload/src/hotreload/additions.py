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
            parts = (key, entry) if is_a(new, dict) else (entry,)
            definitions = [made for part in parts
                           for made in self._registrations.definitions(part)]
            numbers = {id(made) for made in definitions}
            if not numbers & self._wanted:
                continue
            if is_a(old, dict):
                self._add_item(old, new, key, entry, definitions)
                continue
            former = [item for item in old
                      if self._resemblance.about(item, entry, definitions)]
            if is_a(old, set):
                if entry not in old:
                    old.add(entry)
                    self._journal.note(partial(remove, old, entry))
            elif former:
                put(old, former[0], entry)
                self._journal.note(partial(put, old, entry, former[0]))
            else:
                old.append(entry)
                self._journal.note(partial(remove, old, entry))

    def _add_item(self, old: dict[Any, Any], new: dict[Any, Any], key: Any, entry: Any,
                  definitions: list[Any]) -> None:
        place = key
        if any(self._registrations.definitions(key)):
            place = next((name for name in old if self._resemblance.same(name, key)), key)
        if any(id(made) in self._otherwise for made in definitions):
            for name in [name for name, value in old.items() if name is not place
                         and not self._is_still_in(new, name, entry, definitions)
                         and self._resemblance.about(value, entry, definitions)]:
                self._take_out(old, name, entry, definitions)
        if type(old.get(place)) is type(entry) and self._is_table(entry):
            self._add(old[place], entry)
        else:
            self._journal.set_item(old, place, entry)

    def _is_still_in(self, new: dict[Any, Any], name: Any, entry: Any,
                     definitions: list[Any]) -> bool:
        """Whether the draft has registered something under the name, or this in its table."""
        if name not in new or not self._is_table(entry):
            return name in new
        numbers = {id(made) for made in self._registrations.definitions(new[name])}
        return any(id(made) in numbers for made in definitions)

    def _is_table(self, entry: Any) -> bool:
        """Whether all items are entries, and those of other modules may be among them."""
        return is_a(entry, CONTAINERS) and all(
            any(self._registrations.definitions(item))
            for item in (entry.values() if is_a(entry, dict) else entry))

    def _take_out(self, table: dict[Any, Any], name: Any, entry: Any,
                  definitions: list[Any]) -> None:
        """What has been registered under a name is under another one now."""
        former = table[name]
        if not self._is_table(entry) or is_a(former, set) or all(
                self._resemblance.holds(item, definitions)
                for item in (former.values() if is_a(former, dict) else former)):
            self._journal.delete_item(table, name)
            return
        for place, item in [*(former.items() if is_a(former, dict) else enumerate(former))][::-1]:
            if self._resemblance.holds(item, definitions):
                if is_a(former, dict):
                    self._journal.delete_item(former, place)
                else:
                    del former[place]
                    self._journal.note(partial(former.insert, place, item))
