"""The cheap way: nothing but bodies of functions has been edited.

Then the module need not be executed: each function keeps its identity and gets
its new code. The heap is walked only if a function within a function has been
edited, to find its closures.

The way is left, for the one that executes the module, when that could make a
difference: an edited function decorates, makes a class or computes a default,
or has got other free variables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType

from . import codes
from .caches import forget_results
from .functions import functions_with, reachable
from .journal import Journal
from .outline import Skeleton
from .source import Record, Source

_RUN_FOR_SUBCLASSES = {"__init_subclass__", "__class_getitem__", "__mro_entries__",
                       "__prepare__"}
_RUN_FOR_DECORATED = {"__init__", "__new__", "__call__", "__set_name__", "__get__",
                      "_generate_next_value_"}


@dataclass(slots=True)
class Bodies:
    """What has to be done to one module."""

    module: ModuleType
    record: Record
    source: Source
    swaps: list[tuple[FunctionType, CodeType]] = field(default_factory=list)
    inner: list[tuple[CodeType, CodeType]] = field(default_factory=list)
    """Code that functions run which the namespace does not lead to."""
    changed: list[str] = field(default_factory=list)

    def apply(self, journal: Journal) -> None:
        """Give the functions their code. The caller remaps `inner`."""
        for function, code in self.swaps:
            if function.__doc__ != _doc(code) and function.__doc__ == _doc(function.__code__):
                journal.set_attribute(function, "__doc__", _doc(code))
            self.record.retire_inner(function.__code__)
            journal.set_attribute(function, "__code__", code)

    def finish(self) -> None:
        """Forget results that the old code has computed."""
        edited = {id(code) for _, code in self.swaps
                  if f"{self.record.name}:{code.co_qualname}" in self.changed}
        edited |= {id(new) for old, new in self.inner if not codes.same_code(old, new)}
        forget_results(edited)


def plan(module: ModuleType, record: Record, new: Source) -> Bodies | None:
    """The cheap way for a module, or None if there is none."""
    old = record.source
    if old is None:
        return None
    if old.skeleton.shape != new.skeleton.shape or len(old.definitions) != len(new.definitions):
        return None
    if any(code.co_name == "__reload__" for code in old.definitions):
        return None
    pairs = list(zip(old.definitions, new.definitions))
    edited = [i for i, pair in enumerate(pairs) if not codes.same_code(*pair)]
    if any(_runs_at_import(pairs[i][0], old.skeleton)
           or not codes.replaceable(*pairs[i]) for i in edited):
        return None
    # Two on one line cannot be told apart.
    index = {(code.co_qualname, code.co_firstlineno): i for i, (code, _) in enumerate(pairs)}
    if len(index) != len(pairs):
        return None
    found = _find(module, index, edited)
    if found is None:
        return None
    result = Bodies(module, record, new)
    for function, i in found:
        old_code, new_code = function.__code__, pairs[i][1]
        if old_code != new_code:
            result.swaps.append((function, new_code))
            if i in edited:
                result.inner += record.pair_inner(old_code, new_code)
                if old_code.co_name in old.skeleton.in_loops:
                    result.inner.append((old_code, new_code))
    result.changed = list(dict.fromkeys(
        f"{record.name}:{pairs[i][1].co_qualname}" for i in edited))
    return result


def _find(module: ModuleType, index: dict[tuple[str, int], int],
          edited: list[int]) -> list[tuple[FunctionType, int]] | None:
    """The live functions with their positions, or None if one is missing.

    An edited function that the namespace does not lead to is looked for on the
    heap: it may have been overwritten there, and be registered elsewhere.
    """
    def known(functions: list[FunctionType]) -> list[tuple[FunctionType, int]]:
        return [(f, i) for f in functions
                if (i := index.get((f.__code__.co_qualname, f.__code__.co_firstlineno), -1)) >= 0]
    found = known(list(reachable(module)))
    positions = {i for _, i in found}
    if not positions.issuperset(edited):
        found = known(functions_with(vars(module))[0])
        qualnames = {f.__code__.co_qualname for f, _ in found}
        missing = set(edited) - {i for _, i in found}
        names = {qualname for (qualname, _), i in index.items() if i in missing}
        # Of two functions in the branches of an `if` only one is alive.
        if not names <= qualnames:
            return None
    return found


def _runs_at_import(code: CodeType, skeleton: Skeleton) -> bool:
    if code.co_name in ("__hash__", "__eq__"):
        return True  # tables have to be repaired
    if code.co_name == "_generate_next_value_":
        return True  # members of an enum get their values from it
    root, _, rest = code.co_qualname.partition(".")
    if root in skeleton.makers | skeleton.defaults:
        return not rest or code.co_name in _RUN_FOR_DECORATED | _RUN_FOR_SUBCLASSES
    return root in skeleton.bases and code.co_name in _RUN_FOR_SUBCLASSES


def _doc(code: CodeType) -> object:
    first = code.co_consts[0] if code.co_consts else None
    return first if isinstance(first, str) else None
