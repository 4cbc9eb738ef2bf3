"""What an edited module has registered with others while it was executed.

A decorator that appends to a list of another module does so again when the module
is executed again. If the reload succeeds the list is not to have an entry twice, and if
it fails not one of the draft. An entry is a definition of the draft or what holds one: a
tuple with its name, a wrapper, an instance of its class.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from types import (
    BuiltinFunctionType, FrameType, FunctionType, GetSetDescriptorType, MemberDescriptorType,
    ModuleType, TracebackType)
from typing import Any

from .functions import is_a
from .journal import Journal
from .match import by_qualname, mates
from .plan import VALUES, Plan
from .resemblance import Resemblance, referent
from .source import records

CONTAINERS = (list, deque, dict, set)
NO_ENTRIES = (ModuleType, FrameType, TracebackType, BaseException)

_NAMELESS = frozenset(map(id, (
    list, tuple, set, frozenset, deque, FunctionType, BuiltinFunctionType, MemberDescriptorType,
    GetSetDescriptorType, *NO_ENTRIES, *VALUES)))
"""Types of what does not have tables by names, by their ids: some are not hashable."""

_LARGE = 1000
"""More items than a table of handlers has."""

_MISSING = object()

_DEPTH = 4
"""How far within an entry a definition may be."""

_SINGLE_SEARCHES = 8
"""Walks of the heap for one entry each, before there is one for all that remain."""


class Registrations:
    """Entries of drafts that something outside of the drafts refers to.

    `functions` are those that the program had before, for each module, `tables` what
    `tables_of_the_program()` had, and `young` what has been made since.
    """

    def __init__(self, drafts: list[tuple[ModuleType, ModuleType]],
                 functions: list[list[FunctionType]], tables: dict[int, Any],
                 young: list[Any]) -> None:
        self._drafts = drafts
        self._functions = functions
        self._tables = tables
        young[:] = [obj for obj in young if id(obj) not in tables]
        self.fresh = {id(obj) for obj in young}
        outside = _referred_to_from_outside(young)
        self._namespaces = {id(vars(draft)) for draft, _ in drafts}
        names = {module.__name__ for _, module in drafts}
        self.made = {id(obj): obj for obj in young
                      if is_a(obj, FunctionType) and id(obj.__globals__) in self._namespaces
                      or is_a(obj, type) and obj.__module__ in names}
        self._entries = {id(obj): obj for obj in outside
                         if not is_a(obj, NO_ENTRIES) and any(self.definitions(obj))}
        young.clear()
        del outside
        self._containers = [*self._find()]
        self._at_exit = [f for f in _registered_at_exit()
                         if id(f) in self.fresh and any(self.definitions(f))]
        self._others: list[tuple[Any, Any, list[Any]]] = []
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]] = []
        self._left: list[tuple[Any, Any]] = []
        self._remember()

    def _find(self) -> Iterator[Any]:
        """The containers of the program that hold entries.

        Most entries are in the same few ones. Each search is a walk of the heap, and
        takes the longer the more it is to find.
        """
        pending = dict(self._entries)
        searches = 0
        while pending:
            searches += 1
            wanted = [*pending.values()] if searches > _SINGLE_SEARCHES else \
                [next(reversed(pending.values()))]
            ours = {id(pending), id(self._entries), id(self.made), id(wanted)}
            for container in gc.get_referrers(*wanted):
                if is_a(container, CONTAINERS) and id(container) not in self.fresh \
                        and id(container) not in ours:
                    yield container
                    for item in _items(container):
                        pending.pop(id(item), None)
            for entry in wanted:
                pending.pop(id(entry), None)

    def definitions(self, obj: Any, depth: int = _DEPTH) -> Iterator[Any]:
        """The definitions of the drafts that an object leads to, be it by a weak reference."""
        if id(obj) in self.made:
            yield obj
            if not is_a(obj, FunctionType) or "<locals>" not in obj.__qualname__:
                return
        if depth and id(obj) in self.fresh and id(obj) not in self._namespaces \
                and not is_a(obj, (type, *NO_ENTRIES)):
            for part in [*gc.get_referents(obj), *referent(obj)]:
                yield from self.definitions(part, depth - 1)

    # The reload succeeds.

    def forget_duplicates(self, plan: Plan, journal: Journal) -> None:
        """Take out of lists what is there already.

        An entry whose registration was edited takes the place of the former one.
        """
        resemblance = Resemblance(plan)
        for container in self._containers:
            if is_a(container, (list, deque)):
                self._merge(container, resemblance, plan, journal)
            elif is_a(container, dict):
                self._rekey(container, plan, journal)
        former = [f for f in _registered_at_exit() if id(f) not in self.fresh]
        for function in [*self._at_exit]:
            if any(resemblance.same(f, function) for f in former):
                atexit.unregister(function)
                self._at_exit.remove(function)

    def _merge(self, container: Any, resemblance: Resemblance, plan: Plan,
               journal: Journal) -> None:
        former = [item for item in container if id(item) not in self._entries]
        entries = [item for item in container if id(item) in self._entries]
        remaining = []
        for entry in entries:
            mate = next((item for item in former if resemblance.same(item, entry)), None)
            if mate is None:
                remaining.append(entry)
            else:
                former = [item for item in former if item is not mate]
                remove(container, entry)
        for entry in remaining:
            definitions = [*self.definitions(entry)]
            mate = next((item for item in former if resemblance.about(item, entry, definitions)),
                        None)
            if mate is None:
                continue
            former = [item for item in former if item is not mate]
            remove(container, entry)
            if plan.registered_otherwise(definitions):
                put(container, mate, entry)
                journal.note(partial(put, container, entry, mate))

    def _rekey(self, container: dict[Any, Any], plan: Plan, journal: Journal) -> None:
        """Let a table that knows entries by their ids know them by those that they will have."""
        entries = [value for key, value in container.items()
                   if id(value) in self._entries and type(key) is int and key == id(value)]
        final = {id(draft): made for draft, made in plan.functions} if entries else {}
        for entry in entries:
            mate = plan.former.get(id(entry))
            stays = plan.resolve(entry) is mate
            if id(mate) in container and container[id(mate)] is mate:
                journal.delete_item(container, id(entry if stays else mate))
            if not stays and id(entry) in final:
                journal.delete_item(container, id(entry))
                journal.set_item(container, id(final[id(entry)]), entry)

    # It fails.

    def _remember(self) -> None:
        """Note what the program's containers hold without the entries.

        After a remap that has been undone these are the program's own definitions, and
        cannot be told from what was there.
        """
        found = self._mates()
        for container in self._containers:
            if is_a(container, dict):
                self._dicts.append((container, *self._former_items(container, found)))
                continue
            entries = [item for item in container if id(item) in self._entries]
            own: Any = (set if is_a(container, set) else list)(container)
            for entry in entries:
                remove(own, entry)
            self._others.append((container, own, entries))
        left = {id(made): made for entry in self._entries.values()
                for made in (entry, *self.definitions(entry))}
        self._left = [(made, found[number]) for number, made in left.items() if number in found]

    def _former_items(self, container: dict[Any, Any], found: dict[int, Any],
                      ) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """The items before, as far as one can tell, and those that the draft has set."""
        _, before = self._tables.get(id(container), (None, None))
        as_it_was = before is not None
        before = before if as_it_was else dict.copy(container)
        items = {}
        for key, value in dict.items(container):
            entry = self._entries.get(id(key), self._entries.get(id(value)))
            if entry is None:
                continue
            items[key] = value
            if as_it_was:
                continue
            known = any(id(made) in found for made in (entry, *self.definitions(entry)))
            if entry is key or not known:
                del before[key]
            elif id(entry) in found:
                before[key] = found[id(entry)]
        return before, items

    def withdraw(self) -> None:
        """Take the entries of a draft out of all containers, or put back what was there.

        Where a definition of the draft has been put elsewhere, into an attribute or
        a tuple, the program's own definition comes back.
        """
        for function in self._at_exit:
            atexit.unregister(function)
        for container, own, entries in self._others:
            for entry in entries:
                surplus = int(entry not in own) if is_a(own, set) else \
                    sum(item is entry for item in container) - sum(item is entry for item in own)
                remove(container, entry, surplus)
        owners = _owners_of_namespaces([container for container, _, _ in self._dicts])
        for container, before, items in self._dicts:
            _put_back(container, owners.get(id(container)), before, items)
        _replace([(made, mate) for made, mate in self._left if made is not mate])
        for part in (self._others, self._dicts, self._left, self._tables):
            part.clear()

    def _mates(self) -> dict[int, Any]:
        """What the program has for what the draft has: by name, and in order."""
        found: dict[int, Any] = {}
        for (draft, module), before in zip(self._drafts, self._functions):
            namespace = vars(module)
            for name, value in vars(draft).items():
                mate = namespace.get(name)
                if id(value) in self.fresh and type(mate) is type(value) \
                        and not is_a(value, (FunctionType, type)):
                    found[id(value)] = mate
            made = [obj for obj in self.made.values() if obj.__module__ == module.__name__]
            by_name = by_qualname(before)
            for qualname, functions in by_qualname(
                    [obj for obj in made if is_a(obj, FunctionType)]).items():
                found.update((id(new), old)
                             for old, new in mates(by_name.get(qualname, []), functions))
            for obj in made:
                if is_a(obj, type) and is_a(mate := _named(module, obj.__qualname__), type):
                    found[id(obj)] = mate
        return found


def _put_back(container: dict[Any, Any], owner: type | None,
              before: dict[Any, Any], items: dict[Any, Any]) -> None:
    """Give keys the values that they had, unless others have been put there since."""
    for key, value in items.items():
        if container.get(key, _MISSING) is not value:
            continue
        if key in before:
            if owner is None and value is not before[key]:
                container[key] = before[key]
        elif owner is not None:
            type.__delattr__(owner, key)
        else:
            del container[key]


def _named(module: ModuleType, qualname: str) -> Any:
    """The definition of that name."""
    found: Any = module
    for name in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    return found


def tables_of_the_program() -> dict[int, tuple[dict[Any, Any], dict[Any, Any]]]:
    """The dicts that names of the program lead to, by id, each with a copy.

    The collector does not know an empty one, and takes it for a new one once something has
    been put there. Large ones are not what somebody registers with.
    """
    names = set(records)
    namespaces = [vars(module) for name in list(records)
                  if is_a(module := sys.modules.get(name), ModuleType)]
    seen: dict[int, Any] = {}
    level: dict[int, Any] = {id(namespace): namespace for namespace in namespaces}
    for _ in range(_DEPTH):
        seen |= level
        level = {id(obj): obj for obj in gc.get_referents(*level.values())
                 if id(type(obj)) not in _NAMELESS and id(obj) not in seen
                 and not (is_a(obj, dict) and dict.__len__(obj) > _LARGE)
                 and not (is_a(obj, type)
                          and type.__getattribute__(obj, "__module__") not in names)}
    return {number: (obj, dict.copy(obj)) for number, obj in seen.items() if is_a(obj, dict)}


def _referred_to_from_outside(young: list[Any]) -> list[Any]:
    """Those with more references than the objects made meanwhile account for."""
    known = Counter(map(id, gc.get_referents(*young)))
    ours = 3  # the list, the loop variable, the argument of getrefcount()
    return [obj for obj in young if sys.getrefcount(obj) > known[id(obj)] + ours]


def _owners_of_namespaces(containers: list[Any]) -> dict[int, type]:
    """The classes that some of the dicts are namespaces of, by the id of the dict."""
    dicts = {id(container) for container in containers if type(container) is dict}
    if not dicts:
        return {}
    referrers = gc.get_referrers(*(c for c in containers if id(c) in dicts))
    return {id(part): cls for cls in referrers if is_a(cls, type)
            for part in gc.get_referents(cls) if id(part) in dicts}


def _replace(pairs: list[tuple[Any, Any]]) -> None:
    """Replace what can be replaced."""
    while pairs:
        try:
            gc.remap(pairs)  # type: ignore[attr-defined]
            return
        except (TypeError, ValueError) as refusal:
            culprit = getattr(refusal, "old", None)
            others = [pair for pair in pairs if pair[0] is not culprit]
            pairs = others if len(others) < len(pairs) else []


class _Listener:
    """Equal to nothing, and remembers what it was compared with."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def __eq__(self, other: object) -> bool:
        self.heard.append(other)
        return False

    __hash__ = None  # type: ignore[assignment]


def _registered_at_exit() -> list[Any]:
    """What `atexit` is going to call. It tells nobody, but compares."""
    listener = _Listener()
    atexit.unregister(listener)  # type: ignore[arg-type]
    return listener.heard


def _items(container: Any) -> Iterator[Any]:
    yield from list(container)
    if is_a(container, dict):
        yield from list(container.values())


def remove(container: Any, obj: Any, times: int | None = None) -> None:
    """Take an object out of a list, deque or set, and not what equals it: the last ones."""
    if is_a(container, set):
        if times != 0 and any(item is obj for item in container):
            container.discard(obj)
        return
    places = [index for index, item in enumerate(container) if item is obj]
    for index in places[::-1][:times]:
        del container[index]


def put(container: Any, old: Any, new: Any) -> None:
    """Let an item of a list take the place of another one."""
    for index, item in enumerate(container):
        if item is old:
            container[index] = new
            return
