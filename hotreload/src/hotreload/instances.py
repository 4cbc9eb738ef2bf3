"""Live instances of edited classes.

Most need nothing: their class is replaced under them. An instance is made anew
if it would not fit its new class, or if dicts and sets could not find it any
more because its class computes another hash. The new one takes the place of
the old one in the same `gc.remap` as everything else.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import gc
import sys
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import _abc  # type: ignore[import-not-found]

from .codes import same_code
from .errors import ReloadRefused
from .functions import is_a
from .journal import Journal
from .plan import Plan

_MISSING = object()
_HEAP_TYPE = 1 << 9
_IMMUTABLE = 1 << 8
_HAVE_GC = 1 << 14
_ABSTRACT = 1 << 20


def migrate(plan: Plan, journal: Journal) -> list[tuple[Any, dict[str, Any]]]:
    """Plan what happens to the instances of the classes that are replaced.

    Returns the instances whose class has a hook, each with its old attributes. Raises
    `ReloadRefused` if one does not fit its new class.
    """
    work = _Migration(plan, journal)
    work.find_classes()
    work.find_instances()
    return work.hooked


class _Migration:
    """Classes are known by their ids: metaclasses may say that two of them are equal."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self.plan = plan
        self.journal = journal
        self.hooked: list[tuple[Any, dict[str, Any]]] = []
        self._new = {id(old): new for old, new in plan.classes}
        self._forgotten = {id(old): new for new, old in plan.kept.values() if is_a(new, type)}
        """Classes of drafts for which old ones stay. Until the remap they go with the new ones."""
        self._wanted: dict[int, type] = {}
        """Classes whose instances are to be found."""
        self._anew: set[int] = set()
        self._fields: dict[int, dict[str, Callable[[], Any]]] = {}
        self._private: dict[int, list[tuple[str, str]]] = {}
        self._hooks: set[int] = set()
        self._stranded: set[int] = set()
        """Classes whose name has come to mean something else."""

    def find_classes(self) -> None:
        for old, new in self.plan.replaced.values():
            if isinstance(old, type) and not isinstance(new, type):
                self._new[id(old)] = _copy_of_class(old, type(old), old.__bases__)
                self._stranded.add(id(old))
                self._wanted[id(old)] = old
        drafts = {id(new) for _, new in self.plan.classes}
        for old, new in self.plan.classes:
            moved = layout(old) != layout(new)
            rehash = not moved and hashes_otherwise(old, new)
            fields = new_fields(old, new)
            hook = hasattr(new, "__reload__")
            meta = self.plan.former.get(id(type(new)), type(new))
            private = private_names(old, new)
            anew = moved or rehash or private is not None
            if not (anew or fields or hook or meta is not type(old)):
                continue
            for cls in _with_subclasses(old):
                if id(cls) in drafts:
                    continue
                if id(cls) not in self._new and (moved or not issubclass(type(cls), meta)):
                    self._new[id(cls)] = self._clone(cls)
                if anew:
                    self._anew.add(id(cls))
                if private is not None:
                    self._private.setdefault(id(cls), []).append(private)
                if hook:
                    self._hooks.add(id(cls))
                if fields:
                    self._fields.setdefault(id(cls), {}).update(fields)
                if anew or hook or fields:
                    self._wanted[id(cls)] = cls

    def _clone(self, cls: Any) -> Any:
        """A subclass elsewhere, made again for the new layout or metaclass of its base."""
        bases = tuple(self._new.get(id(base), base) for base in cls.__bases__)
        meta = self._new.get(id(type(cls)), self._forgotten.get(id(type(cls)), type(cls)))
        for base in bases:
            if issubclass(type(base), meta):
                meta = type(base)
        try:
            made = _copy_of_class(cls, meta, bases)
        except TypeError as error:
            raise ReloadRefused(f"the subclass {_name(cls)} cannot be made anew: {error}") from None
        self.plan.replace(cls, made)
        return made

    def find_instances(self) -> None:
        if not self._wanted:
            return
        for instance in [obj for obj in gc.get_referrers(*self._wanted.values())
                         if id(type(obj)) in self._wanted]:
            cls = type(instance)
            number = id(cls)
            if self.plan.is_replaced(instance):
                continue  # an enum member
            if number in self._stranded:
                self._move(instance, self._new[number])
                continue
            state = attributes(instance)
            values = {name: make() for name, make in self._fields.get(number, {}).items()
                      if name not in state}
            hooked = number in self._hooks
            if number in self._anew:
                made = self._rebuild(instance, self._new.get(number, cls),
                                     self._translated(number, {**state, **values}), hooked)
                self.plan.add_rebuilt(instance, made)
            else:
                for name, value in values.items():
                    self._set(instance, name, value)
            if hooked:
                self.hooked.append((instance, state))

    def _translated(self, number: int, state: dict[str, Any]) -> dict[str, Any]:
        for before, after in self._private.get(number, ()):
            state = {after + name.removeprefix(before) if name.startswith(before)
                     and not name.endswith("__") else name: value for name, value in state.items()}
        return state

    def _move(self, instance: Any, cls: type) -> None:
        before = type(instance)
        setter = type.__setattr__ if isinstance(instance, type) else object.__setattr__
        setter(instance, "__class__", cls)
        self.journal.note(lambda: setter(instance, "__class__", before))

    def _set(self, instance: Any, name: str, value: Any) -> None:
        object.__setattr__(instance, name, value)
        self.journal.note(lambda: object.__delattr__(instance, name))

    def _rebuild(self, instance: Any, cls: type, state: dict[str, Any], hooked: bool) -> Any:
        made = _empty_copy(instance, cls)
        shared = _share_namespace(instance, made)
        for name, value in state.items():
            if shared is not None and name not in shared:
                self.journal.note(partial(shared.pop, name, None))
            if not _store(made, name, value) and not hooked:
                raise ReloadRefused(
                    f"{_name(cls)} has no place for the attribute {name!r} of its live instances "
                    "(a __reload__ method could take it)")
        if weakref.getweakrefcount(instance) and not cls.__weakrefoffset__:
            raise ReloadRefused(
                f"{_name(cls)} has no place for the weak references to its live instances "
                "(put '__weakref__' into its __slots__)")
        return made


@contextlib.contextmanager
def _untold(bases: tuple[type, ...]) -> Iterator[None]:
    """Let classes be made from bases that do not hear of it: it is no news to them."""
    tellers = {id(cls): (cls, vars(cls)["__init_subclass__"]) for base in bases
               for cls in base.__mro__
               if "__init_subclass__" in vars(cls) and not cls.__flags__ & _IMMUTABLE}
    try:
        for cls, _ in tellers.values():
            type.__setattr__(cls, "__init_subclass__", classmethod(lambda cls, **arguments: None))
        yield
    finally:
        for cls, function in tellers.values():
            type.__setattr__(cls, "__init_subclass__", function)


def _make_class(meta: type, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
    with _untold(bases):
        return type.__new__(meta, name, bases, namespace)


def _copy_of_class(cls: Any, meta: type, bases: tuple[type, ...]) -> Any:
    """A class with what another one defines, and other bases or another layout."""
    slots = _slots_of(cls)
    namespace = {name: value for name, value in vars(cls).items()
                 if name not in ("__dict__", "__weakref__") and name not in slots}
    # It is no news to descriptors, either.
    untold = {name: value for name, value in namespace.items()
              if hasattr(type(value), "__set_name__")}
    made = _make_class(meta, cls.__name__, bases, namespace | dict.fromkeys(untold))
    for name, value in untold.items():
        type.__setattr__(made, name, value)
    made.__qualname__ = cls.__qualname__
    if "__abstractmethods__" in namespace:
        type.__setattr__(made, "__abstractmethods__", namespace["__abstractmethods__"])
    elif isinstance(made, abc.ABCMeta):
        _abc._abc_init(made)
    return made


def abandon(rebuilt: Iterable[tuple[Any, Any]]) -> None:
    """Let instances die that others have taken the place of.

    What they hold is in use in the others: they are not finalized. Native code under
    way may keep them for long: they are not found again as instances of their class.
    """
    known: dict[int, type] = {}
    for instance, other in rebuilt:
        cls = type(instance)
        if cls is not type(other) and not hasattr(cls, "__del__"):
            continue
        for base, slots in [] if id(cls) in known else _same_layouts(cls):
            # Whether one layout is like another depends on where it was added.
            with contextlib.suppress(TypeError):
                husk = _make_class(type(base), cls.__name__, (base,),
                                   {"__slots__": slots, "__del__": lambda self: None})
                object.__setattr__(instance, "__class__", husk)
                known[id(cls)] = husk
                break
        else:
            object.__setattr__(instance, "__class__", known[id(cls)])


def _same_layouts(cls: type) -> Iterator[tuple[type, list[str]]]:
    """Bases, and the slots that a class with the layout of this one adds to them.

    The base that is farthest comes first, the class itself is the last.
    """
    chain: list[Any] = [cls]
    while chain[-1] is not _builtin_base(cls):
        chain.append(chain[-1].__base__)
    while chain:
        base = chain.pop()
        slots = [name for added in chain for name in _slots_of(added)]
        if cls.__dictoffset__ and not base.__dictoffset__:
            slots.append("__dict__")
        if cls.__weakrefoffset__ and not base.__weakrefoffset__:
            slots.append("__weakref__")
        yield base, slots


def layout(cls: type) -> tuple[Any, ...]:
    """What two classes must have in common for instances to change over.

    As the interpreter compares it: what each base has added, be it only that it takes part
    in garbage collection. Bases that add nothing do not count.
    """
    added: list[Any] = []
    level: type = cls
    while _is_of_python(level):
        base = level.__base__
        assert base is not None
        if _shape(level) != _shape(base):
            added.append((sorted(_slots_of(level)), _shape(level)))
        level = base
    fields = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
    return level, added, fields


def _slots_of(cls: type) -> list[str]:
    """The slots that a class adds to those of its bases."""
    return [name for name, value in vars(cls).items()
            if is_a(value, types.MemberDescriptorType) and value.__objclass__ is cls]


def _shape(cls: type) -> tuple[int, ...]:
    return (cls.__basicsize__, cls.__itemsize__, cls.__dictoffset__, cls.__weakrefoffset__,
            cls.__flags__ & _HAVE_GC)


def private_names(old: type, new: type) -> tuple[str, str] | None:
    """How names of attributes begin that only a class uses, if it got another name."""
    before, after = (f"_{cls.__name__.lstrip('_')}__" for cls in (old, new))
    attributes: tuple[str, ...] = vars(old).get("__static_attributes__", ())
    if before == after or not any(
            name.startswith((before, "__")) and not name.endswith("__")
            for name in (*_slots_of(old), *attributes)):
        return None
    return before, after


def set_on_class(cls: type, name: str, value: Any) -> None:
    """Set an attribute of a class, without its metaclass having a say.

    Unless that is a C type for which it cannot be set twice (``_fields_``).
    """
    with contextlib.suppress(AttributeError):
        _builtin_base(type(cls)).__setattr__(cls, name, value)


def update_abstract_methods(cls: type, journal: Journal) -> None:
    """Let the subclasses of an edited abstract class know what they have to implement."""
    if not isinstance(cls, abc.ABCMeta):
        return
    for sub in [*_with_subclasses(cls)][1:]:
        if isinstance(sub, abc.ABCMeta):
            journal.note(partial(setattr, sub, "__abstractmethods__", sub.__abstractmethods__))
            abc.update_abstractmethods(sub)  # type: ignore[arg-type]


def hashes_otherwise(old: type, new: type) -> bool:
    """Whether the classes may compute different hashes for the same instance."""
    before, after = old.__hash__, new.__hash__
    if before is None or after is None:
        return before is not after
    if not (isinstance(before, types.FunctionType) and isinstance(after, types.FunctionType)):
        return before is not after
    if not same_code(before.__code__, after.__code__):
        return True
    return _hash_fields(old) != _hash_fields(new)


def _hash_fields(cls: type) -> list[str]:
    if not dataclasses.is_dataclass(cls):
        return []
    return [f.name for f in dataclasses.fields(cls)
            if (f.compare if f.hash is None else f.hash)]


def new_fields(old: type, new: type) -> dict[str, Callable[[], Any]]:
    """Fields of a dataclass that live instances do not have, with their defaults."""
    if not dataclasses.is_dataclass(new):
        return {}
    before = {f.name for f in dataclasses.fields(old)} if dataclasses.is_dataclass(old) else set()
    found: dict[str, Callable[[], Any]] = {}
    for f in dataclasses.fields(new):
        if f.name in before:
            continue
        if f.default is not dataclasses.MISSING:
            found[f.name] = _constant(f.default)
        elif f.default_factory is not dataclasses.MISSING:
            found[f.name] = f.default_factory
    return found


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def attributes(instance: Any) -> dict[str, Any]:
    """The attributes that an instance has of its own, in its dict and slots."""
    found: dict[str, Any] = {}
    cls = type(instance)
    for base in reversed(cls.__mro__):
        if not _is_of_python(base):
            continue
        for name, member in vars(base).items():
            if is_a(member, types.MemberDescriptorType) and member.__objclass__ is base:
                try:
                    found[name] = member.__get__(instance, cls)
                except AttributeError:
                    pass
    fields = getattr(cls, "_fields", None)
    if fields is not None and is_a(instance, tuple):
        found.update(zip(fields, instance))
    found.update(_namespace(instance) or ())
    return found


def restore_attributes(instance: Any, state: dict[str, Any]) -> None:
    """Set exactly these attributes."""
    for name in attributes(instance).keys() - state.keys():
        _forget(instance, name)
    for name, value in state.items():
        _store(instance, name, value)


def _namespace_of(cls: type) -> Any:
    """The descriptor of the dict that instances have, if they do.

    Classes may say that ``__dict__`` is something else, that of another object for example.
    """
    for base in cls.__mro__:
        member = vars(base).get("__dict__")
        if is_a(member, (types.GetSetDescriptorType, types.MemberDescriptorType)):
            return member
    return None


def _namespace(instance: Any) -> dict[str, Any] | None:
    descriptor = _namespace_of(type(instance))
    found = None if descriptor is None else descriptor.__get__(instance)
    return found if is_a(found, dict) else None


def _share_namespace(instance: Any, made: Any) -> dict[str, Any] | None:
    """Let a new instance have the dict of an old one, if others hold it: return it then.

    Instances that are one in what they know stay so. Not if attributes go into slots.
    """
    found = _namespace(instance)
    descriptor = _namespace_of(type(made))
    ours = 3  # the instance, the variable, the argument of getrefcount()
    if found is None or sys.getrefcount(found) <= ours \
            or not is_a(descriptor, types.GetSetDescriptorType) \
            or any(_slot(made, name) is not None for name in found):
        return None
    descriptor.__set__(made, found)
    return found


def _slot(instance: Any, name: str) -> types.MemberDescriptorType | None:
    for base in type(instance).__mro__:
        member = vars(base).get(name)
        if is_a(member, types.MemberDescriptorType) and _is_of_python(base):
            return member
    return None


def _store(instance: Any, name: str, value: Any) -> bool:
    """Set an attribute where instances keep it, without the class having a say."""
    if (slot := _slot(instance, name)) is not None:
        slot.__set__(instance, value)
        return True
    if is_a(instance, tuple) and name in getattr(type(instance), "_fields", ()):
        return True
    namespace = _namespace(instance)
    if namespace is None:
        return False
    namespace[name] = value
    return True


def _forget(instance: Any, name: str) -> None:
    if (slot := _slot(instance, name)) is not None:
        slot.__delete__(instance)
    elif (namespace := _namespace(instance)) is not None:
        namespace.pop(name, None)


_CONTENTS: dict[type, Callable[[Any], Any]] = {
    int: int.__int__, float: float.__float__, complex: complex.__complex__, str: str.__str__,
    bytes: bytes.__bytes__, tuple: tuple.__iter__, frozenset: frozenset.__iter__}
"""How to read an instance of a subclass, which may have methods of its own for that."""


@contextlib.contextmanager
def _concrete(cls: Any) -> Iterator[None]:
    """Let a class have instances even if it has become abstract: it had them before."""
    if not cls.__flags__ & _ABSTRACT:
        yield
        return
    methods = cls.__abstractmethods__
    type.__setattr__(cls, "__abstractmethods__", frozenset())
    try:
        yield
    finally:
        type.__setattr__(cls, "__abstractmethods__", methods)


def _empty_copy(instance: Any, cls: type) -> Any:
    """A new instance with the contents, but not the attributes, of an old one.

    Raises `ReloadRefused` if that cannot be done.
    """
    before: Any = _builtin_base(type(instance))
    after: Any = _builtin_base(cls)
    if after is object and before is object:
        with _concrete(cls):
            return object.__new__(cls)
    try:
        if issubclass(before, BaseException) and issubclass(after, BaseException):
            return _copy_of_exception(instance, before, after, cls)
        if before is object and not issubclass(cls, (tuple, type, BaseException)):
            return after.__new__(cls)
        if before is after and issubclass(cls, tuple) and hasattr(cls, "_fields"):
            return tuple.__new__(cls, _field_values(instance, cls))
        if before is after:
            return _copy_of_contents(instance, before, cls)
    except TypeError as error:
        raise ReloadRefused(f"instances of {_name(cls)} cannot be made anew: {error}") from None
    raise ReloadRefused(
        f"instances of {_name(cls)} are {before.__name__} objects, and cannot become "
        f"{after.__name__} objects; give the class another name, or let the old instances go")


def _copy_of_exception(instance: Any, before: Any, after: Any, cls: type) -> Any:
    made = after.__new__(cls, *before.__reduce__(instance)[1])
    for base in before.__mro__:
        if issubclass(after, base):
            for member in vars(base).values():
                if isinstance(member, types.MemberDescriptorType):
                    with contextlib.suppress(AttributeError):
                        member.__set__(made, member.__get__(instance))
    made.__cause__, made.__context__ = instance.__cause__, instance.__context__
    made.__suppress_context__ = instance.__suppress_context__
    return made.with_traceback(instance.__traceback__)


def _copy_of_contents(instance: Any, base: Any, cls: type) -> Any:
    if base in _CONTENTS:
        return base.__new__(cls, _CONTENTS[base](instance))
    arguments, *state = _reduced(instance, base)
    made = base.__new__(cls, *arguments)
    if base.__init__ is not object.__init__:
        base.__init__(made, *arguments)
    if state and state[0] is not None and hasattr(base, "__setstate__"):
        base.__setstate__(made, state[0])
    if issubclass(base, dict):
        for key, value in base.items(instance):
            base.__setitem__(made, key, value)
    elif issubclass(base, (list, deque, bytearray)):
        base.extend(made, base.__iter__(instance))
    elif issubclass(base, set):
        base.update(made, base.__iter__(instance))
    return made


def _reduced(instance: Any, base: Any) -> tuple[Any, ...]:
    """What a builtin type would pickle: arguments, and perhaps a state.

    Not asked are the methods of the program's own class.
    """
    if base in (list, dict, OrderedDict, set, bytearray):
        return ((),)
    reduced: Any = None
    if base.__reduce__ is not object.__reduce__:
        reduced = base.__reduce__(instance)
    elif base.__reduce_ex__ is not object.__reduce_ex__:
        reduced = base.__reduce_ex__(instance, 4)
    if type(reduced) is not tuple or reduced[0] is not type(instance):
        raise TypeError(f"their contents belong to {base.__name__}")
    return reduced[1:]


def _field_values(instance: Any, cls: Any) -> Iterator[Any]:
    values = dict(zip(getattr(type(instance), "_fields", ()), instance))
    for name in cls._fields:
        value = values.get(name, cls._field_defaults.get(name, _MISSING))
        if value is _MISSING:
            raise ReloadRefused(f"live instances of {_name(cls)} have no value for the new field "
                                f"{name!r}, and it has no default: give it one")
        yield value


def _is_of_python(cls: type) -> bool:
    """Whether a class was made by a ``class`` statement, as far as one can tell."""
    return cls.__flags__ & (_HEAP_TYPE | _IMMUTABLE) == _HEAP_TYPE


def _builtin_base(cls: type) -> Any:
    base: type = cls
    while _is_of_python(base):
        assert base.__base__ is not None
        base = base.__base__
    return base


def _with_subclasses(cls: type) -> Iterable[type]:
    """A class and all its subclasses, bases first."""
    found = {id(cls): cls}
    pending = deque([cls])
    while pending:
        subclasses: list[type] = type.__subclasses__(pending.popleft())
        for sub in subclasses:
            found.setdefault(id(sub), sub)
            pending.append(sub)
    return found.values()


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
