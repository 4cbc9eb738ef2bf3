"""Changes to namespaces, attributes and the heap that can be undone."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

_MISSING = object()


class Journal:
    """Makes changes and remembers how to take them back, last one first."""

    def __init__(self) -> None:
        self._undo = contextlib.ExitStack()

    def note(self, undo: Callable[[], object]) -> None:
        """Remember how to take back a change that the caller makes."""
        self._undo.callback(undo)

    def set_item(self, mapping: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        before = mapping.get(key, _MISSING)
        if before is value:
            return
        self.note(lambda: mapping.pop(key, None) if before is _MISSING
                  else mapping.__setitem__(key, before))
        mapping[key] = value

    def delete_item(self, mapping: MutableMapping[Any, Any], key: Any) -> None:
        keys = list(mapping)
        following = keys[keys.index(key) + 1:]
        before = mapping.pop(key)

        def undo() -> None:
            mapping[key] = before
            for other in following:
                if other in mapping:
                    mapping[other] = mapping.pop(other)
        self.note(undo)

    def restore_mapping_later(self, mapping: MutableMapping[Any, Any]) -> None:
        """Remember all items of a mapping, in their order."""
        items = dict(mapping)

        def undo() -> None:
            for key in mapping.keys() - items.keys():
                del mapping[key]
            mapping.update(items)
            # Other threads may look for a name meanwhile: not without need.
            if list(mapping) != list(items):
                mapping.clear()
                mapping.update(items)
        self.note(undo)

    def set_attribute(self, obj: Any, name: str, value: Any) -> None:
        before = getattr(obj, name)
        if before is value:
            return
        self.note(lambda: setattr(obj, name, before))
        setattr(obj, name, value)

    def remap(self, pairs: list[tuple[Any, Any]], undoable: list[tuple[Any, Any]],
              undone: Callable[[Iterable[tuple[Any, Any]]], object] = lambda pairs: None,
              ) -> tuple[int, list[tuple[int, tuple[str, ...]]]]:
        """Call `gc.remap`. To undo it, the `undoable` ones of the pairs are replaced back.

        Then `undone` is called with these. Returns how many references of the program have
        been replaced, and for each pair how many are left behind, and what holds them.

        Raises `TypeError` or `ValueError` if the heap cannot be changed in this way, and
        what a `__hash__` or `__eq__` raises. Then nothing has been changed.
        """
        # An interrupt that has waited for the end of the call comes before there is
        # a result. This pair tells whether it has been done. (Lists are no keys, and
        # need no repair of tables.)
        before: list[Any] = []
        after: list[Any] = []

        def undo() -> None:
            if before is after:
                # Where one has taken the place of several, the first comes back.
                back = {id(new): (new, old) for old, new in reversed(undoable)}.values()
                gc.remap(back)  # type: ignore[attr-defined]
                undone(back)
        self.note(undo)
        ours = _references_from_what_is_new(pairs)
        result = gc.remap([*pairs, (before, after)])  # type: ignore[attr-defined]
        return max(result.references - ours, 0), [*zip(result.left_behind, result.holders)][:-1]

    def undo(self) -> None:
        """Take all changes back, also if that fails for one of them."""
        self._undo.__exit__(*sys.exc_info())

    def forget(self) -> None:
        """Let the changes stay."""
        self._undo.pop_all()


def _references_from_what_is_new(pairs: list[tuple[Any, Any]]) -> int:
    """References to old objects that the reload itself has made: drafts, plans, this list.

    They are changed as well, and are not the program's.
    """
    passed = {id(pair) for pair in pairs}
    young = [obj for obj in gc.get_objects(generation=0) if id(obj) not in passed]
    wanted = {id(old) for old, _ in pairs}
    return sum(id(obj) in wanted for obj in gc.get_referents(*young))
