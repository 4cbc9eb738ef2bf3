"""Generic functions that stay: what the edited module registers with them."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from .functions import parts
from .journal import Journal


def merge(old: Any, new: Any, journal: Journal) -> None:
    """Add the implementations that are new, take away those that are gone.

    What other modules have registered stays.
    """
    before, after = (parts(f.register).get("cell registry") for f in (old, new))
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    for cls, function in after.items():
        if cls not in before:
            journal.set_item(before, cls, function)
    for cls, function in list(before.items()):
        if cls not in after and isinstance(function, FunctionType) \
                and function.__module__ == new.__module__:
            journal.delete_item(before, cls)
    old._clear_cache()
    journal.note(old._clear_cache)
