"""Executing a module again, in a namespace of its own.

The module that the program knows is not touched. While the new source runs,
`sys.modules` has a *draft* of the module, as it has of a module that is being
imported for the first time: other threads that import it wait.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib._bootstrap as bootstrap
import sys
from collections.abc import Iterator
from functools import partial
from types import CodeType, ModuleType

from .journal import Journal

_ATTRIBUTES = ("__file__", "__cached__", "__loader__", "__package__", "__path__",
               "__builtins__")


def draft_of(module: ModuleType) -> ModuleType:
    """An empty module of the same name."""
    draft = ModuleType(module.__name__)
    namespace = vars(module)
    for name in _ATTRIBUTES:
        if name in namespace:
            vars(draft)[name] = namespace[name]
    spec = copy.copy(namespace.get("__spec__"))
    if spec is not None:
        spec._initializing = True
    draft.__spec__ = spec
    if "__path__" in namespace:
        prefix = module.__name__ + "."
        for name, loaded in list(sys.modules.items()):
            child = name.removeprefix(prefix)
            if name.startswith(prefix) and "." not in child and namespace.get(child) is loaded:
                vars(draft)[child] = loaded
    return draft


@contextlib.contextmanager
def drafts_in_place(originals: list[ModuleType], journal: Journal) -> Iterator[None]:
    """Undo what an execution does to `sys.modules`, whatever happens.

    Modules that were imported for the first time stay unless the journal is undone.
    """
    before = dict(sys.modules)
    with contextlib.ExitStack() as locks:
        for module in originals:
            lock = bootstrap._ModuleLockManager(module.__name__)  # type: ignore[attr-defined]
            locks.enter_context(lock)
        try:
            yield
        finally:
            for module in originals:
                sys.modules[module.__name__] = module
            imported = {name: module for name, module in list(sys.modules.items())
                        if name not in before}
            journal.note(partial(_forget, imported))


def _forget(imported: dict[str, ModuleType]) -> None:
    """Take modules out of `sys.modules`, and out of their packages."""
    for name, module in imported.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and vars(sys.modules[parent]).get(child) is module:
            delattr(sys.modules[parent], child)


def execute(draft: ModuleType, code: CodeType) -> None:
    """Run a module's code in its draft."""
    sys.modules[draft.__name__] = draft
    exec(code, vars(draft))
    spec = vars(draft).get("__spec__")
    if spec is not None:
        spec._initializing = False


class _Retired(ModuleType):
    """A draft after the reload, for a thread that has got hold of it."""

    def __getattribute__(self, name: str) -> object:
        return getattr(_original(self), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_original(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_original(self), name)


def _original(draft: ModuleType) -> object:
    namespace: dict[str, object] = ModuleType.__getattribute__(draft, "__dict__")
    return namespace["__original__"]


def retire(draft: ModuleType, module: ModuleType) -> None:
    """Let a draft stand for the module: a thread that waited for it may have it."""
    vars(draft)["__original__"] = module
    draft.__class__ = _Retired


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """No automatic collection: what is made meanwhile is in the young generation."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
