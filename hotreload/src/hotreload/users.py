"""Who still uses a definition that is gone."""

from __future__ import annotations

import gc
import sys
from types import CellType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

_LIMIT = 20


def users_of(objects: dict[str, Any]) -> dict[str, list[str]]:
    """Describe what refers to each object. A walk of the heap each."""
    modules = {id(vars(module)): module for module in list(sys.modules.values())
               if isinstance(module, ModuleType)}
    found = {}
    for name in objects:  # items() would have a tuple refer to each
        obj = objects[name]
        referrers = gc.get_referrers(obj) if obj is not None else []
        descriptions = {_describe(referrer, obj, modules) for referrer in referrers
                        if referrer is not referrers and referrer is not objects}
        found[name] = sorted(filter(None, descriptions))[:_LIMIT]
    return found


def _describe(referrer: Any, obj: Any, modules: dict[int, ModuleType]) -> str | None:
    match referrer:
        case dict() if id(referrer) in modules:
            module = modules[id(referrer)]
            names = [name for name, value in list(referrer.items()) if value is obj]
            return ", ".join(f"{module.__name__}:{name}" for name in names)
        case dict():
            return "a dict"
        case FrameType():
            return f"a running {referrer.f_code.co_qualname}()" \
                if "hotreload" not in referrer.f_code.co_filename else None
        case FunctionType():
            return f"the function {referrer.__module__}:{referrer.__qualname__}"
        case MethodType():
            return f"a bound method {referrer.__func__.__qualname__}"
        case CellType():
            return "a closure"
        case type():
            return f"the class {referrer.__module__}:{referrer.__qualname__}"
        case tuple() if isinstance(obj, type) and obj in referrer and referrer[0] is obj:
            return None  # its MRO
    if isinstance(obj, type):
        if type(referrer) is obj:
            return f"instances of {obj.__qualname__}"
        if getattr(referrer, "__objclass__", None) is obj:
            return None
    kind = type(referrer)
    article = "an" if kind.__name__[:1].lower() in "aeiou" else "a"
    return f"{article} {kind.__qualname__}"
