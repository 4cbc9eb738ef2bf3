"""Whether two objects are the same registration, before and after an edit.

Nothing here calls code of the program: values of the program's own classes are
compared by their attributes.
"""

from __future__ import annotations

import weakref
from collections import deque
from types import FunctionType
from typing import Any

from . import codes
from .functions import is_a, is_wrapper, parts
from .instances import attributes
from .plan import VALUES, Plan

_DEPTH = 4


class Resemblance:
    """Compares old objects with new ones."""

    def __init__(self, plan: Plan) -> None:
        self._former = plan.former

    def mate(self, new: Any) -> Any:
        """The old object that belongs to a new one, or the new one itself."""
        return self._former.get(id(new), new)

    def same(self, old: Any, new: Any, depth: int = _DEPTH) -> bool:
        """Whether the two differ in nothing but what the reload replaces."""
        if old is self.mate(new) or old is new:
            return True
        if type(old) is not self.mate(type(new)) and type(old) is not type(new):
            return False
        if type(new) in VALUES or type(new) in (bytearray, type):
            return bool(type(new) is not type and old == new)
        if not depth:
            return True
        if is_a(new, FunctionType) and not (
                "<locals>" in new.__qualname__ and codes.same_code(old.__code__, new.__code__)):
            return False
        before, after = _parts(old), _parts(new)
        return len(before) == len(after) and all(
            self.same(a, b, depth - 1) and self.same(before[a], after[b], depth - 1)
            for a, b in zip(before, after))

    def about(self, old: Any, new: Any, definitions: list[Any]) -> bool:
        """Whether the two hold the same definitions, whatever else differs."""
        mates = {id(self.mate(made)) for made in definitions}
        return (type(old) is self.mate(type(new)) or type(old) is type(new)) \
            and mates == self._found(old, mates)

    def holds(self, old: Any, definitions: list[Any]) -> bool:
        """Whether an old object holds what one of the definitions has been."""
        return bool(self._found(old, {id(self.mate(made)) for made in definitions}))

    def _found(self, obj: Any, wanted: set[int], depth: int = _DEPTH) -> set[int]:
        if id(obj) in wanted:
            return {id(obj)}
        if not depth or type(obj) in VALUES:
            return set()
        found = {id(type(obj))} & wanted
        for part in _parts(obj).values():
            found |= self._found(part, wanted, depth - 1)
        return found


def referent(obj: Any) -> list[Any]:
    """What a weak reference refers to, or nothing.

    Classes are known to their bases, and to abstract classes, by weak references of the
    interpreter's own, which have no callback in Python: these are nobody's entries.
    """
    target = weakref.ref.__call__(obj) if is_a(obj, weakref.ref) else None
    if target is None or type(obj) is weakref.ref and is_a(target, type) \
            and not is_a(obj.__callback__, FunctionType):
        return []
    return [target]


def _parts(obj: Any) -> dict[Any, Any]:
    """What an object consists of, by a label that its kind has in common."""
    if is_a(obj, (list, tuple, deque)):
        return dict(enumerate(tuple(obj)))
    if type(obj) is dict:
        return obj
    if is_a(obj, type):
        return {}
    if is_a(obj, weakref.ref):
        return {**attributes(obj), None: weakref.ref.__call__(obj)}
    return parts(obj) if is_wrapper(obj) else attributes(obj)
