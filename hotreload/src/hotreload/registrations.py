"""What an edited module has put into containers of others while it was executed.

A decorator that appends to a list of another module does so again when the module
is executed again. If the reload succeeds the list is not to have an entry twice, and if
it fails not one of the draft.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter, deque
from types import FunctionType, ModuleType
from typing import Any

from .functions import is_a

_CONTAINERS = (list, deque, dict, set)


class Registrations:
    """Definitions of drafts that something outside of the drafts refers to."""

    def __init__(self, drafts: list[tuple[ModuleType, ModuleType]]) -> None:
        self._modules = {module.__name__: module for _, module in drafts}
        young = gc.get_objects(generation=0)
        namespaces = {id(vars(draft)) for draft, _ in drafts}
        made = [obj for obj in young
                if is_a(obj, FunctionType) and id(obj.__globals__) in namespaces
                or is_a(obj, type) and obj.__module__ in self._modules]
        self.fresh = {id(obj) for obj in young}
        self._registered = _referred_to_from_outside(made, young)
        del young, made
        self._containers = self._find() if self._registered else []

    def _find(self) -> list[Any]:
        return [container for container in gc.get_referrers(*self._registered)
                if is_a(container, _CONTAINERS) and id(container) not in self.fresh
                and container is not self._registered]

    def forget_duplicates(self) -> None:
        """Take out of lists what is there already, as the old definition."""
        for container in self._containers:
            if is_a(container, (list, deque)):
                for made in self._registered:
                    mate = self._mate(made)
                    if mate is not None and mate is not made and _has(container, mate):
                        _remove(container, made)

    def withdraw(self) -> None:
        """Take the definitions of a draft that failed out of all containers."""
        for container in self._containers:
            for made in self._registered:
                mate = self._mate(made)
                if mate is made:
                    continue
                if is_a(container, (list, deque)):
                    _remove(container, made)
                elif is_a(container, set):
                    container.discard(made)
                else:
                    _remove_from_dict(container, made, mate)

    def _mate(self, made: Any) -> Any:
        """The definition of the same name that the program has."""
        mate: Any = self._modules.get(made.__module__)
        for name in made.__qualname__.split("."):
            mate = getattr(mate, "__dict__", {}).get(name)
        return mate


def _referred_to_from_outside(made: list[Any], young: list[Any]) -> list[Any]:
    """Those with more references than the objects made meanwhile account for."""
    known = Counter(map(id, gc.get_referents(*young)))
    ours = 4  # two lists, the loop variable, the argument of getrefcount()
    return [obj for obj in made if sys.getrefcount(obj) > known[id(obj)] + ours]


def _has(container: Any, obj: Any) -> bool:
    return any(item is obj for item in container)


def _remove(container: Any, obj: Any) -> None:
    for index in reversed(range(len(container))):
        if container[index] is obj:
            del container[index]


def _remove_from_dict(container: dict[Any, Any], made: Any, mate: Any) -> None:
    for key, value in list(container.items()):
        if key is made:
            del container[key]
        elif value is made and mate is not None:
            container[key] = mate
        elif value is made:
            del container[key]
