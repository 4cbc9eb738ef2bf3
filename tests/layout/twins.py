"""Where tp_traverse has its twin tp_traverse_change, the two visit the same
references in the same order; and the types without a twin are these."""

import gc
import types

import _testinternalcapi

import argparse, array, ast, asyncio, collections, contextvars, csv, ctypes
import dataclasses, datetime, decimal, enum, fractions, functools, hashlib
import io, itertools, json, logging, mmap, operator, pickle, pyexpat, queue
import random, re, socket, sqlite3, ssl, struct, threading, typing
import unicodedata, unittest.mock, weakref, xml.etree.ElementTree, zoneinfo

HAVE_GC = 1 << 14
TWIN = 1 << 21

# Modules none of whose types written in C has a twin yet ...
MODULES = """
    _abc _asyncio _contextvars _csv _ctypes _elementtree _io _json
    _pickle _queue _sre _socket _ssl _struct _thread
    array ast datetime decimal itertools mmap operator pickle pyexpat re
    sqlite3 typing unicodedata weakref xml.etree.ElementTree zoneinfo
""".split()

# ... all the hash functions ...
HASHES = ("_md5", "_sha1", "_sha2", "_sha3", "_blake2", "_hashlib", "_hmac")

# ... and types of modules where others have one.
TYPES = """
    builtins.InstructionSequence builtins.PyCapsule builtins._buffer_wrapper
    builtins.bytearray_iterator builtins.bytes_iterator builtins.hamt
    builtins.hamt_array_node builtins.hamt_bitmap_node
    builtins.hamt_collision_node builtins.items builtins.keys
    builtins.str_ascii_iterator builtins.str_iterator builtins.values
    interpreters.InterpreterError interpreters.InterpreterNotFoundError
""".split()

# What programs are made of: none of these may lose it.
REQUIRED = [
    list, tuple, dict, set, frozenset, type, property, classmethod,
    staticmethod, super, slice, enumerate, zip, map, filter, reversed,
    BaseException, Exception, OSError, ImportError, StopIteration,
    ExceptionGroup,
    types.FunctionType, types.MethodType, types.CellType, types.ModuleType,
    types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType,
    types.FrameType, types.TracebackType, types.MappingProxyType,
    types.BuiltinMethodType, types.GenericAlias, types.UnionType,
    functools.partial, functools._lru_cache_wrapper,
    collections.deque, collections.OrderedDict, collections.defaultdict,
    type(iter([])), type(iter(())), type(iter({})), type(iter(set())),
    type(iter({}.values())), type(iter({}.items())), type(reversed([])),
    type(reversed({})), type(iter(collections.deque())),
    type(iter(collections.OrderedDict())), type(iter(int, 1)),
    type({}.keys()), type({}.values()), type({}.items()),
]


class InstanceOfAll(list):
    __slots__ = ("a", "__dict__", "__weakref__")


def name_of(cls):
    return f"{cls.__module__}.{cls.__qualname__}"


def all_types():
    seen = set()
    todo = [object]
    while todo:
        cls = todo.pop()
        if cls not in seen:
            seen.add(cls)
            todo += type.__subclasses__(cls)
    return seen


def generator(x):
    y = [x]
    yield y


def example():
    """Objects in states that imports alone do not lead to."""
    g = generator(1)
    next(g)
    try:
        raise ValueError(g)
    except ValueError as e:
        error = e
    instance = InstanceOfAll([g])
    instance.a = instance.b = error
    deep = collections.deque(range(200))
    deep.rotate(70)
    holes = dict.fromkeys(range(20))
    del holes[3]
    return [g, error, error.__traceback__, instance, deep, iter(deep), holes,
            iter(holes), generator(2), types.SimpleNamespace(a=1),
            collections.OrderedDict(a=g), collections.defaultdict(list, a=g),
            functools.partial(generator, g, x=g),
            functools.lru_cache(generator), super(InstanceOfAll, instance)]


for cls in REQUIRED:
    assert cls.__flags__ & TWIN, cls

without = {cls for cls in all_types()
           if cls.__flags__ & HAVE_GC and not cls.__flags__ & TWIN}
unlisted = {name_of(cls) for cls in without
            if cls.__module__ not in MODULES
            and not cls.__module__.startswith(HASHES)
            and not cls.__module__.startswith("_test")
            and name_of(cls) not in TYPES}
assert not unlisted, f"without a twin: {sorted(unlisted)}"
stale = ({*TYPES} - {name_of(cls) for cls in without}
         | {*MODULES} - {cls.__module__ for cls in without})
assert not stale, f"no longer without: {sorted(stale)}"

kept = example()
objects = gc.get_objects()
assert len(objects) > 20_000
kinds = {type(x) for x in objects}
assert kinds >= {types.FrameType, types.GeneratorType, InstanceOfAll}, kinds
# Python classes that have a base without a twin visit what they add themselves.
wrong = [x for x in _testinternalcapi.traverse_change_mismatches(objects, True)
         if without.isdisjoint(type(x).__mro__)]
assert not wrong, wrong[:10]

print("ok")
