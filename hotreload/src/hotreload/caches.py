"""Results that `lru_cache` has kept, and that edited code would not compute.

A cache may be anywhere in the program: around a function that was imported, under another
decorator, in a class, or around a closure.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterator
from types import FunctionType, ModuleType
from typing import Any

from .functions import LRU_CACHE, is_a, is_wrapper, parts
from .source import records

_DEPTH = 4
"""How many decorators may be between a cache and a function."""


def forget_results(edited: Container[int]) -> None:
    """Empty the caches of some functions, of which the id or that of their code is given."""
    for record in list(records.values()):
        module = sys.modules.get(record.name)
        mentioned = record.source is None or b"cache" in record.source.text
        if mentioned and isinstance(module, ModuleType):
            for cache in list(_caches_of(module)):
                if _runs(cache.__wrapped__, edited, _DEPTH):
                    cache.cache_clear()


def _runs(obj: Any, edited: Container[int], depth: int) -> bool:
    if is_a(obj, FunctionType) and (id(obj) in edited or id(obj.__code__) in edited):
        return True
    return depth > 0 and is_wrapper(obj) \
        and any(_runs(part, edited, depth - 1) for part in parts(obj).values())


def _caches_of(module: ModuleType) -> Iterator[Any]:
    seen: set[int] = set()
    stack: list[Any] = list(vars(module).values())
    while stack:
        obj = stack.pop()
        if id(obj) in seen:
            continue
        seen.add(id(obj))
        if is_a(obj, LRU_CACHE):
            yield obj
        if is_a(obj, type) and obj.__module__ == module.__name__:
            stack += vars(obj).values()
        elif is_wrapper(obj):
            stack += parts(obj).values()
