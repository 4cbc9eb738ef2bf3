"""The objects of a model test, and the kinds of nodes that describe them."""

import collections
import contextvars
import functools
import gc
import types
import weakref


class Boom(Exception):
    """Raised by the hash or comparison that the fuse was set for."""


class Fuse:
    left = 0    # calls to go; 0: does not burn

    @classmethod
    def burn(cls):
        if cls.left:
            cls.left -= 1
            if not cls.left:
                raise Boom


class Thing:
    __slots__ = ("__weakref__",)


class Plain:
    pass


class Slotted:
    __slots__ = ("a0", "a1", "__weakref__")


class Key:
    """Hashed by value; its other attributes are of no importance."""

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        Fuse.burn()
        return hash((Key, self.value))

    def __eq__(self, other):
        Fuse.burn()
        return type(other) is Key and self.value == other.value


class SlotKey:
    __slots__ = ("value", "a0", "__weakref__")

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return hash((SlotKey, self.value))

    def __eq__(self, other):
        return type(other) is SlotKey and self.value == other.value


class Constant:
    """The hash says nothing, and equality is of what it holds."""

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return 1

    def __eq__(self, other):
        return type(other) is Constant and self.value is other.value


class Through:
    """Hashed through a list that it owns."""

    def __init__(self, *items):
        self.items = list(items)

    def __hash__(self):
        return hash((Through, *self.items))

    def __eq__(self, other):
        return type(other) is Through and self.items == other.items


class Instance:
    """The base of the classes that are nodes."""

    def __init__(self, value):
        self.value = value


class Valued(Instance):

    def __hash__(self):
        Fuse.burn()
        return hash((type(self), self.value))

    def __eq__(self, other):
        Fuse.burn()
        return type(other) is type(self) and self.value == other.value


class Sub(tuple):
    pass


class Error(Exception):
    pass


class Ref(weakref.ref):
    pass


def ignore(_):
    pass


def function():
    held = None

    def inner(a=None, *, k=None):
        return held, a, k
    return inner


def suspended():
    x0 = x1 = x2 = None
    x0, x1, x2 = yield
    yield


def started():
    generator = suspended()
    next(generator)
    return generator


def cache():
    """An lru_cache, the results of which are given to fill_cache()."""
    result = []

    @functools.lru_cache
    def cached(arg):
        return result.pop()
    return cached


def fill_cache(cached, *pairs):
    result = cached.__wrapped__.__closure__[0].cell_contents
    for at in range(0, len(pairs), 2):
        result.append(pairs[at + 1])
        cached(pairs[at])


def read_cache(cached):
    referents = gc.get_referents(cached)
    size = 3 * cached.cache_info().currsize
    # Other arguments than an int or a str are wrapped in a tuple.
    return [x for key, result in zip(referents[1:1 + size:3],
                                     referents[2:1 + size:3])
            for x in (key[0] if type(key) is tuple else key, result)]


# The shape of a kind says what its edges are: those that it always has, and
# after the bar the group that is repeated.  A small letter is a node with a
# lower number, given when the object is made; a capital is any node, and put
# in afterwards.  An edge that is negative is the int ~edge.

LETTERS = {
    "b": "anything", "A": "anything",
    "h": "hashable", "K": "hashable",
    "w": "a weak reference", "V": "a weak reference",
    "Q": "a weak reference to something hashable",
    "f": "callable", "m": "a mapping",
    "c": "the class of an instance",
    "s": "a base", "t": "a base whose instances are hashed by value",
    "X": "a context variable",
    "I": "a weak reference to the node itself",
    "n": "no node but an int",
}
WEAK = "wVQI"


class Kind:

    def __init__(self, shape, make, fill=None, read=None, table=0, hash=None,
                 flags=()):
        self.fixed, _, self.group = shape.partition("|")
        # How many edges are given when it is made; None: all.
        self.early = None if self.group.islower() else sum(
            letter.islower() for letter in self.fixed)
        self.make, self.fill, self.read = make, fill, read
        self.table = table      # the length of an item of a hash table
        self.start = int(self.fixed == "I")     # where its items begin
        self.hash = hash        # "identity", "value" (see struct()), None
        self.flags = flags

    def letters(self, count):
        """The letter of each edge."""
        more = count - len(self.fixed)
        return self.fixed + (self.group * more)[:more]


def set_attributes(obj, *values):
    for at, value in enumerate(values):
        setattr(obj, f"a{at}", value)


def attributes(obj, count):
    return [getattr(obj, f"a{at}") for at in range(count)]


def items_of(obj, count):
    return [x for item in obj.items() for x in item]


def fill_dict(obj, *items):
    for at in range(0, len(items), 2):
        obj[items[at]] = items[at + 1]


def fill_function(f, held, default, keyword):
    f.__closure__[0].cell_contents = held
    f.__defaults__ = (default,)
    f.__kwdefaults__ = {"k": keyword}


def read_function(f, count):
    return [f.__closure__[0].cell_contents, *f.__defaults__,
            f.__kwdefaults__["k"]]


def make_class(base, one, other):
    bases = tuple([x for x in (one, other) if isinstance(x, type)])
    return type("C", bases or (base,), {})


def fill_class(cls, *values):
    for at, value in enumerate(values):
        setattr(cls, f"c{at}", value)


def read_class(cls, count):
    bases = [x for x in cls.__bases__ if x not in (Instance, Valued)]
    return bases + [0] * (2 - len(bases)) + [
        vars(cls)[f"c{at}"] for at in range(count - 2)]


def fill_context(context, *items):
    for at in range(0, len(items), 2):
        context.run(items[at].set, items[at + 1])


def table_refs(obj):
    """The references of a weak container, itself first."""
    remove = obj._remove
    return [remove.__defaults__[0]()]


def fill_cell(cell, value):
    cell.cell_contents = value


def fill_error(error, *args):
    error.args = args


KINDS = {
    "thing": Kind("", Thing, hash="identity"),
    "text": Kind("n", lambda n: "".join(["text ", str(n)]),
                 read=lambda x, _: [int(x[5:])], hash="value"),
    "number": Kind("n", lambda n: 10 ** 30 + n,
                   read=lambda x, _: [x - 10 ** 30], hash="value"),
    "list": Kind("|A", list, lambda x, *items: x.extend(items),
                 lambda x, _: x),
    "deque": Kind("|A", collections.deque, lambda x, *items: x.extend(items),
                  lambda x, _: x),
    "tuple": Kind("b|b", lambda *items: items, read=lambda x, _: x,
                  hash="value", flags="immutable"),
    "subtuple": Kind("b|b", lambda *items: Sub(items), read=lambda x, _: x,
                     hash="value", flags="immutable"),
    "slice": Kind("bbb", slice, read=lambda x, _: [x.start, x.stop, x.step],
                  hash="value", flags="immutable"),
    "dict": Kind("|KA", dict, fill_dict, items_of, table=2, flags="mapping"),
    "ordered": Kind("|KA", collections.OrderedDict, fill_dict, items_of,
                    table=2, flags="mapping"),
    "default": Kind("|KA", lambda: collections.defaultdict(list), fill_dict,
                    items_of, table=2, flags="mapping"),
    "counter": Kind("|KA", collections.Counter, fill_dict, items_of, table=2,
                    flags="mapping"),
    "set": Kind("|K", set, lambda x, *items: x.update(items), lambda x, _: x,
                table=1, flags="unordered"),
    "frozenset": Kind("h|h", lambda *items: frozenset(items),
                      read=lambda x, _: x, table=1, hash="value",
                      flags="unordered immutable"),
    "plain": Kind("|A", Plain, set_attributes, attributes, hash="identity"),
    "slotted": Kind("AA", Slotted, set_attributes, attributes,
                    hash="identity"),
    "key": Kind("h|A", Key, set_attributes,
                lambda x, n: [x.value, *attributes(x, n - 1)], hash="value"),
    "slotkey": Kind("hA", SlotKey, set_attributes,
                    lambda x, n: [x.value, x.a0], hash="value"),
    "constant": Kind("b", Constant, read=lambda x, _: [x.value],
                     hash="value"),
    "through": Kind("h|h", Through, read=lambda x, _: x.items, hash="value"),
    "class": Kind("ss|A", functools.partial(make_class, Instance), fill_class,
                  read_class, hash="identity", flags="callable class"),
    "valueclass": Kind("tt|A", functools.partial(make_class, Valued),
                       fill_class, read_class, hash="identity",
                       flags="callable class"),
    "instance": Kind("ch|A", lambda cls, value: cls(value), set_attributes,
                     lambda x, n: [type(x), x.value, *attributes(x, n - 2)],
                     hash="value"),
    "function": Kind("AAA", function, fill_function, read_function,
                     hash="identity", flags="callable"),
    "cell": Kind("A", types.CellType, fill_cell,
                 lambda x, _: [x.cell_contents]),
    "method": Kind("fb", types.MethodType,
                   read=lambda x, _: [x.__func__, x.__self__], hash="value",
                   flags="callable immutable"),
    "partial": Kind("b|b", lambda last, *args: functools.partial(
                        print, *args, end=last),
                    read=lambda x, _: [x.keywords["end"], *x.args],
                    hash="identity", flags="callable immutable"),
    "lru": Kind("|KA", cache, fill_cache, lambda x, _: read_cache(x),
                hash="identity", flags="callable cache"),
    "namespace": Kind("|A", types.SimpleNamespace, set_attributes, attributes),
    "proxy": Kind("m", types.MappingProxyType,
                  read=lambda x, _: gc.get_referents(x), flags="immutable"),
    "generator": Kind("AAA", started, lambda x, *values: x.send(values),
                      lambda x, _: gc.get_referents(x)[-3:], hash="identity"),
    "error": Kind("|A", Error, fill_error, lambda x, _: x.args,
                  hash="identity"),
    "ref": Kind("w", weakref.ref, read=lambda x, _: [x()], hash="value",
                flags="immutable callable"),
    "subref": Kind("w", Ref, read=lambda x, _: [x()], hash="value",
                   flags="immutable callable"),
    "callref": Kind("w", lambda x: weakref.ref(x, ignore),
                    read=lambda x, _: [x()], hash="value",
                    flags="immutable callable"),
    "weakkeys": Kind("I|QA", weakref.WeakKeyDictionary,
                     lambda x, _, *items: fill_dict(x, *items),
                     lambda x, _: table_refs(x) + [
                         z for ref, y in x.data.items() for z in (ref(), y)],
                     table=2, flags="weak"),
    "weakvalues": Kind("I|V", weakref.WeakValueDictionary,
                       lambda x, _, *values: x.update(enumerate(values)),
                       lambda x, _: table_refs(x) + [
                           ref() for ref in x.data.values()], flags="weak"),
    "weakset": Kind("I|Q", weakref.WeakSet,
                    lambda x, _, *items: x.update(items),
                    lambda x, _: table_refs(x) + [ref() for ref in x.data],
                    table=1, flags="weak unordered"),
    # Without the list it would be untracked if its default is.
    "variable": Kind("b", lambda x: contextvars.ContextVar("v", default=[x]),
                     read=lambda x, _: x.get(), hash="identity"),
    "context": Kind("|XA", contextvars.Context, fill_context, items_of,
                    table=2, flags="unordered"),
}


def can_be_weakly_referenced(name):
    """Asked of an object of the kind."""
    kind = KINDS[name]
    thing = Thing()
    sample = {"f": print, "m": {}, "c": Instance, "w": thing}
    obj = kind.make(*[sample.get(letter, 1) for letter in kind.fixed
                      if letter.islower()])
    try:
        weakref.ref(obj)
    except TypeError:
        return False
    return True


WEAKLY = {name for name in KINDS if can_be_weakly_referenced(name)}


def flagged(flag):
    return {name for name, kind in KINDS.items() if flag in kind.flags}


# What is hashed by value, what is repaired, and what a __hash__ may look into.
LOOKED_INTO = {name for name, kind in KINDS.items() if kind.hash == "value"
               or kind.table or "cache" in kind.flags
               or name in ("list", "deque", "proxy")}
CALLABLE, CLASSES, MAPPINGS, IMMUTABLE, WEAK_TABLES, UNORDERED, CACHES = map(
    flagged, ("callable", "class", "mapping", "immutable", "weak", "unordered",
              "cache"))
