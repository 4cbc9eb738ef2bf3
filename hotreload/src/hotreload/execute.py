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
from _thread import get_ident
from types import CodeType, ModuleType
from typing import Any

from .journal import Journal

_ATTRIBUTES = ("__file__", "__cached__", "__loader__", "__package__", "__path__",
               "__builtins__")


def draft_of(module: ModuleType, originals: dict[str, ModuleType]) -> ModuleType:
    """An empty module of the same name.

    A package has its submodules from the beginning, as drafts if they are among the
    `originals`, the modules that are executed again.
    """
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
            if name.startswith(prefix) and "." not in child and child in namespace \
                    and namespace[child] is originals.get(name, loaded):
                vars(draft)[child] = loaded
    return draft


@contextlib.contextmanager
def drafts_in_place(originals: list[ModuleType], journal: Journal) -> Iterator[list[ModuleType]]:
    """Undo what an execution does to `sys.modules`, whatever happens.

    Gives the drafts of the packages that the modules are in. Modules that were
    imported for the first time stay unless the journal is undone.
    """
    before = dict(sys.modules)
    packages = _packages_of(originals)
    with contextlib.ExitStack() as locks:
        for module in originals:
            lock = bootstrap._ModuleLockManager(module.__name__)  # type: ignore[attr-defined]
            locks.enter_context(lock)
        try:
            sys.modules.update(packages)
            yield [*packages.values()]
        finally:
            for module in [*originals, *map(original_of, packages.values())]:
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


class _Package(ModuleType):
    """A package while modules in it are executed: it has their drafts.

    ``from . import units`` asks the package, and not `sys.modules`. Otherwise, and for
    other threads, it is the package that the program has.
    """

    def __getattribute__(self, name: str) -> object:
        namespace: dict[str, Any] = ModuleType.__getattribute__(self, "__dict__")
        if name in namespace["__drafts__"] and namespace["__thread__"] == get_ident():
            draft = sys.modules.get(f"{namespace['__name__']}.{name}")
            if draft is not None:
                return draft
        return getattr(namespace["__original__"], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(original_of(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(original_of(self), name)


def _packages_of(modules: list[ModuleType]) -> dict[str, ModuleType]:
    """Drafts of the packages that contain some modules, by name."""
    found: dict[str, ModuleType] = {}
    for module in modules:
        name = module.__name__
        while (parent := name.rpartition(".")[0]) and parent in sys.modules:
            if parent not in found:
                package = _Package(parent)
                namespace = ModuleType.__getattribute__(package, "__dict__")
                namespace.update(__original__=sys.modules[parent], __drafts__=set(),
                                 __thread__=get_ident())
                found[parent] = package
            namespace = ModuleType.__getattribute__(found[parent], "__dict__")
            namespace["__drafts__"].add(name.rpartition(".")[2])
            name = parent
    return found


def execute(draft: ModuleType, code: CodeType) -> None:
    """Run a module's code in its draft.

    Raises what the code raises.
    """
    sys.modules[draft.__name__] = draft
    exec(code, vars(draft))
    spec = vars(draft).get("__spec__")
    if spec is not None:
        spec._initializing = False


class _Retired(ModuleType):
    """A draft after the reload, for a thread that has got hold of it."""

    def __getattribute__(self, name: str) -> object:
        return getattr(original_of(self), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(original_of(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(original_of(self), name)


def original_of(module: ModuleType) -> ModuleType:
    """The module that a retired draft, or the draft of a package, stands for."""
    namespace = ModuleType.__getattribute__(module, "__dict__")
    original: ModuleType = namespace["__original__"]
    return original


def retire(draft: ModuleType, module: ModuleType) -> None:
    """Let a draft stand for the module: a thread that waited for it may have it."""
    ModuleType.__getattribute__(draft, "__dict__")["__original__"] = module
    object.__setattr__(draft, "__class__", _Retired)


class Made:
    """What has been made since, by the execution of drafts.

    These are the objects of the youngest generation, and if the program has called the
    collector meanwhile, those that were in it then.
    """

    def __init__(self) -> None:
        gc.collect(0)
        self._ids: set[int] = set()
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: object) -> None:
        if phase == "start":
            self._ids.update(map(id, gc.get_objects(generation=0)))

    def objects(self) -> list[Any]:
        """All of them. To be called once."""
        gc.callbacks.remove(self._note)
        found = gc.get_objects(generation=0)
        if self._ids:
            found += [obj for generation in (1, 2) for obj in gc.get_objects(generation=generation)
                      if id(obj) in self._ids]
        return found


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
