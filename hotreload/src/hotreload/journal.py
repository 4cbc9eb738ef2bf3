"""Changes to namespaces and attributes that can be undone."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

_MISSING = object()


class Journal:
    """Makes changes and remembers how to take them back, last one first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def note(self, undo: Callable[[], object]) -> None:
        """Remember how to take back a change that the caller makes."""
        self._undo.append(undo)

    def set_item(self, mapping: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        before = mapping.get(key, _MISSING)
        if before is value:
            return
        self.note(lambda: mapping.pop(key, None) if before is _MISSING
                  else mapping.__setitem__(key, before))
        mapping[key] = value

    def delete_item(self, mapping: MutableMapping[Any, Any], key: Any) -> None:
        before = mapping.pop(key)
        self.note(lambda: mapping.__setitem__(key, before))

    def restore_mapping_later(self, mapping: MutableMapping[Any, Any]) -> None:
        """Remember all items of a mapping, in their order."""
        items = dict(mapping)

        def undo() -> None:
            mapping.clear()
            mapping.update(items)
        self.note(undo)

    def set_attribute(self, obj: Any, name: str, value: Any) -> None:
        before = getattr(obj, name)
        if before is value:
            return
        self.note(lambda: setattr(obj, name, before))
        setattr(obj, name, value)

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()
