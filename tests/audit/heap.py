"""A heap in which an instance of every type written in C is alive."""

import dataclasses
import gc
import importlib
import os
import pkgutil
import sys

import _testinternalcapi

import makers

HAVE_GC = 1 << 14
# Modules that programs do not meet: CPython's tests, and what opens a window.
NOT_IMPORTED = ("_test", "xx", "_tkinter", "antigravity", "this", "idlelib",
                "turtledemo", "lib2to3", "test")


def name_of(cls):
    return f"{cls.__module__}.{cls.__qualname__}"


def import_extensions():
    """Imports every module that is written in C."""
    missing = []
    for name in sorted({*sys.builtin_module_names,
                        *(m.name for m in pkgutil.iter_modules(
                            [p for p in sys.path if p.endswith("lib-dynload")
                             or "build/lib." in p]))}):
        if not name.startswith(NOT_IMPORTED):
            try:
                importlib.import_module(name)
            except ImportError as e:
                missing.append((name, str(e)))
    return missing


def all_types():
    """Every type that is alive."""
    seen = set()
    todo = [object]
    while todo:
        cls = todo.pop()
        if cls not in seen:
            seen.add(cls)
            todo += type.__subclasses__(cls)
    return seen


class Python:
    """A class made by a class statement: its traversal is nobody's own."""


OF_PYTHON_CLASSES = _testinternalcapi.traversal_functions(Python)


def types_to_audit():
    """The types written in C that have a tp_traverse of their own."""
    found = set()
    for cls in all_types():
        traverse, _ = _testinternalcapi.traversal_functions(cls)
        if not traverse or traverse == OF_PYTHON_CLASSES[0] \
                or cls.__module__.startswith(("_test", "xx")) \
                or cls.__name__ == "testBufType":   # of _testcapi
            continue
        base = cls.__base__
        # All struct sequences have one function: those of the makers and of
        # sys are enough.
        sequence = hasattr(cls, "n_sequence_fields") and cls is not os.stat_result
        if not sequence and (
                base is None or
                _testinternalcapi.traversal_functions(base)[0] != traverse):
            found.add(cls)
    return found


@dataclasses.dataclass
class Made:
    """What one maker has made."""

    maker: makers.Maker
    instance: object
    keep: tuple


def populate():
    """One instance from each maker, and the errors of makers that fail."""
    made, errors = [], []
    for m in makers.load():
        try:
            instance, keep = m.make()
        except Exception as e:
            errors.append(f"{m.name}: {type(e).__name__}: {e}")
            continue
        got = name_of(type(instance))
        if got != m.type_name:
            errors.append(f"{m.name}: makes {got}, not {m.type_name}")
        made.append(Made(m, instance, keep))
    return made, errors


def modules():
    """The modules written in C: their states hold references."""
    return [m for m in sys.modules.values() if type(m) is type(sys)
            and getattr(getattr(m, "__spec__", None), "origin", None)
            and not m.__spec__.origin.endswith(".py")]


def objects():
    """Every object that the collector knows, the frozen ones included."""
    gc.unfreeze()
    return gc.get_objects()
