"""Results that `lru_cache` has kept, and that edited code would not compute.

A cache may be anywhere in the program: around a function that was imported, under another
decorator, in a class, or around a closure.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterator
from types import (
    BuiltinFunctionType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType)
from typing import Any

from .functions import LRU_CACHE, is_a, is_wrapper, parts
from .plan import VALUES
from .source import records

_NOTHING = {*VALUES, dict, list, set, tuple, BuiltinFunctionType, GetSetDescriptorType,
            MemberDescriptorType}
"""Types whose objects are no wrappers, and make up most of a namespace."""

_DEPTH = 4
"""How many decorators may be between a cache and a function."""


def forget_results(edited: Container[int]) -> None:
    """Empty the caches of some functions, of which the id or that of their code is given."""
    for record in list(records.values()):
        module = sys.modules.get(record.name)
        if isinstance(module, ModuleType) and (record.source is None or _mentions(record.source.text)):
            for cache in list(_caches_of(module)):
                if _runs(cache.__wrapped__, edited, _DEPTH):
                    cache.cache_clear()


def _mentions(text: bytes) -> bool:
    return b"functools" in text and b"cache" in text


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
        kind = type(obj)
        if kind in _NOTHING or kind is FunctionType and obj.__closure__ is None or id(obj) in seen:
            continue
        seen.add(id(obj))
        if is_a(obj, type):
            if obj.__module__ == module.__name__:
                stack += vars(obj).values()
        elif is_a(obj, LRU_CACHE):
            yield obj
            stack.append(obj.__wrapped__)
        elif is_wrapper(obj):
            stack += parts(obj).values()
