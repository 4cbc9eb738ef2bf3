"""Which new object takes the place of which old one.

Definitions are matched by qualified name. Nothing is changed here: what is decided goes
into a `Plan`.
"""

from __future__ import annotations

import abc
import contextlib
import enum
import gc
from collections import deque
from collections.abc import Container, Iterable, Iterator
from types import (
    CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType)
from typing import Any

import _abc  # type: ignore[import-not-found]

from . import codes
from .functions import LRU_CACHE, is_a, is_wrapper, parts
from .outline import Outline
from .plan import VALUES, Plan
from .source import Record, Source

_MISSING = object()
_HEAP_TYPE = 1 << 9

CONTAINERS = (list, dict, set, deque, bytearray)

_OF_THE_MODULE = {"__name__", "__file__", "__cached__", "__loader__", "__package__",
                  "__path__", "__spec__", "__builtins__"}

_ALWAYS_NEW = {"__all__", "__annotations__", "__doc__"}
"""What executing a module makes of the whole of it."""

_DESCRIPTORS = (MemberDescriptorType, GetSetDescriptorType)

_OF_A_CLASS = {"__dict__", "__weakref__", "__module__", "__qualname__", "__doc__",
               "__firstlineno__", "__static_attributes__", "__slots__", "_abc_impl",
               "__annotations__", "__classcell__"}


class Matcher:
    """Matches the objects of a module with those of its draft."""

    def __init__(self, plan: Plan, module: ModuleType, draft: ModuleType,
                 record: Record, source: Source, fresh: Container[int]) -> None:
        self.plan = plan
        plan.matchers[module.__name__] = self
        self.module = module
        self.draft = draft
        self.name = module.__name__
        self.record = record
        self.old_outline = record.source.outline if record.source is not None else None
        self.outline = source.outline
        self._rebound = source.skeleton.rebound
        self.changed: list[str] = []
        self.added: list[str] = []
        self.deleted: dict[str, Any] = {}
        self.state: list[str] = []
        self.values: list[tuple[str, Any, Any]] = []
        """Values that cannot be found by their identity: name, old, new."""
        self.namespace: dict[str, Any] = {}
        """What the module's names are going to refer to."""
        self.before = dict(vars(module))
        self._fresh = fresh
        self._moved: set[str] = set()
        self._changes: dict[tuple[int, int], bool] = {}
        self._old_headers = self.old_outline.headers if self.old_outline else {}
        self._headers = self.outline.headers

    # What has moved comes first, in all modules, and then definitions: what they decide
    # holds for the definitions, and the values, that refer to them.

    def moves(self) -> None:
        """Match definitions that are gone from here with those that others have got."""
        if self.old_outline is None:
            return
        before, after = vars(self.module), vars(self.draft)
        for name, old in before.items():
            if not self._is_mine(old) or not self.old_outline.is_definition(name):
                continue
            if name not in after:
                new = self._elsewhere(name, old)
            elif self.outline.is_import(name):
                new = after[name]
            else:
                continue
            if id(new) in self._fresh and is_a(new, (type, FunctionType)):
                self.pair(old, new, name, True)
                self.plan.replace(old, new)
                self._moved.add(name)
            elif name in after:
                self.values.append((name, old, new))

    def _elsewhere(self, name: str, old: Any) -> Any:
        """The one new definition of this name in the other modules.

        A module may have imported the old one.
        """
        found = [vars(other.draft)[name] for other in self.plan.matchers.values()
                 if other is not self and name in vars(other.draft)
                 and (name not in vars(other.module)
                      or vars(other.module)[name] is old and other._was_import(name))
                 and other.outline.is_definition(name)]
        return found[0] if len(found) == 1 else None

    def definitions(self) -> None:
        old, new = vars(self.module), vars(self.draft)
        missing = []
        for name in [*old, *(name for name in new if name not in old)]:
            if name in _OF_THE_MODULE:
                self.namespace[name] = old.get(name, new.get(name))
            elif name not in new:
                missing.append(name)
            elif name not in old:
                self.namespace[name] = new[name]
            elif self._is_definition(name, old[name], new[name]):
                self._definition(name, old[name], new[name])
        self._missing(missing)
        for name in new:
            if name not in old and not self.outline.is_import(name) and name in self.outline:
                self.added.append(f"{self.name}:{name}")

    def _is_definition(self, name: str, old: Any, new: Any) -> bool:
        if not self.outline.is_definition(name):
            return False
        if self.old_outline is not None and name in self.old_outline:
            return not self._was_import(name)
        return getattr(old, "__module__", None) == self.name

    def _was_import(self, name: str) -> bool:
        """Whether what the name was bound to belongs to another module."""
        return self.old_outline is not None and self.old_outline.is_import(name) \
            and not self.old_outline.is_definition(name)

    def _definition(self, name: str, old: Any, new: Any) -> None:
        if self.pair(old, new, name, self._edited(self.old_outline, self.outline, name)):
            self.plan.replace(old, new)
        if type(old) in VALUES:
            self.values.append((name, old, new))
        # An object that is kept has been replaced by itself.
        self.namespace[name] = new

    def _edited(self, old: Outline | None, new: Outline | None, name: str) -> bool:
        """Whether what makes a definition, or is done to it then, has been edited."""
        if old is None or new is None:
            return False
        return old.decorators(name) != new.decorators(name) or self._has_new_makers(new, name) \
            or old.mutations(name) != new.mutations(name)

    def _has_new_makers(self, new: Outline, name: str) -> bool:
        """Whether what decorates a definition runs new code."""
        return any(f"{self.name}:{maker}" == changed or changed.startswith(f"{self.name}:{maker}.")
                   for maker in new.makers(name) for changed in self.changed)

    def _missing(self, names: list[str]) -> None:
        """Names that the new module does not have: deleted, renamed or set at run time."""
        old, new = vars(self.module), vars(self.draft)
        for name in names:
            value = old[name]
            bound = name in self.old_outline if self.old_outline is not None \
                else self._is_mine(value)
            if not bound:
                self.namespace[name] = value
            elif name in self._moved:
                self.deleted[name] = None
            elif (other := self._renamed(name)) is not None:
                self.pair(value, new[other], other, False)
                self.plan.replace(value, new[other])
                self.deleted[name] = None
            else:
                mine = self._is_mine(value) or self.old_outline is not None \
                    and not self.old_outline.is_import(name)
                self.deleted[name] = value if mine else None

    def _renamed(self, name: str) -> str | None:
        """The new name of a definition that is otherwise the same."""
        body = self.old_outline.body(name) if self.old_outline is not None else []
        if not body:
            return None
        found = [other for other in self.outline if self.outline.body(other) == body
                 and other not in vars(self.module) and other in vars(self.draft)]
        return found[0] if len(found) == 1 else None

    def _is_mine(self, value: Any) -> bool:
        return is_a(value, (type, FunctionType)) and value.__module__ == self.name

    # Functions that the namespace does not lead to, and values.

    def leftovers(self, olds: list[FunctionType], made: Iterable[Any]) -> None:
        """Match functions that are registered somewhere, but bound to no name.

        `olds` are all functions of the module, `made` has those of the draft.
        """
        news = [f for f in made
                if is_a(f, FunctionType) and f.__globals__ is vars(self.draft)]
        old_by_name = by_qualname(olds)
        for qualname, candidates in by_qualname(news).items():
            if "<locals>" not in qualname:
                for old, new in mates(old_by_name.get(qualname, []), candidates):
                    if not self.plan.decided(old, new):
                        self.pair(old, new, qualname, False)
        for old in olds:
            for code in self._codes_for(old.__code__, news):
                self.plan.move_code(old.__code__, code)
        self.plan.give_globals(self.draft, self.module, news)

    def _codes_for(self, old: CodeType, news: list[FunctionType]) -> list[CodeType]:
        """The one new code for a closure that nothing has matched."""
        if "<locals>" not in old.co_qualname or id(old) in self.plan.codes:
            return []
        found = {id(f.__code__): f.__code__ for f in news
                 if f.__code__.co_qualname == old.co_qualname}
        return list(found.values()) if len(found) == 1 else []

    def is_decorated_otherwise(self, qualname: str) -> bool:
        """Whether the decorators of a definition have been edited."""
        old_block, name = _block(self.old_outline, qualname)
        block, _ = _block(self.outline, qualname)
        return old_block is not None and block is not None \
            and old_block.decorators(name) != block.decorators(name)

    def registers_otherwise(self, made: Any) -> bool:
        """Whether decorators of a definition, or calls of the module, have been edited."""
        if self.old_outline is None:
            return False
        name = made.__qualname__.partition(".")[0]
        return self.old_outline.decorators(name) != self.outline.decorators(name) \
            or self.old_outline.calls != self.outline.calls

    def remaining_values(self) -> None:
        old, new = vars(self.module), vars(self.draft)
        for name in old:
            if name in new and name not in self.namespace:
                self._value(name, old[name], new[name])

    def _value(self, name: str, old: Any, new: Any) -> None:
        if old is new:
            self.namespace[name] = old
            return
        if name in _ALWAYS_NEW or self.outline.is_import(name):
            self.namespace[name] = old if self._is_rebound_import(name, old) else new
            return
        if self._same_initialiser(name, old, new):
            self.namespace[name] = old
            self.state.append(f"{self.name}:{name}")
            if self._may_move(new) and not self.plan.decided(old, new):
                self._keep_value(old, new, name)
            return
        self.namespace[name] = new
        self.changed.append(f"{self.name}:{name}")
        if self.plan.decided(old, new):
            pass
        elif self._was_import(name):
            self.values.append((name, old, new))
        elif is_a(old, (type, FunctionType)) and self._is_mine(old) and id(new) in self._fresh:
            self.pair(old, new, name, True)
            self.plan.replace(old, new)
        elif self._may_move(new) and self._may_move_away(old):
            self.plan.replace(old, new)
        else:
            self.values.append((name, old, new))

    def _is_rebound_import(self, name: str, old: Any) -> bool:
        """Whether a function has given another value to a name that was imported."""
        return (self.old_outline is not None and name in self._rebound
                and self.old_outline.source(name) == self.outline.source(name)
                and not any(value is old for matcher in self.plan.matchers.values()
                            if matcher is not self for value in matcher.before.values()))

    def _same_initialiser(self, name: str, old: Any, new: Any) -> bool:
        if self.old_outline is None:
            return True
        contents = is_a(old, CONTAINERS) and is_a(new, CONTAINERS)
        if name not in self.old_outline and name not in self.outline:
            return True  # a function has bound it: ``global CACHE``
        return name in self.old_outline and (
            self.old_outline.source(name, mutations=contents)
            == self.outline.source(name, mutations=contents))

    def _keep_value(self, old: Any, new: Any, name: str) -> None:
        if is_a(new, (type, FunctionType)) \
                or is_wrapper(new) and self.plan.are_of_one_kind(old, new):
            self.pair(old, new, name, False)
        else:
            self.plan.keep(old, new)
        self.plan.state.append((old, new))

    def _may_move(self, new: Any) -> bool:
        """Whether the execution made this object, and its identity counts."""
        if type(new) in VALUES or type(new) is dict and "__builtins__" in new:
            return False  # (the latter are globals of functions made by exec())
        if type(new) is object or not gc.is_tracked(new) and type(new).__flags__ & _HEAP_TYPE \
                and self._belongs_to_the_program(type(new).__module__):
            return True  # a sentinel
        return id(new) in self._fresh or type(new) in CONTAINERS

    def _may_move_away(self, old: Any) -> bool:
        """Whether an old value belongs to this module, wherever else it is."""
        if type(old) in CONTAINERS:
            return True
        kind = type(old)
        return (kind.__flags__ & _HEAP_TYPE != 0
                and self._belongs_to_the_program(kind.__module__))

    @staticmethod
    def _belongs_to_the_program(name: str) -> bool:
        from .source import records
        return name in records or name == "__main__"

    def new_items(self) -> dict[str, Any]:
        """Names whose object is not going to be there by being replaced."""
        items = {}
        for name, new in self.namespace.items():
            old = self.before.get(name, _MISSING)
            replacement = self.plan.replaced.get(id(old), (old, old))[1]
            if replacement is not new and self.plan.resolve(new) is not old:
                items[name] = new
        return items

    def old_namespace(self, replaced: list[tuple[Any, Any]]) -> dict[str, Any]:
        """The module's names as they were before, for its hook."""
        olds = {id(new): old for old, new in replaced}
        return {name: olds.get(id(value), value) for name, value in self.before.items()}

    # One pair of objects.

    def pair(self, old: Any, new: Any, qualname: str, edited: bool) -> bool:
        """Decide the fate of two objects that belong together.

        Returns whether something in them runs new code.
        """
        if old is new:
            return False
        key = id(old), id(new)
        if key in self._changes:
            return self._changes[key]
        self._changes[key] = False
        if is_a(old, FunctionType) and is_a(new, FunctionType):
            changed = self._functions(old, new, edited)
        elif is_a(old, type) and is_a(new, type):
            changed = self._classes(old, new, edited)
        elif self.plan.are_of_one_kind(old, new) and is_wrapper(old):
            changed = self._wrappers(old, new, edited)
        else:
            self.plan.replace(old, new)
            self.changed.append(f"{self.name}:{qualname}")
            changed = True
        self._changes[key] = changed
        return changed

    def _functions(self, old: FunctionType, new: FunctionType, edited: bool) -> bool:
        self._move_codes(old.__code__, new.__code__)
        mine = old.__globals__ is vars(self.module) and new.__globals__ is vars(self.draft)
        if edited or not _is_same_namespace(old.__globals__, self.plan.final_globals(new)):
            same = False
        elif mine:
            same = codes.same_code(old.__code__, new.__code__) and self._same_header(old, new)
        else:
            same = codes.same_code(old.__code__, new.__code__)
        if same:
            self.plan.keep(old, new)
        else:
            self.plan.replace(old, new)
            if mine:
                self._carry_attributes(old, new, edited)
            if mine and "<locals>" not in new.__code__.co_qualname:
                self.changed.append(f"{self.name}:{new.__code__.co_qualname}")
        inner = self._parts(old, new)
        if same and hasattr(old, "__wrapped__"):
            self.plan.refreshed.append((old, new))
        return inner or not same

    def _carry_attributes(self, old: FunctionType, new: FunctionType, edited: bool) -> None:
        """Take over attributes that a function was given at run time.

        Those of a wrapper go with it, and an edited decorator gives others.
        """
        before, after = old.__code__.co_qualname, new.__code__.co_qualname
        if "<locals>" in before and before != after:
            return
        if self.old_outline is None or _fills(self.old_outline, old.__qualname__) \
                != _fills(self.outline, new.__qualname__):
            return
        for attribute, value in vars(old).items():
            if attribute != "__wrapped__" and not is_wrapper(value) \
                    and not (edited and attribute in vars(new)):
                self.plan.attributes.append((new, attribute, value))

    def _move_codes(self, old: CodeType, new: CodeType) -> None:
        self.plan.move_code(old, new)
        # Those that do the same move too: the lines of their tracebacks may be others.
        for old_inner, new_inner in [*self.record.pair_inner(old, new),
                                     *codes.pair_inner(old, new)]:
            self.plan.move_code(old_inner, new_inner)

    def _same_header(self, old: FunctionType, new: FunctionType) -> bool:
        headers = [known.get((f.__code__.co_qualname, f.__code__.co_firstlineno))
                   for f, known in ((old, self._old_headers), (new, self._headers))]
        if None not in headers:
            return headers[0] == headers[1]
        return (repr(old.__defaults__) == repr(new.__defaults__)
                and repr(old.__kwdefaults__) == repr(new.__kwdefaults__))

    def _wrappers(self, old: Any, new: Any, edited: bool) -> bool:
        changed = self._parts(old, new)
        # Results that old code has computed are not carried over.
        if edited or changed and is_a(old, LRU_CACHE):
            self.plan.replace(old, new)
            return True
        self.plan.keep(old, new)
        if changed:
            self.plan.refreshed.append((old, new))
        return changed

    def _parts(self, old: Any, new: Any) -> bool:
        changed = False
        new_parts = parts(new)
        for label, old_part in parts(old).items():
            new_part = new_parts.get(label, _MISSING)
            if new_part is old_part or not self._is_made_here(new_part):
                continue
            if is_a(old_part, type) == is_a(new_part, type) and is_wrapper(old_part) \
                    == is_wrapper(new_part):
                changed |= self.pair(old_part, new_part, str(label), False)
        return changed

    def _is_made_here(self, obj: Any) -> bool:
        return is_a(obj, (type, FunctionType)) and id(obj) in self._fresh \
            or is_wrapper(obj) and not is_a(obj, type)

    # Classes.

    def _classes(self, old: Any, new: Any, edited: bool) -> bool:
        if new.__module__ != self.name and old.__module__ != self.name:
            if id(new) in self._fresh:
                self.plan.replace(old, new)
            return True
        outlines = (_class_outline(self.old_outline, old.__qualname__),
                    _class_outline(self._home_outline(new), new.__qualname__))
        same_source = not edited and self._same_class_source(old, new, outlines)
        same = same_source and self._same_ancestors(old, new)
        members = self._members(old, new, *outlines)
        if same and not members:
            self.plan.keep(old, new)
            self._keep_members(old, new)
            return False
        self.plan.replace(old, new)
        self.plan.classes.append((old, new))
        self._carry(old, new, *outlines)
        if is_a(new, enum.EnumType) and is_a(old, enum.EnumType):
            self._enum_members(old, new)
        if is_a(new, abc.ABCMeta) and is_a(old, abc.ABCMeta):
            for ref in _abc._get_dump(old)[0]:
                if (registered := ref()) is not None:
                    self.plan.registered.append((new, registered))
        if not same_source or not members:
            self.changed.append(f"{new.__module__}:{new.__qualname__}")
        return True

    def _home_outline(self, new: type) -> Outline | None:
        """The outline of the module that a class is in now."""
        home = self.plan.matchers.get(new.__module__)
        return home.outline if home is not None else None

    def _same_ancestors(self, old: type, new: type) -> bool:
        if self.plan.resolve(type(new)) is not type(old) or self.plan.is_replaced(type(old)):
            return False
        return len(old.__bases__) == len(new.__bases__) and all(
            self.plan.resolve(n) is o and not self.plan.is_replaced(o)
            for o, n in zip(old.__bases__, new.__bases__))

    def _same_class_source(self, old: type, new: type,
                           outlines: tuple[Outline | None, Outline | None]) -> bool:
        old_outline, outline = outlines
        if old_outline is None or outline is None:
            return set(vars(old)) == set(vars(new))
        if list(old_outline) != list(outline):
            return False
        if old.__doc__ != new.__doc__ or \
                getattr(old, "__match_args__", ()) != getattr(new, "__match_args__", ()):
            return False
        if repr(vars(old).get("__annotations__")) != repr(vars(new).get("__annotations__")):
            return False
        return all(old_outline.is_definition(name) and outline.is_definition(name)
                   and old_outline.decorators(name) == outline.decorators(name)
                   or old_outline.source(name, mutations=True)
                   == outline.source(name, mutations=True) for name in outline)

    def _members(self, old: type, new: type, old_outline: Outline | None,
                 outline: Outline | None) -> bool:
        """Match what two classes define. Returns whether any of it changed."""
        changed = False
        before, after = vars(old), vars(new)
        for name, value in after.items():
            if name in _OF_A_CLASS or name not in before or before[name] is value:
                continue
            if outline is not None and name not in outline:
                continue  # made by a decorator or metaclass
            mate = before[name]
            if is_a(value, (FunctionType, type)) and is_a(mate, (FunctionType, type)) \
                    or is_wrapper(value) and self.plan.are_of_one_kind(mate, value):
                if is_a(value, (FunctionType, type)) and id(value) not in self._fresh:
                    continue
                edited = self._edited(old_outline, outline, name) \
                    or self._is_filled_otherwise(old, new, name)
                changed |= self.pair(mate, value, f"{new.__qualname__}.{name}", edited)
        return changed

    def _keep_members(self, old: Any, new: Any) -> None:
        """What is in a class that is forgotten is what is in the kept one."""
        for name, value in vars(new).items():
            if name not in _OF_A_CLASS and name in vars(old) and is_a(value, CONTAINERS):
                self.plan.state.append((vars(old)[name], value))
        if is_a(new, enum.EnumType):
            for name in new.__members__:
                if name in old.__members__:
                    self.plan.keep(old.__members__[name], new.__members__[name])

    def _is_filled_otherwise(self, old: type, new: type, name: str) -> bool:
        """Whether what the module does to an attribute of a class has been edited."""
        home = self._home_outline(new)
        return self.old_outline is not None and home is not None and (
            self.old_outline.mutations(f"{old.__qualname__}.{name}")
            != home.mutations(f"{new.__qualname__}.{name}"))

    def _carry(self, old: type, new: type, old_outline: Outline | None,
               outline: Outline | None) -> None:
        """Take over attributes that have changed, or been added, at run time."""
        if is_a(new, enum.EnumType) or is_a(old, enum.EnumType) \
                or old_outline is None or outline is None:
            return
        made_otherwise = self._is_class_made_otherwise(old, new)
        before, after = vars(old), vars(new)
        for name, value in before.items():
            if name in _OF_A_CLASS or is_a(value, _DESCRIPTORS) \
                    or is_a(after.get(name), _DESCRIPTORS) \
                    or self._is_filled_otherwise(old, new, name):
                continue
            if name in old_outline:
                carried = name in after and self._is_same_attribute(
                    name, value, after[name], old_outline, outline)
            elif name in after:
                carried = name not in outline and not _is_dunder(name) and (
                    self._is_filled(old, name)
                    or not made_otherwise and _is_state(value, after[name], old))
            else:
                carried = not made_otherwise and not _is_dunder(name)
            if carried:
                self._carry_value(new, name, value)

    def _carry_value(self, new: type, name: str, value: Any) -> None:
        self.plan.carried.append((new, name, value))
        made = vars(new).get(name, value)
        if self._may_move(made) and not self.plan.decided(value, made):
            self._keep_value(value, made, f"{new.__qualname__}.{name}")
        else:
            self.plan.state.append((value, made))

    @staticmethod
    def _is_same_attribute(name: str, value: Any, made: Any,
                           old_outline: Outline, outline: Outline) -> bool:
        """Whether the initialiser of a class attribute has not been edited."""
        contents = is_a(value, CONTAINERS) and is_a(made, CONTAINERS)
        return not old_outline.is_definition(name) and not outline.is_definition(name) \
            and old_outline.source(name, mutations=contents) \
            == outline.source(name, mutations=contents)

    def _is_filled(self, old: type, name: str) -> bool:
        """Whether the module binds an attribute of a class, below it."""
        return self.old_outline is not None \
            and bool(self.old_outline.mutations(f"{old.__qualname__}.{name}"))

    def _is_class_made_otherwise(self, old: Any, new: Any) -> bool:
        """Whether a decorator, a metaclass or a base may give a class other attributes."""
        old_block, old_name = _block(self.old_outline, old.__qualname__)
        block, name = _block(self._home_outline(new), new.__qualname__)
        if old_block is None or block is None \
                or old_block.decorators(old_name) != block.decorators(name):
            return True
        return self._has_new_makers(block, name) or not _is_same_method(super(old, old).__init_subclass__,
                                   super(new, new).__init_subclass__)

    def _enum_members(self, old: Any, new: Any) -> None:
        news = new.__members__
        for name, member in old.__members__.items():
            if name in news:
                self._replace_or_merge(member, news[name])
            else:
                self.deleted[f"{new.__qualname__}.{name}"] = self._without_name(member, old, new)
        if issubclass(new, enum.Flag) and issubclass(old, enum.Flag):
            for member in list(old._value2member_map_.values()):
                if member.name not in old.__members__:
                    with contextlib.suppress(ValueError):
                        self._replace_or_merge(member, new(_composite_value(member, old, new)))

    def _replace_or_merge(self, member: Any, new: Any) -> None:
        """Replace a member, also if the new one has been an alias for another one since."""
        self.plan.replace(member, new)
        if not self.plan.is_replaced(member):
            self.plan.merged.append((member, new))

    def _without_name(self, member: Any, old: Any, new: Any) -> Any:
        """A member that the enum does not have any more: made anew if it would not fit."""
        kind = new._member_type_
        if kind is old._member_type_:
            return member
        try:
            made = kind.__new__(new, *[] if kind is object else [member._value_])
        except (TypeError, ValueError):
            return member
        vars(made).update(vars(member))
        self.plan.replace(member, made)
        return made


def _composite_value(member: Any, old: Any, new: Any) -> int:
    """What several flags at once are now, and bits without a name."""
    value: int = member._value_
    named = 0
    for name in old._member_names_:
        flag = old._member_map_[name]._value_
        if value & flag:
            value &= ~flag
            named |= new.__members__[name]._value_ if name in new.__members__ else 0
    return value | named


def _class_outline(outline: Outline | None, qualname: str) -> Outline | None:
    for name in qualname.split("."):
        if outline is None:
            return None
        outline = outline.classes.get(name)
    return outline


def _block(outline: Outline | None, qualname: str) -> tuple[Outline | None, str]:
    """The outline of what a definition is in, and its name there."""
    parent, _, name = qualname.rpartition(".")
    return (_class_outline(outline, parent) if parent else outline), name


def _fills(outline: Outline, qualname: str) -> list[str]:
    """What is done to a definition, where it is and by the module."""
    block, name = _block(outline, qualname)
    inside = block.mutations(name) if block is not None and block is not outline else []
    return inside + outline.mutations(qualname)


def _is_same_namespace(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two globals are the same, or were made alike for `exec()`, as by ``namedtuple()``."""
    return old is new or old.keys() == new.keys() and all(
        _is_same_plainly(value, new[name]) for name, value in old.items())


def _is_same_plainly(old: Any, new: Any) -> bool:
    """Whether two values are the same object, number or string, or both an empty dict."""
    return old is new or type(old) is type(new) and (
        type(old) in VALUES and bool(old == new) or type(old) is dict and not old and not new)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_state(value: Any, made: Any, cls: type) -> bool:
    """Whether a value that something has given a class is what the program has made of it.

    Then it is empty when the class has just been made. What has been computed from the class
    itself is not carried over.
    """
    if made is None:
        return type(value) not in VALUES and not is_a(value, (type, FunctionType, tuple))
    if not is_a(made, CONTAINERS) or made or type(value) is not type(made):
        return False
    names = {*vars(cls), *vars(cls).get("__annotations__", ())}
    attributes = {id(attribute) for attribute in vars(cls).values()}
    contents = [*value, *(value.values() if is_a(value, dict) else ())]
    return not any(type(item) is str and item in names or id(item) in attributes
                   and type(item) not in VALUES for item in contents)


def _is_same_method(old: Any, new: Any) -> bool:
    before, after = (getattr(method, "__func__", None) for method in (old, new))
    if is_a(before, FunctionType) and is_a(after, FunctionType):
        return codes.same_code(before.__code__, after.__code__)
    return before is after


def by_qualname(functions: list[FunctionType]) -> dict[str, list[FunctionType]]:
    found: dict[str, list[FunctionType]] = {}
    for function in sorted(functions, key=lambda f: f.__code__.co_firstlineno):
        found.setdefault(function.__code__.co_qualname, []).append(function)
    return found


def mates(olds: list[FunctionType],
           news: list[FunctionType]) -> Iterator[tuple[FunctionType, FunctionType]]:
    """Functions of the same name that belong together: in their order, or doing the same."""
    if len(olds) != len(news):
        olds = list(olds)
        remaining = []
        for new in news:
            old = next((f for f in olds if codes.same_code(f.__code__, new.__code__)), None)
            if old is None:
                remaining.append(new)
            else:
                olds = [f for f in olds if f is not old]
                yield old, new
        news = remaining
    if len(olds) == len(news):
        yield from zip(olds, news)
