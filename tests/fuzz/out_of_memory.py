"""Wherever memory runs out, gc.remap() changes everything or nothing.

Among holders of every kind a remap is made in which the n-th allocation fails,
for n = 0, 1, 2, ... until none fails any more.  In one mode all fail from there
on, in the other that one alone.  After each MemoryError the heap is compared
with what it was: the type and the references of every object, in their order, and
the number of those to it, its weak references, the subclasses, MRO and slots of
classes, what the interpreter's own tables hold, and whether each key of each
table is found; and the same remap must still be possible.  If there is none, the
change must be complete.

    python tests/fuzz/out_of_memory.py
    python tests/fuzz/out_of_memory.py --case classes --from 120
"""

import argparse
import builtins
import codecs
import collections
import contextvars
import enum
import faulthandler
import functools
import gc
import itertools
import os
import signal
import sys
import time
import types
import weakref

import _testcapi

FOREVER = 0     # for set_nomemory()


class Thing:
    """Hashed by identity."""


class Key:
    """Hashed by what it holds."""

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return hash(self.value)

    def __eq__(self, other):
        return type(other) is Key and self.value == other.value


def ignore(*args):
    pass


def function_of(value, default=None):
    def inner(x=value, *, y=default):
        return x, y, value
    return inner


def nested_code(value):
    """A function with the value among the constants of an inner one."""
    def outer():
        def inner():
            return "constant", ("constant", 1)
        return inner
    code = outer.__code__
    inner = next(c for c in code.co_consts if type(c) is types.CodeType)
    inner = inner.replace(co_consts=tuple(
        ((value, 1), value) if type(c) is tuple else c for c in inner.co_consts))
    return types.FunctionType(code.replace(co_consts=tuple(
        inner if type(c) is types.CodeType else c for c in code.co_consts)), {})


def generator_of(value):
    local = [value]
    yield value
    yield local


async def coroutine_of(value):
    await Waits(value)


async def async_generator_of(value):
    yield value


class Waits:
    def __init__(self, value):
        self.value = value

    def __await__(self):
        value = self.value
        yield
        return value


class Loop:
    """As much of an event loop as a Future needs."""

    def get_debug(self):
        return False

    def call_soon(self, *args, **kwargs):
        pass

    def call_exception_handler(self, *args):
        pass


def started(iterator):
    next(iterator)
    return iterator


def holders_of(old):
    """Every kind of holder, open and typed, at several depths."""
    generator = generator_of(old)
    next(generator)
    context = contextvars.copy_context()
    variable = contextvars.ContextVar("variable")
    context.run(variable.set, old)
    context.run(contextvars.ContextVar(f"of {id(old)}").set, (old,))
    cached = functools.lru_cache(lambda x: (x,))
    cached(old)
    dictionary = {i: i for i in range(20)}
    dictionary.update({old: 1, (old, 1): old, Key(old): old})
    del dictionary[3]
    namespace = types.SimpleNamespace(value=old)
    ordered = collections.OrderedDict([(1, 1), (old, 2), ((old,), old)])
    weak = weakref.WeakKeyDictionary({old: 1})
    module = types.ModuleType("module")
    module.value = old
    return [
        [old, [old]], (old, (old, "text")), dictionary, {"key": old},
        {old, (old,), 1, 2, 3}, frozenset([old, frozenset([old])]),
        {frozenset([(old, Key(old))]): 1}, ordered, collections.deque([old]),
        collections.Counter([old]), collections.defaultdict(list, {old: [old]}),
        generator, context, variable, cached, namespace, weak, module,
        weakref.WeakSet([old]), weakref.ref(old), weakref.ref(old, print),
        weakref.WeakValueDictionary({1: old}), function_of(old, old),
        functools.partial(print, old, end=old), types.MethodType(print, old),
        property(print, old), slice(old, old), iter([old]), zip([old], (old,)),
        map(print, [old]), enumerate([old]), reversed([old]),
        types.MappingProxyType({old: 1}), memoryview(b"abc"), super(Thing, Thing()),
        ValueError(old), types.CellType(old), {old: 1}.items(), iter({old: 1}),
    ]


def more_holders_of(old):
    """Those of the modules written in C."""
    # The heap of the other cases stays small: the more there is, the more
    # allocations there are to fail.
    import asyncio
    import io
    import operator
    import pickle
    import threading
    import xml.etree.ElementTree
    import _queue

    deep = contextvars.Context()
    for variable in [contextvars.ContextVar(str(i)) for i in range(40)]:
        deep.run(variable.set, old)
    coroutine = coroutine_of(old)
    coroutine.send(None)
    asynchronous = async_generator_of(old)
    future = asyncio.Future(loop=Loop())
    future.set_result(old)
    waiting = asyncio.Future(loop=Loop())
    waiting.add_done_callback(functools.partial(print, old), context=deep)
    local = threading.local()
    local.value = old
    queue = _queue.SimpleQueue()
    queue.put(old)
    element = xml.etree.ElementTree.Element("a")
    element.text = old
    pickler = pickle.Pickler(io.BytesIO())
    pickler.persistent_id = (lambda _, value=old: None)
    pickler.dump([[1], (2, "x")])
    tee, _ = itertools.tee([old, old])
    unbounded = functools.lru_cache(None)(lambda x: [x])
    unbounded((old, 1))
    unbounded(Key(old))
    return [
        deep, coroutine, asynchronous, future, waiting, local, queue, element,
        pickler, tee, unbounded,
        started(itertools.product([old, 1], repeat=2)),
        started(itertools.cycle([old, 1])), itertools.accumulate([old]),
        itertools.groupby([old]), itertools.zip_longest([old], [old]),
        {(old, i): i for i in range(30)}, {Key((old, i)) for i in range(30)},
        collections.OrderedDict((Key((old, i)), old) for i in range(10)),
        started(iter({old: 1, 2: 2})), operator.itemgetter(old), list[old],
        operator.methodcaller("x", old, key=old), collections.ChainMap({old: old}),
        collections.UserDict({old: old}), classmethod(old), staticmethod(old),
        collections.deque([old] * 200), weakref.finalize(old, ignore),
        weakref.WeakMethod(Waits(old).__await__),
    ]


def things():
    old, new = Thing(), Thing()
    return [[old, new]], holders_of(old)


def more_things():
    old, new = Thing(), Thing()
    return [[old, new]], more_holders_of(old)


def code():
    old, new = Thing(), Thing()
    return [[old, new]], [old, nested_code(old), {nested_code(old).__code__: 1}]


def swap():
    one, other = Thing(), Thing()
    return [[one, other], [other, one]], [holders_of(one), holders_of(other)]


def classes():
    def define(base):
        class Base:
            base_attribute = 1

            def __init__(self):
                self.attribute = [self]

            def method(self):
                return __class__

            def __eq__(self, other):
                return type(self) is type(other)

            def __hash__(self):
                return hash(type(self))

            @property
            def value(self):
                return self.attribute

        class Middle(Base, base):
            def method(self):
                return super().method()

        class Leaf(Middle):
            __slots__ = ("slot",)
        return Base, Middle, Leaf
    old, new = define(Thing), define(Thing)
    enums = [enum.Enum("E", ["A", "B"]), enum.Enum("E", ["A", "B"])]
    single = functools.singledispatch(print)
    single.register(old[1], repr)
    single.dispatch(old[1])
    instances = [cls() for cls in old]
    tables = [{x: x for x in instances}, set(instances), {*old}, {*enums[0]},
              {cls: cls for cls in old}, weakref.WeakSet(old), single,
              [x.method() for x in instances], [x.method for x in instances],
              old[1] | int, list[old[1]]]
    pairs = [list(pair) for pair in zip(old, new)] + [enums]
    return pairs, [instances, tables, [c.__subclasses__() for c in old]]


def functions():
    def new(x=5, *, y=6):
        return y, x, free
    free = 7
    old = function_of(1)
    return [[old, new], [old.__code__, new.__code__]], [
        holders_of(old), types.FunctionType(old.__code__, {}, "f", (1,), (
            types.CellType(5),))]


def bases():
    """Subclasses that stay, below classes that are replaced."""
    class Old:
        def method(self):
            return "old"

        def __len__(self):
            return 1

    class New:
        def method(self):
            return "new"

        def __bool__(self):
            return False

    class Other(New):
        pass

    class Left(Old):
        pass

    class Right(Old, Thing):
        def __repr__(self):
            return "Right"

    class Bottom(Left, Right):
        pass

    class Meta(type):
        def mro(cls):
            return type.mro(cls)

    class Made(Right, metaclass=Meta):
        pass
    kept = [Other, Left, Right, Bottom, Made]
    return [[Old, New]], [kept, [c() for c in kept], {c: c for c in kept}]


def orders():
    """Bases in an order that changes in several classes at once; a class on
    its way out keeps those that it has."""
    class A:
        def method(self):
            return "A"

    class B:
        def method(self):
            return "B"

    class X(A, B):
        pass

    class Y(A, B):
        pass

    class Bottom(X, Y):
        pass

    class Merged:
        pass

    class Gone(A, Merged):
        pass

    class New:
        pass

    class Below(Gone):
        pass
    kept = [X, Y, Bottom, Below]
    return [[A, B], [B, A], [Merged, B], [Gone, New]], [
        kept, [c() for c in kept], {c: c for c in kept}]


VARIABLE = contextvars.ContextVar("of the program")


def roots():
    """What the interpreter itself holds."""
    old, new = (lambda *args: None), (lambda *args: 1)
    signal.signal(signal.SIGUSR2, old)
    codecs.register_error("of the program", old)
    sys.set_asyncgen_hooks(firstiter=old, finalizer=old)
    sys.excepthook = old
    VARIABLE.set([old])
    if sys.monitoring.get_tool(3) is None:
        sys.monitoring.use_tool_id(3, "out of memory")
    sys.monitoring.register_callback(3, sys.monitoring.events.LINE, old)
    gc.callbacks[:] = [old]
    return [[old, new]], [old]


def of_the_interpreter():
    if sys.monitoring.get_tool(3) is None:
        return []       # not the case
    callback = sys.monitoring.register_callback(
        3, sys.monitoring.events.LINE, None)
    sys.monitoring.register_callback(3, sys.monitoring.events.LINE, callback)
    return [signal.getsignal(signal.SIGUSR2), sys.excepthook, callback,
            codecs.lookup_error("of the program"), *sys.get_asyncgen_hooks(),
            *VARIABLE.get(), *gc.callbacks]


CASES = {f.__name__: f
         for f in (things, swap, classes, bases, orders, functions,
                    roots, code, more_things)}


def reachable(root, without=()):
    """The objects of the case, and nothing of the program."""
    program = [globals(), vars(builtins), Thing, Key, *CASES.values()]
    seen = {*map(id, program), *without}
    found = []
    todo = [root]
    while todo:
        x = todo.pop()
        if id(x) in seen or (
                isinstance(x, types.ModuleType) and x.__name__ in sys.modules
                or isinstance(x, type) and x.__module__ != "__main__"):
            continue
        seen.add(id(x))
        found.append(x)
        todo += gc.get_referents(x)
        if isinstance(x, weakref.ref):
            todo.append(x())
        if isinstance(x, type):
            todo += type.__subclasses__(x)
    return found


def is_found(table):
    """Every key of a table is where its hash says."""
    if type(table) in (dict, collections.OrderedDict, collections.Counter,
                       collections.defaultdict):
        return all(any(k is x for x in [next(
            (y for y in (k,) if y in table), None)]) and table[k] is v
            for k, v in list(table.items()))
    if type(table) in (set, frozenset):
        return all(k in table for k in list(table))
    return True


def referents(x):
    """In order; attributes as if there were no __dict__, which undo may make."""
    found = gc.get_referents(x)
    if type(x).__module__ == "__main__" and not isinstance(x, type):
        found = [z for y in found
                 for z in (gc.get_referents(y) if type(y) is dict else [y])]
    return [id(y) for y in found]


def picture(objects):
    """What is compared: one entry for each object."""
    return [(type(x).__name__, id(x), id(type(x)), referents(x),
             id(x()) if isinstance(x, weakref.ref) else None,
             [*map(id, weakref.getweakrefs(x))]
             if not isinstance(x, type) else
             [*map(id, type.__subclasses__(x)), *map(id, x.__mro__)],
             bool(x) if type(x).__module__ == "__main__" else None)
            for x in objects]


def counts(pairs, objects):
    """How many references there are to each; the picture has made its own."""
    return [sys.getrefcount(x) for x in itertools.chain(objects, *pairs)]


def describe_difference(objects, before, after):
    for x, old, new in zip(objects, before, after):
        if old != new:
            return f"{type(x).__name__} object: {old} became {new}"
    return "?"


def remains(pairs, world, interpreter):
    """What is not as a complete change leaves it, None if all is."""
    replacement = {id(old): id(new) for old, new in pairs}
    gone = {*replacement} - {*replacement.values()}
    # What an old class says of itself is its own affair.
    objects = reachable([world], gone)
    for x in objects:
        if not is_found(x):
            return f"a key is not found in {type(x).__name__} object"
    if [replacement.get(x, x) for x in interpreter] != \
            [*map(id, of_the_interpreter())]:
        return "something of the interpreter is not what it should be"
    for holder in objects:
        for x in gc.get_referents(holder):
            if id(x) in gone:
                return (f"a '{type(x).__name__}' object is left in "
                        f"a '{type(holder).__name__}' object")
    return None


def fail(name, mode, n):
    """One remap; returns what happened, and what is wrong with it."""
    pairs, world = CASES[name]()
    gc.collect()            # what was made for the last failure
    objects = [x for x in reachable([world]) if x is not pairs]
    picture(objects)        # makes what is made on the first use
    before = picture(objects)
    interpreter = [*map(id, of_the_interpreter())]
    counted = counts(pairs, objects)
    error = None
    _testcapi.set_nomemory(n, n + 1 if mode == "once" else FOREVER)
    try:
        gc.remap(pairs)
    except MemoryError as e:
        error = str(e) or "MemoryError"
    finally:
        _testcapi.remove_mem_hooks()
    if error is None:
        return "changed", remains(pairs, world, interpreter)
    recounted = counts(pairs, objects)
    after = picture(objects)
    if before != after:
        return "undone", describe_difference(objects, before, after)
    if interpreter != [*map(id, of_the_interpreter())]:
        return "undone", "something of the interpreter is another"
    if counted != recounted:
        at = next(i for i, n in enumerate(counted) if n != recounted[i])
        x = [*objects, *itertools.chain(*pairs)][at]
        return "undone", (f"{counted[at]} references to a '{type(x).__name__}' "
                          f"object have become {recounted[at]}")
    for x in objects:
        if not is_found(x):
            return "undone", f"a key is not found in {type(x).__name__} object"
    gc.remap(pairs)
    if picture(objects) == before:
        return "undone", "the same remap changes nothing any more"
    return "undone", None


def run_case(name, mode, first, last):
    """Fails allocation after allocation; returns (failures, problems, n)."""
    problems = []
    undone = 0
    for n in itertools.count(first):
        outcome, problem = fail(name, mode, n)
        undone += outcome == "undone"
        if problem is not None:
            problems.append(f"{name}, {mode}, n = {n}: {problem}")
        # A single failure may be one that the interpreter does not mind.
        if outcome == "changed" and (mode == "forever" or n >= last):
            return undone, problems, n


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[*CASES],
                        help="default: all")
    parser.add_argument("--mode", choices=["once", "forever"])
    parser.add_argument("--from", type=int, default=0, dest="first",
                        metavar="N", help="the first allocation that fails")
    options = parser.parse_args()
    faulthandler.enable()
    # Collections need not look at the program itself.
    gc.freeze()
    total, bad = 0, []
    for name in CASES:
        last = 0
        for mode in ("forever", "once"):
            if (options.case in (None, name)
                    and options.mode in (None, mode)):
                start = time.monotonic()
                undone, problems, last = run_case(name, mode, options.first, last)
                total += undone
                bad += problems
                print(f"{name}, {mode}: {undone} of {last - options.first + 1} "
                      f"failures undone, {time.monotonic() - start:.1f} s",
                      flush=True)
                for problem in problems:
                    print(problem, flush=True)
    print(f"out of memory: {total} failures undone, {len(bad)} problems")
    sys.stdout.flush()
    os._exit(1 if bad else 0)


if __name__ == "__main__":
    main()
