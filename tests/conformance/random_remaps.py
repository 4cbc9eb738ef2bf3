"""A program that replaces objects at random and uses what comes of it.

    random_remaps.py SEED STEPS [-v]

It knows nothing of what is right: it must not die.  test_safety.py runs it.
"""

import abc
import collections
import copy
import faulthandler
import functools
import gc
import itertools
import operator
import random
import sys
import types
import warnings
import weakref


class A:
    class_attribute = 1

    def __init__(self, x=None):
        self.x = x
        self.y = [x]

    def method(self, k=1):
        return self.x

    @property
    def prop(self):
        return self.y

    @classmethod
    def make(cls):
        return cls

    @staticmethod
    def static(q=3):
        return q

    def __getitem__(self, i):
        if i != 0:
            raise IndexError
        return self.x

    def __hash__(self):
        return hash(id(self) >> 4)


class B(A):
    def method(self, k=2):
        return super().method(k)


class ByValue:
    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return hash(self.value)

    def __eq__(self, other):
        return isinstance(other, ByValue) and self.value == other.value


class KeyedRef(weakref.KeyedRef):
    pass


def abstract(cls):
    class Abstract(abc.ABC):
        pass
    Abstract.register(cls)
    return Abstract


class Slots:
    __slots__ = ("a", "b")


class SubList(list):
    pass


class SubDict(dict):
    pass


class Error(Exception):
    pass


def function(x=1):
    def f(a=x, *, b=(x,)):
        return a, b, x
    return f


def generator(x):
    try:
        yield x
        for i in [1, 2, x]:
            yield i
        yield from iter([x, x])
    except ValueError as exc:
        yield exc


class Wait:
    def __await__(self):
        return (yield self)


async def coroutine(x):
    await Wait()
    await Wait()
    return x


async def async_generator(x):
    yield x
    await Wait()
    yield x


def exception(x):
    try:
        try:
            raise Error(x)
        except Error:
            raise ValueError(x)
    except ValueError as exc:
        return exc


def started(iterator):
    attempt(lambda: next(iterator))
    return iterator


def started_coroutine(c):
    attempt(lambda: c.send(None))
    return c


def attempt(action):
    try:
        return action()
    except BaseException:
        return None


PARTS = (
    "__code__ __defaults__ __kwdefaults__ __closure__ __globals__ __dict__ "
    "__class__ __self__ __func__ __mro__ __bases__ __traceback__ __context__ "
    "__annotations__ __name__ __qualname__ __wrapped__ __objclass__ "
    "__module__ __thisclass__ args gi_frame gi_code gi_yieldfrom cr_frame "
    "cr_await ag_frame tb_frame tb_next fget func keywords f_locals f_code "
    "f_back exceptions co_consts co_names mapping").split()


class Program:

    def __init__(self, seed, verbose):
        self.rng = random.Random(seed)
        self.verbose = verbose
        self.world = []
        self.done = self.refused = 0
        for _ in range(150):
            self.world.append(attempt(self.make))

    def pick(self):
        return self.rng.choice(self.world) if self.world else 1

    def hashable(self):
        for _ in range(6):
            x = self.pick()
            if attempt(lambda: hash(x)) is not None:
                return x
        return 5

    def make(self):
        # Nothing that calls or iterates itself for ever in C when it comes to
        # hold itself: partial, map, filter, zip, enumerate, chain.
        pick, hashable = self.pick, self.hashable
        return self.rng.choice([
            lambda: [pick(), pick()],
            lambda: (pick(), pick()),
            lambda: {hashable(): pick(), "k": pick()},
            lambda: {"a": pick()},
            lambda: {hashable(), hashable()},
            lambda: frozenset([hashable(), hashable()]),
            lambda: A(pick()),
            lambda: B(pick()),
            lambda: ByValue(hashable()),
            lambda: Slots(),
            lambda: SubList([pick()]),
            lambda: SubDict({1: pick()}),
            lambda: types.SimpleNamespace(a=pick()),
            lambda: types.ModuleType("random_module"),
            lambda: type("T", (A,), {"z": pick(), "method": function()}),
            lambda: type("U", (), {"__slots__": ("q",)})(),
            lambda: function(pick()),
            lambda: A(1).method,
            lambda: [1].append,
            lambda: {}.get,
            lambda: functools.lru_cache(function()),
            lambda: functools.cmp_to_key(function()),
            lambda: operator.itemgetter(pick()),
            lambda: property(function()),
            lambda: classmethod(function()),
            lambda: staticmethod(function()),
            lambda: super(B, B(1)),
            lambda: types.CellType(pick()),
            lambda: generator(pick()),
            lambda: started(generator(pick())),
            lambda: started_coroutine(coroutine(pick())),
            lambda: async_generator(pick()),
            lambda: exception(pick()),
            lambda: ExceptionGroup("group", [ValueError(pick())]),
            lambda: iter([pick(), 2, 3]),
            lambda: started(iter({1: pick(), 2: 3, 4: 5}.items())),
            lambda: started(iter({1, 2, 3})),
            lambda: started(iter((1, 2, pick()))),
            lambda: started(reversed([1, 2, 3])),
            lambda: started(iter(collections.deque([1, 2, 3]))),
            lambda: started(iter(collections.OrderedDict([(1, 2), (3, 4)]))),
            lambda: itertools.product([1, 2], [pick()]),
            lambda: slice(pick(), 1),
            lambda: {1: 2}.keys(),
            lambda: types.MappingProxyType({1: pick()}),
            lambda: collections.deque([pick(), 1, 2]),
            lambda: collections.OrderedDict([(hashable(), pick()), (1, 2)]),
            lambda: collections.defaultdict(list, {hashable(): pick()}),
            lambda: list[int],
            lambda: memoryview(b"abc"),
            lambda: bytearray(b"x"),
            lambda: "".join(["ab", str(self.rng.random())]),
            lambda: 10 ** 30 + self.rng.randrange(100),
            lambda: object(),
            lambda: weakref.ref(pick()),
            lambda: weakref.ref(pick(), function()),
            lambda: KeyedRef(pick(), None, pick()),
            lambda: weakref.proxy(pick()),
            lambda: weakref.proxy(pick(), function()),
            lambda: weakref.WeakKeyDictionary({hashable(): pick()}),
            lambda: weakref.WeakValueDictionary({hashable(): pick()}),
            lambda: weakref.WeakSet([pick(), hashable()]),
            lambda: weakref.WeakMethod(pick().method),
            lambda: {weakref.ref(pick()): pick(), weakref.ref(A(1)): 1},
            lambda: abstract(pick()),
        ])()

    def use(self, x):
        pick = self.pick
        for action in self.rng.sample([
            lambda: repr(x), lambda: str(x), lambda: hash(x), lambda: bool(x),
            lambda: x == x, lambda: x == pick(), lambda: dir(x),
            lambda: pick() in list(itertools.islice(iter(x), 20)),
            lambda: list(itertools.islice(iter(x), 5)),
            lambda: x(), lambda: next(x), lambda: len(x), lambda: x[0],
            lambda: x["k"], lambda: x.send(None), lambda: x.throw(ValueError),
            lambda: x.close(), lambda: x.method(), lambda: x.prop,
            lambda: x.make(), lambda: x.y, lambda: x.__dict__,
            lambda: x.append(1), lambda: x.get(1), lambda: x.pop(),
            lambda: x.popitem(), lambda: x.copy(), lambda: x.update({1: 2}),
            lambda: setattr(x, "new", 1), lambda: delattr(x, "new"),
            lambda: x.split(ValueError), lambda: x.__traceback__,
            lambda: x.tb_frame, lambda: x.gi_frame.f_locals, lambda: x.fget,
            lambda: x.asend(None).send(None), lambda: isinstance(x, A),
            lambda: x.__class__.__mro__, lambda: x.__getitem__(0),
            lambda: sys.getsizeof(x), lambda: gc.get_referents(x),
            lambda: x.__reduce_ex__(2), lambda: copy.copy(x),
            lambda: weakref.ref(x)(), lambda: weakref.getweakrefs(x),
            lambda: x.__subclasses__(), lambda: issubclass(B, x),
            lambda: isinstance(pick(), x), lambda: x.__callback__,
        ], 14):
            attempt(action)

    def parts(self, x):
        found = [attempt(lambda: getattr(x, name)) for name in PARTS
                 if self.rng.random() < 0.3]
        return found + (attempt(lambda: gc.get_referents(x)) or [])

    def deeper(self, x):
        return self.rng.choice(self.parts(x) or [x])

    def step(self, untouchable):
        rng = self.rng
        old, new = self.pick(), self.pick()
        if rng.random() < 0.6:
            old = self.deeper(old)
            if rng.random() < 0.4:
                old = self.deeper(old)
        if rng.random() < 0.2:
            new = self.deeper(new)
        if rng.random() < 0.3:
            new = rng.choice([x for x in self.world
                              if type(x) is type(old)] or [new])
        if id(old) in untouchable or id(new) in untouchable:
            return
        if self.verbose:
            print(type(old).__name__, "->", type(new).__name__, flush=True)
        pairs = [(old, new)]
        if rng.random() < 0.25:
            pairs.append((new, old))
        del old, new
        try:
            gc.remap(pairs)
            self.done += 1
        except (TypeError, ValueError, RuntimeError, AttributeError,
                KeyError, RecursionError) as exc:
            self.refused += 1
            if self.verbose:
                print("   ", attempt(lambda: str(exc)), flush=True)
        if rng.random() < 0.7:
            pairs.clear()
        del pairs
        for _ in range(6):
            self.use(self.pick())
        if rng.random() < 0.1:
            gc.collect()
        if rng.random() < 0.5:
            index = rng.randrange(len(self.world))
            self.world[index] = attempt(self.make)


def not_to_be_touched(program):
    """What this program, and every other, cannot do without."""
    ids = {id(program), id(vars(program)), id(program.world), id(program.rng),
           id(PARTS)}
    for module in (gc, sys, random, types, collections, functools, itertools,
                   operator, copy, warnings, weakref, abc, sys.modules["builtins"],
                   sys.modules["__main__"]):
        ids |= {id(module), id(vars(module)), *map(id, vars(module).values())}
        for f in vars(module).values():
            if isinstance(f, types.FunctionType):
                ids |= {id(f.__code__), *map(id, f.__code__.co_consts)}
            elif isinstance(f, type):
                # The namespaces of classes are read by everything.
                ids |= {id(v) for v in vars(f).values()}
                ids |= {id(v.__code__) for v in vars(f).values()
                        if isinstance(v, types.FunctionType)}
    ids.add(id(ids))
    return ids


def main():
    faulthandler.enable()
    faulthandler.dump_traceback_later(200, exit=True)
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda *args: None
    program = Program(int(sys.argv[1]), "-v" in sys.argv)
    untouchable = not_to_be_touched(program)
    for _ in range(int(sys.argv[2])):
        program.step(untouchable)
    print(f"alive: {program.done} done, {program.refused} refused")


if __name__ == "__main__":
    main()
