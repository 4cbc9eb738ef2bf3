"""What one `gc.remap` is going to do.

A match of an old and a new object ends in one of two ways: the old one is *kept*, and what
refers to the new one will refer to it, or it is *replaced* by the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from . import codes
from .functions import rebuild

if TYPE_CHECKING:
    from .match import Matcher

# Their identity means nothing, and the compiler shares them.
VALUES = (bool, int, str, float, complex, bytes, type(None), type(...), type(NotImplemented),
           range, slice, CodeType, ModuleType)


class Plan:
    """What a reload is going to replace."""

    def __init__(self, drafts: list[tuple[ModuleType, ModuleType]]) -> None:
        self.drafts = drafts
        self.matchers: dict[str, Matcher] = {}
        """One for each module, by its name."""
        self.replaced: dict[int, tuple[Any, Any]] = {}
        self.kept: dict[int, tuple[Any, Any]] = {}
        self.codes: dict[int, tuple[CodeType, CodeType]] = {}
        self.classes: list[tuple[type, type]] = []
        self.carried: list[tuple[type, str, Any]] = []
        self.registered: list[tuple[type, type]] = []
        self.refreshed: list[tuple[Any, Any]] = []
        self.attributes: list[tuple[FunctionType, str, Any]] = []
        self.rebuilt: list[tuple[Any, Any]] = []
        self.rebuilt_ids: set[int] = set()
        self.merged: list[tuple[Any, Any]] = []
        """Objects that others, which have taken the place of something else, stand for as well."""
        self.functions: list[tuple[FunctionType, FunctionType]] = []
        self.state: list[tuple[Any, Any]] = []
        """Values that stay, old and new: the draft may have registered more with the new ones."""
        self.former: dict[int, Any] = {}
        """The old object for each new one that has one, by its id."""
        self._targets: set[int] = set()
        self.undoable: list[tuple[Any, Any]] = []
        """Pairs that are replaced the other way to undo it."""
        self.pairs: list[tuple[Any, Any]] = []
        """These and others, which replace what only the drafts have led to."""

    def forget(self) -> None:
        """Let go of what drafts have made: a traceback may hold this plan for long."""
        for part in vars(self).values():
            part.clear()

    def replace(self, old: Any, new: Any) -> None:
        """Replace an object, unless its fate has been decided.

        A new object takes the place of one old object only, so that the
        replacement can be undone.
        """
        if old is new or id(old) in self.replaced or id(new) in self._targets:
            return
        if type(old) in VALUES:
            return
        if id(new) in self.kept or self.is_kept(old):
            return
        self.replaced[id(old)] = old, new
        self.former[id(new)] = old
        self._targets.add(id(new))

    def keep(self, old: Any, new: Any) -> None:
        """Let the old object stand for the new one, which is forgotten."""
        if old is new or id(new) in self.kept or id(new) in self._targets:
            return
        if id(old) in self.replaced:
            return
        self.kept[id(new)] = new, old
        self.former[id(new)] = old
        self._targets.add(id(old))

    def is_kept(self, old: Any) -> bool:
        return id(old) in self._targets

    def is_replaced(self, old: Any) -> bool:
        return id(old) in self.replaced

    def decided(self, old: Any, new: Any) -> bool:
        return id(old) in self.replaced or id(new) in self.kept or id(new) in self._targets \
            or id(old) in self._targets

    def final_globals(self, function: FunctionType) -> dict[str, Any]:
        """The namespace that a function of a draft is going to have."""
        for draft, module in self.drafts:
            if function.__globals__ is draft.__dict__:
                return vars(module)
        return function.__globals__

    def is_added(self, made: Any) -> bool:
        """Whether a definition of a draft has no old one, by name or by what it does."""
        return "<locals>" not in made.__qualname__ and id(made) not in self.former

    def are_of_one_kind(self, old: Any, new: Any) -> bool:
        """Whether the type of two objects is the same, before and after."""
        return type(old) is type(new) or type(old) is self.former.get(id(type(new)))

    def is_decorated_otherwise(self, made: Any) -> bool:
        """Whether the decorators of a definition have been edited."""
        matcher = self.matchers.get(made.__module__)
        return matcher is not None and matcher.is_decorated_otherwise(made.__qualname__)

    def registered_otherwise(self, definitions: list[Any]) -> bool:
        """Whether what may register some definitions of drafts has been edited."""
        return any(matcher.registers_otherwise(made) for made in definitions
                   if (matcher := self.matchers.get(made.__module__)) is not None)

    def resolve(self, new: Any) -> Any:
        """What will be where the new object is now."""
        return self.kept.get(id(new), (None, new))[1]

    def move_code(self, old: CodeType, new: CodeType) -> None:
        if old != new and id(old) not in self.codes and codes.replaceable(old, new):
            self.codes[id(old)] = old, new

    def add_rebuilt(self, old: Any, new: Any) -> None:
        """An instance that is made anew."""
        self.rebuilt.append((old, new))
        self.rebuilt_ids |= {id(old), id(new)}

    def give_globals(self, draft: ModuleType, module: ModuleType,
                     functions: Iterable[FunctionType]) -> None:
        """Make each function of the draft that is not forgotten one of the module."""
        for function in functions:
            if id(function) not in self.kept:
                self.functions.append((function, rebuild(function, vars(module))))

    def finish(self) -> None:
        """Say what to replace by what."""
        final = {id(draft): function for draft, function in self.functions}
        self.undoable += [(old, final.get(id(new), new)) for old, new in
                          [*self.replaced.values(), *self.rebuilt, *self.codes.values()]]
        rebuilt = {id(old): made for old, made in self.rebuilt}
        kept = [(new, rebuilt.get(id(old), old)) for new, old in self.kept.values()]
        self.pairs += [*self.undoable, *kept, *self.functions, *self.drafts]
