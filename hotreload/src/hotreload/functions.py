"""Functions: where they hide, and how to give them another namespace."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Iterator
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, TypeIs

LRU_CACHE = type(functools.lru_cache(lambda: None))

WRAPPERS = (staticmethod, classmethod, property, functools.cached_property,
            functools.partial, functools.partialmethod, functools.singledispatchmethod,
            MethodType, LRU_CACHE)


def is_a[T](obj: object, kinds: type[T] | tuple[type[T], ...]) -> TypeIs[T]:
    """`is_a()` that asks the object nothing: it may be a proxy for something."""
    return issubclass(type(obj), kinds)


def parts(obj: Any) -> dict[str, Any]:
    """The objects that a function or a wrapper of one is made of, by label."""
    if is_a(obj, FunctionType):
        found = {f"cell {name}": cell.cell_contents
                 for name, cell in zip(obj.__code__.co_freevars, obj.__closure__ or ())
                 if not is_empty(cell)}
        found.update(vars(obj))
        return found
    if is_a(obj, (staticmethod, classmethod, MethodType)):
        wrapper: Any = obj
        return {"__func__": wrapper.__func__}
    if is_a(obj, property):
        return {"fget": obj.fget, "fset": obj.fset, "fdel": obj.fdel}
    if is_a(obj, functools.cached_property):
        return {"func": obj.func}
    if is_a(obj, (functools.partial, functools.partialmethod)):
        partial: Any = obj
        return {"func": partial.func, **{str(i): x for i, x in enumerate(partial.args)},
                **partial.keywords}
    if is_a(obj, (type, ModuleType)) or not has_namespace(obj):
        return {}
    # An instance of a class that wraps functions: a command, a task, a route.
    return dict(getattr(obj, "__dict__", {})) if is_wrapper(obj) else {}


def has_namespace(obj: object) -> bool:
    """Whether an object has a dict of its own, and does not pretend to."""
    return type(obj).__dictoffset__ != 0 and type(obj).__getattribute__ in (
        object.__getattribute__, FunctionType.__getattribute__)


def is_empty(cell: CellType) -> bool:
    try:
        cell.cell_contents
    except ValueError:
        return True
    return False


def is_wrapper(obj: object) -> bool:
    """Whether an object may stand for a function that it holds."""
    return is_a(obj, (FunctionType, *WRAPPERS)) or (
        (hasattr(type(obj), "__call__") or hasattr(type(obj), "__get__"))
        and not is_a(obj, (type, ModuleType)) and has_namespace(obj))


def reachable(module: ModuleType) -> Iterator[FunctionType]:
    """The functions of a module that its namespace leads to, each once."""
    namespace = vars(module)
    name = module.__name__
    seen: set[int] = set()
    stack: list[Any] = list(namespace.values())
    while stack:
        obj = stack.pop()
        if id(obj) in seen:
            continue
        seen.add(id(obj))
        if is_a(obj, FunctionType):
            if obj.__globals__ is namespace:
                yield obj
            stack += parts(obj).values()
        elif is_a(obj, type):
            if obj.__module__ == name:
                stack += vars(obj).values()
        elif is_wrapper(obj):
            stack += parts(obj).values()


retired: weakref.WeakSet[FunctionType] = weakref.WeakSet()
"""Functions that others have taken the place of. Native code under way may keep them for long."""


def functions_with(*namespaces: dict[str, Any]) -> list[list[FunctionType]]:
    """All functions in use with each of some namespaces as globals.

    This is a walk of the heap.
    """
    found = [f for f in gc.get_referrers(*namespaces)
             if type(f) is FunctionType and f not in retired]
    return [[f for f in found if f.__globals__ is namespace] for namespace in namespaces]


def rebuild(function: FunctionType, namespace: dict[str, Any]) -> FunctionType:
    """The same function with another namespace as globals."""
    made = FunctionType(function.__code__, namespace, function.__name__,
                        function.__defaults__, function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__ = function.__annotations__
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    made.__doc__ = function.__doc__
    made.__type_params__ = function.__type_params__
    made.__dict__ = function.__dict__
    return made
