"""Who still uses a definition that is gone."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import (
    CellType, FrameType, FunctionType, GetSetDescriptorType, MemberDescriptorType, MethodType,
    ModuleType)
from typing import Any

from .plan import VALUES
from .source import records

_LIMIT = 20


def users_of(objects: dict[str, Any]) -> dict[str, list[str]]:
    """Describe what refers to each object. A walk of the heap each."""
    modules = {id(vars(module)): module for module in list(sys.modules.values())
               if isinstance(module, ModuleType)}
    names = _names_of_values()
    found = {}
    for name in objects:  # items() would have a tuple refer to each
        obj = objects[name]
        if type(obj) in VALUES:
            found[name] = sorted(_importers(name, obj))
            continue
        referrers = gc.get_referrers(obj)
        descriptions = {_described(referrer, obj, modules, names) for referrer in referrers
                        if referrer is not referrers and referrer is not objects}
        found[name] = sorted(filter(None, descriptions))[:_LIMIT]
    return found


def _names_of_values() -> dict[int, str]:
    """What the modules of the program call their values, by id."""
    found: dict[int, str] = {}
    for name in list(records):
        for label, value in list(getattr(sys.modules.get(name), "__dict__", {}).items()):
            if not label.startswith("__"):
                found.setdefault(id(value), f"{name}:{label}")
    return found


def _importers(name: str, value: Any) -> Iterator[str]:
    """Who has imported a number, a string and the like by name. It may be anywhere else, too."""
    module, _, label = name.partition(":")
    for record in list(records.values()):
        other = sys.modules.get(record.name)
        if other is None or record.source is None or value is None:
            continue
        package = getattr(other, "__package__", None) or ""
        for there, here in record.source.outline.imported_from(module, package):
            if there == label and vars(other).get(here) is value:
                yield f"{record.name}:{here}"


def _described(referrer: Any, obj: Any, modules: dict[int, ModuleType],
               names: dict[int, str]) -> str | None:
    # The reload has been done. A metaclass that fails to tell a name does not undo it.
    try:
        return _describe(referrer, obj, modules, names)
    except Exception:
        return _kind(referrer)


def _describe(referrer: Any, obj: Any, modules: dict[int, ModuleType],
              names: dict[int, str]) -> str | None:
    kind = type(referrer)  # isinstance() would ask proxies
    if kind is dict and id(referrer) in modules:
        module = modules[id(referrer)]
        labels = [label for label, value in list(referrer.items()) if value is obj]
        return ", ".join(f"{module.__name__}:{label}" for label in labels)
    if kind is dict and "__original__" in referrer:
        return None  # a draft, kept by native code under way
    if kind is FrameType:
        code = referrer.f_code
        return None if "hotreload" in code.co_filename else f"a running {code.co_qualname}()"
    if kind is FunctionType:
        return f"the function {referrer.__module__}:{referrer.__qualname__}"
    if kind is MethodType:
        return f"a bound method {referrer.__func__.__qualname__}"
    if kind is CellType:
        return "a closure"
    if issubclass(kind, type):
        return f"the class {referrer.__module__}:{referrer.__qualname__}"
    if kind is obj:
        return f"instances of {obj.__qualname__}"
    if _is_part_of(referrer, obj):
        return None
    if id(referrer) in names:
        return f"the {kind.__qualname__} {names[id(referrer)]}"
    return _kind(referrer)


def _kind(obj: Any) -> str:
    name: str = type.__dict__["__qualname__"].__get__(type(obj))
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _is_part_of(referrer: Any, obj: Any) -> bool:
    """Whether a class refers to itself: by its MRO, by its descriptors."""
    if type(referrer) is tuple:
        return isinstance(obj, type) and referrer[:1] == (obj,) and referrer[-1] is object
    return type(referrer) in (GetSetDescriptorType, MemberDescriptorType)
