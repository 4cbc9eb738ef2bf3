"""gc.remap() where the edges are.

Objects of every age, tables of the old and the new object at once, loops and
generators and hot code in the middle of their work, tables keyed by id(),
objects that die or come back, and memory after ten thousand calls.
"""

import asyncio
import collections
import copy
import functools
import gc
import io
import itertools
import operator
import os
import pickle
import subprocess
import sys
import textwrap
import types
import unittest
import weakref

from support import (
    ASAN, Key, Pairs, RemapTestCase, Thing, fresh_int, main, no_leak_check)

HOT = 300
GENERATIONS = range(3)


def make(name, bases=(), **namespace):
    return type(name, bases, namespace)


def generation_of(obj):
    """Of what the collector tracks; None is the permanent one."""
    for generation in GENERATIONS:
        if any(x is obj for x in gc.get_objects(generation)):
            return generation
    return None


class AgeTests(RemapTestCase):
    """Old, new and holder are each in any generation of the collector."""

    def setUp(self):
        # What is there already is of no interest; and a collection comes
        # only where a test asks for one.
        gc.collect()
        gc.disable()
        gc.freeze()

    def tearDown(self):
        gc.unfreeze()
        gc.enable()

    def aged(self, **made):
        """made: {name: (generation, function)}.  Calls the functions for the
        oldest first; {name: object}."""
        objects = {}
        for generation in (2, 1, 0):
            for name, (wanted, function) in made.items():
                if wanted == generation:
                    objects[name] = function()
            # The survivors go to the next generation.
            if generation == 2:
                gc.collect(0)
                gc.collect(1)
            elif generation == 1:
                gc.collect(0)
        for name, (wanted, _) in made.items():
            assert generation_of(objects[name]) == wanted
        return objects

    def check_all(self, pairs, holder):
        result = gc.remap(pairs.list)
        self.assertEqual(result.left_behind, (0,))
        for generation in (None, 0, 1, 2):
            if generation is not None:
                gc.collect(generation)
            for alias in self.aliases:
                self.assertIs(alias(holder), pairs.new)
            # The pairs, and what is passed to getrefcount().
            self.assertEqual(sys.getrefcount(pairs.old), 2)

    class Holder:
        """A reference of every kind, put in when the holder has aged: by
        assignment, or by gc.remap() where that is the only way."""

        __slots__ = ("slot", "object", "list", "tuple", "frozen", "dict",
                     "keys", "set", "cell", "deque", "method", "generator")

        def __init__(self, gap):
            self.object = types.SimpleNamespace()
            self.list = [None]
            self.tuple = (gap,)
            self.frozen = frozenset([gap])
            self.dict = {"key": None}
            self.keys = {}
            self.set = set()
            self.cell = types.CellType()
            self.deque = collections.deque([None])
            self.method = functools.partial(print, gap)
            self.generator = self.generate(gap)
            next(self.generator)

        @staticmethod
        def generate(value):
            while True:
                yield value

        def fill(self, gap, value):
            gc.remap([(gap, value)])
            self.slot = self.object.attribute = self.list[0] = value
            self.dict["key"] = self.keys[value] = value
            self.set.add(value)
            self.cell.cell_contents = self.deque[0] = value

    aliases = [
        lambda h: h.slot, lambda h: h.object.attribute, lambda h: h.list[0],
        lambda h: h.tuple[0], lambda h: [*h.frozen][0],
        lambda h: h.dict["key"], lambda h: [*h.keys][0],
        lambda h: [*h.keys.values()][0], lambda h: [*h.set][0],
        lambda h: h.cell.cell_contents, lambda h: h.deque[0],
        lambda h: h.method.args[0], lambda h: next(h.generator),
    ]

    def test_all_pairings_of_generations(self):
        for old, new, holder in itertools.product(GENERATIONS, repeat=3):
            with self.subTest(old=old, new=new, holder=holder):
                pairs = Pairs(Thing("gap"), None)
                aged = self.aged(
                    old=(old, lambda: Thing("old")),
                    new=(new, lambda: Thing("new")),
                    holder=(holder, lambda: self.Holder(pairs.old)))
                aged["holder"].fill(pairs.old, aged["old"])
                self.assertEqual(generation_of(aged["holder"].tuple), holder)
                pairs = Pairs(aged.pop("old"), aged.pop("new"))
                self.check_all(pairs, aged["holder"])
                holder = aged["holder"]
                self.assertSetSound(holder.set)
                self.assertSetSound(holder.frozen)
                self.assertDictSound(holder.keys)
                aged = holder = None

    def test_frozen_objects(self):
        # gc.freeze() puts them where no collection looks.
        for which in itertools.product((False, True), repeat=3):
            with self.subTest(which=which):
                pairs = Pairs(Thing("gap"), None)
                parts = {}
                for early in (True, False):
                    for name, function, frozen in zip(
                            ("old", "new", "holder"),
                            (Thing, Thing, lambda: self.Holder(pairs.old)),
                            which):
                        if frozen == early:
                            parts[name] = function()
                    if early:
                        gc.freeze()
                parts["holder"].fill(pairs.old, parts["old"])
                holder = parts.pop("holder")
                self.assertEqual(
                    generation_of(holder), None if which[2] else 0)
                pairs = Pairs(parts.pop("old"), parts.pop("new"))
                self.check_all(pairs, holder)
                gc.unfreeze()
                for alias in self.aliases:
                    self.assertIs(alias(holder), pairs.new)
                holder = alias = None

    def test_cycles_over_generations(self):
        # Whatever is young or old: a cycle that the call closes is found by
        # a full collection, and nothing alive is taken for rubbish before.
        for old, new, holder in itertools.product(GENERATIONS, repeat=3):
            with self.subTest(old=old, new=new, holder=holder):
                aged = self.aged(
                    old=(old, lambda: Thing("old")),
                    new=(new, lambda: Thing([])),
                    holder=(holder, lambda: [None]))
                aged["holder"][0] = aged["old"]
                aged["new"].name.append(aged["holder"])
                pairs = Pairs(aged.pop("old"), aged.pop("new"))
                holder = aged.pop("holder")
                gc.remap(pairs.list)
                for generation in (0, 1, 2):
                    gc.collect(generation)
                    self.assertIs(holder[0], pairs.new)
                    self.assertIs(holder[0].name[0], holder)
                ref = weakref.ref(pairs.new)
                pairs = holder = None
                self.assertIsNotNone(ref())
                gc.collect()
                self.assertIsNone(ref())

    def test_untracked_tuples_and_dicts(self):
        # A collection untracks a tuple of what it need not track, and takes
        # up one that holds more again.
        def atomic():
            return fresh_int()

        def container():
            return [1]

        for kind, made, young in itertools.product(
                ("tuple", "nested", "dict", "value of a dict"),
                (atomic, container), (True, False)):
            with self.subTest(kind=kind, made=made.__name__, young=young):
                pairs = Pairs(fresh_int(), made())
                holder = {
                    "tuple": lambda: (pairs.old, 1.5),
                    "nested": lambda: ((pairs.old, 1.5), "x"),
                    "dict": lambda: {"key": pairs.old},
                    "value of a dict": lambda: {"key": (pairs.old, 1)},
                }[kind]()
                if not young:
                    gc.collect()    # from the inside to the outside
                    gc.collect()
                    self.assertFalse(gc.is_tracked(holder))
                holders = [holder]
                holder = None
                result = gc.remap(pairs.list)
                self.assertEqual(result.left_behind, (0,))
                for generation in (None, 0, 1, 2):
                    if generation is not None:
                        gc.collect(generation)
                    found = holders[0]
                    while isinstance(found, (tuple, dict)):
                        found = found["key" if type(found) is dict else 0]
                    self.assertIs(found, pairs.new)
                    self.assertEqual(sys.getrefcount(pairs.old), 2)
                found = None
                self.assertEqual(
                    gc.is_tracked(holders[0]), made is container)
                if made is container:
                    # Were it not tracked, this cycle would stay for ever.
                    ref = weakref.ref(watched := Thing())
                    pairs.new.append([holders, watched])
                    watched = pairs = holders = None
                    gc.collect()
                    self.assertIsNone(ref())


class TogetherTests(RemapTestCase):
    """Several pairs that have to do with each other."""

    kinds = {
        "list": lambda x: [x, 1],
        "tuple": lambda x: (x, 1),
        "tuple in a tuple": lambda x: ((x,), 1),
        "set": lambda x: {x, 1},
        "frozenset": lambda x: frozenset([x, 1]),
        "dict": lambda x: {"key": x, x: 1},
        "OrderedDict": lambda x: collections.OrderedDict([(x, x), (1, 2)]),
        "deque": lambda x: collections.deque([x]),
        "object": lambda x: types.SimpleNamespace(x=x),
        "slots": lambda x: Thing(x),
        "key": lambda x: Key(x),
        "function": lambda x: (lambda: x),
        "method": lambda x: types.MethodType(print, x),
        "partial": lambda x: functools.partial(print, x),
    }

    def contents(self, obj):
        """All things that an object leads to."""
        found, seen, todo = [], set(), [obj]
        while todo:
            x = todo.pop()
            if id(x) not in seen:
                seen.add(id(x))
                if isinstance(x, Thing) and isinstance(x.name, str):
                    found.append(x.name)
                if not isinstance(x, (type, types.ModuleType,
                                      types.FunctionType)) or x is obj:
                    todo += [y for y in gc.get_referents(x)
                             if y is not globals()]
        return sorted(set(found))

    def test_container_and_contents(self):
        # A container that is replaced holds what is replaced as well.
        for name, kind in self.kinds.items():
            for swap in (False, True):
                with self.subTest(kind=name, swap=swap):
                    a, b = Thing("a"), Thing("b")
                    pairs = Pairs(kind(a), kind(b), a, b)
                    if swap:
                        pairs.list += [(y, x) for x, y in pairs.list]
                    a = b = None
                    holder = [pairs.old, (pairs.old,), pairs.new]
                    result = gc.remap(pairs.list)
                    self.assertFalse(any(result.left_behind))
                    self.assertIs(holder[0], pairs.new)
                    self.assertIs(holder[1][0], pairs.new)
                    # Both containers hold what has come, also the old one.
                    self.assertEqual(self.contents(pairs.old), ["b"])
                    self.assertEqual(
                        self.contents(pairs.new), ["a" if swap else "b"])
                    self.assertIs(holder[2], pairs.list[0][not swap])
                    for table in pairs.list[0]:
                        if isinstance(table, (set, frozenset)):
                            self.assertSetSound(table)
                        elif isinstance(table, dict):
                            self.assertDictSound(table)
                    table = None

    def test_key_and_its_contents(self):
        # The key of a table is replaced, and the replacement's own contents.
        for name, kind in self.kinds.items():
            a, b = Thing("a"), Thing("b")
            pairs = Pairs(kind(a), kind(a), a, b)
            a = b = None
            try:
                table = {pairs.old: 1, (pairs.old, "x"): 2, "y": 3}
            except TypeError:
                continue
            with self.subTest(kind=name):
                items = {pairs.old}, frozenset([pairs.old, 1])
                gc.remap(pairs.list)
                self.assertEqual(
                    table, {pairs.new: 1, (pairs.new, "x"): 2, "y": 3})
                self.assertDictSound(table)
                for s in items:
                    self.assertSetSound(s)
                    self.assertIn(pairs.new, s)

    def test_chain_through_tables(self):
        # a to b, b to c, c to d: one step each, in whatever order.
        for order in itertools.permutations(range(3)):
            with self.subTest(order=order):
                things = [Thing(name) for name in "abcd"]
                steps = list(zip(things, things[1:]))
                pairs = Pairs()
                pairs.list = [steps[i] for i in order]
                table = {thing: thing.name for thing in things}
                mixed = {(x, y) for x in things for y in things}
                weak = weakref.WeakKeyDictionary(
                    {thing: thing.name for thing in things[:3]})
                things = x = y = thing = None
                result = gc.remap(pairs.list)
                b, c, d = (new for old, new in steps)
                self.assertEqual(
                    list(table.items()), [(b, "a"), (c, "b"), (d, "d")])
                self.assertEqual(
                    mixed, {(x, y) for x in (b, c, d) for y in (b, c, d)})
                self.assertEqual(
                    list(weak.items()), [(b, "a"), (c, "b"), (d, "c")])
                # The 16 tuples, the two entries of the dict.
                self.assertEqual(result.collisions, 7 + 1)

    def test_many_to_one_in_tables(self):
        new = Thing("new")
        pairs = Pairs(*itertools.chain.from_iterable(
            (Thing(str(i)), new) for i in range(50)))
        table = {(old, "x"): i for i, (old, _) in enumerate(pairs.list)}
        names = frozenset(old for old, _ in pairs.list)
        attributes = types.SimpleNamespace()
        for i, (old, _) in enumerate(pairs.list):
            setattr(attributes, f"a{i}", old)
        old = None
        result = gc.remap(pairs.list)
        self.assertEqual(result.collisions, 49 + 49)
        self.assertEqual(list(table.items()), [((new, "x"), 49)])
        self.assertEqual(names, {new})
        self.assertEqual(hash(names), hash(frozenset([new])))
        self.assertEqual({*vars(attributes).values()}, {new})

    def test_bound_methods_of_both(self):
        class C:
            def f(self): return "f"
            def g(self): return "g"
        for other in (False, True):
            with self.subTest(other=other):
                pairs = Pairs(C(), C())
                if other:
                    pairs.list += [(C.f, C.g)]
                s = {pairs.old.f, pairs.new.f, pairs.old.g, pairs.new.g}
                d = {m: m() for m in (pairs.old.f, pairs.new.g, pairs.new.f)}
                f = frozenset([(m, m) for m in s])
                result = gc.remap(pairs.list)
                m = None
                self.assertFalse(any(result.left_behind))
                self.assertEqual(s, {pairs.new.f, pairs.new.g})
                self.assertEqual(f, {(m, m) for m in s})
                self.assertEqual(hash(f), hash(frozenset((m, m) for m in s)))
                self.assertSetSound(s)
                self.assertDictSound(d)
                if other:
                    # Both names mean one function now.
                    self.assertEqual((len(s), len(d)), (1, 1))
                    self.assertEqual([m() for m in d], ["g"])
                    self.assertEqual(result.collisions, 3 + 2 + 3)
                else:
                    self.assertEqual((len(s), len(d)), (2, 2))
                    self.assertEqual(list(d.values()), ["f", "g"])
                    self.assertEqual(result.collisions, 2 + 1 + 2)
                m = None

    def test_swap_of_bound_methods(self):
        class C:
            def f(self): pass
        pairs = Pairs.swap(C(), C())
        d = {pairs.old.f: "old", pairs.new.f: "new"}
        s = {pairs.old.f, pairs.new.f}
        weak = {weakref.WeakMethod(pairs.old.f): "old"}
        gc.remap(pairs.list)
        self.assertEqual((d[pairs.new.f], d[pairs.old.f]), ("old", "new"))
        self.assertEqual(list(d.values()), ["old", "new"])
        self.assertSetSound(s)
        self.assertEqual(weak[weakref.WeakMethod(pairs.new.f)], "old")

    def test_weak_tables_that_hold_each_other(self):
        # Old and new are in weak tables only, which are replaced as well.
        class Table(weakref.WeakKeyDictionary):
            __eq__, __hash__ = object.__eq__, object.__hash__
        pairs = Pairs(Thing("a"), Thing("b"))
        pairs.list.append((Table({pairs.old: 1, pairs.new: 2}),
                           Table({pairs.old: 3})))
        holder = [pairs.old_at(1)]
        s = weakref.WeakSet([pairs.old_at(1), pairs.new])
        result = gc.remap(pairs.list)
        self.assertEqual(result.left_behind, (0, 0))
        self.assertEqual([*holder[0].items()], [(pairs.new, 3)])
        self.assertEqual([*pairs.old_at(1).items()], [(pairs.new, 2)])
        self.assertIn(pairs.new_at(1), s)
        self.assertIn(pairs.new, s)


class RefusedTests(RemapTestCase):
    """What is refused leaves no trace, and what is put right then works."""

    def setUp(self):
        self.modules = [name + ".gc_remap" for name in ("a", "b", "c")]

    def tearDown(self):
        for name in self.modules:
            sys.modules.pop(name, None)

    def make_world(self):
        """Pairs of classes, functions, modules and things, and what refers
        to them."""
        Old, New = make("Old", f=lambda s: 1), make("New", f=lambda s: 2)
        Meta = make("Meta", (type,))
        Left = make("Left", (Old,))
        Right = Meta("Right", (Old,), {})
        Both = Meta("Both", (Left, Right), {})
        module, other = (types.ModuleType(self.modules[0]) for _ in "ab")
        module.cls, module.thing = Old, Thing("old")
        module.values = {Old: "cls", (module.thing, 1): "thing"}
        sys.modules[self.modules[0]] = module
        # A name of a package, as "from a import b" makes it.
        sys.modules[self.modules[1]] = types.ModuleType(self.modules[1])
        sys.modules[self.modules[1]].child = module
        pairs = Pairs(Old, New, module.thing, Thing("new"), module, other,
                      Old.f, New.f)
        self.world = types.SimpleNamespace(
            classes=[Left, Right, Both, New], instances=[Both(), Old()],
            meta=Meta)
        return pairs

    def picture(self, pairs):
        """Of everything that could have changed, without references."""
        classes = [pairs.old, *self.world.classes]
        spaces = [sys.modules, vars(sys.modules[self.modules[0]]),
                  vars(sys.modules[self.modules[1]]), vars(pairs.new_at(2)),
                  pairs.old_at(2).values]
        return repr([
            [[*map(id, cls.__mro__)] for cls in classes],
            [[*map(id, cls.__bases__)] for cls in classes],
            [[*map(id, type.__subclasses__(cls))] for cls in classes],
            [id(cls) in map(id, object.__subclasses__()) for cls in classes],
            [(cls.__name__, cls.__module__, id(type(cls)), cls().f())
             for cls in classes],
            [(id(type(x)), x.f()) for x in self.world.instances],
            [[(id(k), hash(k), id(v)) for k, v in space.items()]
             for space in spaces],
            [weakref.getweakrefcount(x) for pair in pairs.list for x in pair
             if type(x) not in (tuple, int, list)],
        ])

    def check_done(self, pairs):
        result = gc.remap(pairs.list)
        module = sys.modules[self.modules[0]]
        self.assertIs(module, pairs.new_at(2))
        self.assertIs(sys.modules[self.modules[1]].child, module)
        self.assertEqual(
            [*pairs.old_at(2).values.items()],
            [(pairs.new, "cls"), ((pairs.new_at(1), 1), "thing")])
        Left, Right, Both, New = self.world.classes
        self.assertEqual(Both.__mro__, (Both, Left, Right, New, object))
        self.assertEqual(pairs.old.__subclasses__(), [])
        self.assertEqual(New.__subclasses__(), [Left, Right])
        self.assertEqual([x.f() for x in self.world.instances], [2, 2])
        module = Left = Right = Both = New = None
        return result

    def refuse(self, pairs, bad, exception, regex):
        """Not with the bad pairs, wherever they are; then without."""
        good = pairs.list
        for index in range(len(good) + 1):
            with self.subTest(index=index):
                pairs.list = good[:]
                pairs.list[index:index] = bad
                Pictured = Pairs()
                Pictured.list = good
                before = self.picture(Pictured)
                try:
                    gc.remap(pairs.list)
                except exception as exc:
                    text = str(exc)
                    reasons = [exc.reason, *(o.reason for o in exc.others)]
                else:
                    self.fail("not refused")
                pairs.list = good
                self.assertRegex(text, regex)
                self.assertEqual(self.picture(Pictured), before)
        self.check_done(pairs)
        self.world = None
        return reasons

    def test_defaults(self):
        def f(x=Thing()): pass
        def g(*, x=Thing()): pass
        pairs = self.make_world()
        bad = [(f.__defaults__, 5), (g.__kwdefaults__, [])]
        reasons = self.refuse(pairs, bad, TypeError, "defaults")
        self.assertEqual(len(reasons), 2)
        self.assertRegex(" ".join(reasons), "func_defaults .*func_kwdefaults|"
                                            "func_kwdefaults .*func_defaults")

    def test_layout(self):
        bad = [(make("A"), make("B", __slots__=("x",))),
               (make("C", (list,)), make("D", (dict,)))]
        self.instances = [bad[0][0](), bad[0][0](), bad[1][0]()]
        reasons = self.refuse(self.make_world(), bad, TypeError, "layout")
        self.assertEqual(len(reasons), 3)
        self.instances = None

    def test_immortal(self):
        bad = [(None, Thing()), (int, make("A")), (3, Thing())]
        reasons = self.refuse(self.make_world(), bad, TypeError, ".")
        self.assertEqual(len(reasons), 3)

    def test_bases(self):
        A = make("A")
        bad = [(A, make("B", (A,)))]
        A = None
        self.refuse(self.make_world(), bad, TypeError, ".")

    def test_weak_references(self):
        bad = [(Thing(), fresh_int())]
        self.ref = weakref.ref(bad[0][0])
        self.refuse(self.make_world(), bad, TypeError, "weak")
        self.assertIs(self.ref(), bad[0][0])
        self.ref = None

    def test_modules(self):
        # A module that the import system has may become anything; the
        # attributes of a module are refused when its namespace is.
        pairs = self.make_world()
        bad = [(vars(sys.modules[self.modules[1]]), [1])]
        self.refuse(pairs, bad, TypeError, ".")

    def test_failure_in_the_middle(self):
        # Not refused, but undone: with the same result.
        class Fails(Key):
            def __hash__(self):
                if armed:
                    raise ZeroDivisionError
                return hash(self.value)
        armed = []
        pairs = self.make_world()
        table = {Fails(pairs.old): 1, Fails((pairs.old_at(2), 1)): 2}
        armed.append(True)
        before = self.picture(pairs)
        with self.assertRaises(ZeroDivisionError):
            gc.remap(pairs.list)
        self.assertEqual(self.picture(pairs), before)
        armed.clear()
        self.check_done(pairs)
        self.assertEqual(table[Fails(pairs.new)], 1)
        self.assertEqual(table[Fails((pairs.new_at(2), 1))], 2)
        self.world = None

    def test_one_among_a_thousand_of_a_mixture(self):
        # Things, classes with instances, functions with a weak reference:
        # the one that does not do is told, wherever it is.
        function = lambda x=Thing(): x
        for where in (0, 1, 499, 998, 999):
            with self.subTest(where=where):
                pairs = Pairs()
                for i in range(333):
                    pairs.list += [
                        (Thing("old"), Thing("new")),
                        (make("A", f=lambda s: 1), make("B", f=lambda s: 2)),
                        (lambda: 1, lambda: 2)]
                good = pairs.list[:]
                pairs.list.insert(where, (function.__defaults__, 5))
                self.assertEqual(len(pairs), 1000)
                items = [old for old, _ in good]
                instances = [old() for old, _ in good[1::3]]
                refs = [weakref.ref(old) for old in items]
                old = None
                with self.assertRaisesRegex(TypeError, "defaults") as caught:
                    gc.remap(pairs.list)
                self.assertEqual(caught.exception.others, ())
                self.assertIs(caught.exception.holder, function)
                caught = None
                for i, (old, _) in enumerate(good):
                    self.assertIs(items[i], old)
                    self.assertIs(refs[i](), old)
                self.assertEqual({x.f() for x in instances}, {1})
                old = None
                pairs.list = good
                self.assertFalse(any(gc.remap(good).left_behind))
                for i, (_, new) in enumerate(good):
                    self.assertIs(items[i], new)
                    self.assertIs(refs[i](), new)
                self.assertEqual({x.f() for x in instances}, {2})
                new = None


class LoopTests(RemapTestCase):
    """A "for" over a table; its body replaces what is in the table."""

    size = 6

    def names(self, kind, of, when, which, fill=0):
        """The names that a loop sees whose body replaces number "which" of
        the keys when it has seen "when" of them; None if it was stopped."""
        pairs = Pairs(Thing("old"), Thing("new"))
        items = [Thing(str(i)) for i in range(self.size)]
        items[which] = pairs.old
        table = kind(items)
        items = None
        seen = []
        try:
            for x in of(table):
                seen.append(x.name)
                if len(seen) == when:
                    gc.remap(pairs.list)
                # What belongs to the table is found in it at any time.
                self.assertIn(x, table)
        except RuntimeError as exc:
            self.assertRegex(str(exc), "changed|mutated")
            return None
        finally:
            x = None
        if when > len(seen):
            return seen
        self.assertIn(pairs.new, table)
        self.assertEqual(len(list(of(table))), self.size)
        return seen

    def check(self, kind, of=iter, ordered=True, may_stop=False):
        for when, which in itertools.product(
                range(1, self.size + 1), range(self.size)):
            with self.subTest(when=when, which=which):
                seen = self.names(kind, of, when, which)
                if seen is None:
                    self.assertTrue(may_stop)
                    continue
                order = list(range(self.size))
                if of is reversed:
                    order.reverse()
                expected = [str(i) for i in order]
                at = order.index(which)
                expected[at] = "old" if at < when else "new"
                if not ordered:
                    # The one that was replaced is seen once, as the one or
                    # the other.
                    seen = sorted(s for s in seen if s not in ("old", "new"))
                    expected = [e for e in expected
                                if e not in ("old", "new")]
                    self.assertLessEqual(len(seen), len(expected))
                self.assertEqual(seen, expected)

    def test_list(self):
        self.check(list)
        self.check(list, reversed)
        self.check(list, enumerated)

    def test_tuple(self):
        self.check(tuple)
        self.check(tuple, reversed)

    def test_deque(self):
        self.check(collections.deque)
        self.check(collections.deque, reversed)

    def test_dict(self):
        self.check(dict.fromkeys)
        self.check(dict.fromkeys, reversed)
        self.check(dict.fromkeys, lambda d: d.keys())
        self.check(dict.fromkeys, lambda d: (k for k, _ in d.items()))

    def test_values(self):
        class Values(dict):
            def __contains__(self, value):
                return any(v is value for v in self.values())
        of = lambda d: d.values()
        self.check(lambda items: Values(enumerate(items)), of)
        self.check(lambda items: Values(zip("abcdef", items)), of)

    def test_key_and_value(self):
        self.check(lambda items: dict(zip(items, items)),
                   lambda d: (v for v in d.values()))

    def test_attributes(self):
        class Attributes(types.SimpleNamespace):
            def __contains__(self, value):
                return value in vars(self).values()
        self.check(lambda items: Attributes(**dict(zip("abcdef", items))),
                   lambda a: vars(a).values())

    def test_subclasses(self):
        self.check(make("D", (dict,)).fromkeys)
        self.check(make("L", (list,)))
        self.check(collections.Counter)

    def test_ordered_dict(self):
        fromkeys = collections.OrderedDict.fromkeys
        for of in (iter, reversed, lambda d: d.keys(),
                   lambda d: (k for k, _ in d.items())):
            self.check(fromkeys, of, may_stop=True)

    def test_set(self):
        for kind in (set, frozenset, make("S", (set,))):
            self.check(kind, ordered=False, may_stop=True)

    def test_set_that_is_not_touched(self):
        # The holder is another one: these loops do not stop.
        for kind in (set, frozenset, dict.fromkeys,
                     collections.OrderedDict.fromkeys):
            with self.subTest(kind=kind):
                pairs = Pairs.things()
                table = kind(range(10))
                other = {pairs.old}, {pairs.old: 1}
                seen = []
                for x in table:
                    seen.append(x)
                    if len(seen) == 5:
                        gc.remap(pairs.list)
                self.assertEqual(sorted(seen), list(range(10)))
                self.assertIn(pairs.new, other[0])

    def test_keys_that_merge(self):
        # A hole: the loop sees neither of them twice.
        for when in range(1, 6):
            with self.subTest(when=when):
                pairs = Pairs.things()
                d = {0: 0, pairs.old: 1, 2: 2, pairs.new: 3, 4: 4}
                seen = []
                try:
                    for key, value in d.items():
                        seen.append(value)
                        if value == when - 1:
                            gc.remap(pairs.list)
                except RuntimeError as exc:
                    # As when a key is deleted.
                    self.assertRegex(str(exc), "changed size")
                else:
                    self.assertEqual(when, 5)
                self.assertEqual(seen, list(range(len(seen))))
                self.assertEqual(
                    list(d.items()), [(0, 0), (pairs.new, 3), (2, 2), (4, 4)])
                key = None

    def test_table_that_is_replaced(self):
        # The loop goes on in what has come, or stops, or refuses it.
        for kind in (list, tuple, set, frozenset, dict.fromkeys,
                     collections.deque, collections.OrderedDict.fromkeys):
            for other in (range(10, 14), range(10, 12), ()):
                with self.subTest(kind=kind, other=other):
                    pairs = Pairs(kind(range(4)), kind(other))
                    if pairs.new == ():
                        continue
                    seen = []
                    try:
                        for x in pairs.old:
                            seen.append(x)
                            if len(seen) == 2:
                                gc.remap(pairs.list)
                    except (RuntimeError, TypeError):
                        pass
                    except KeyError:
                        # An OrderedDict looks for the key where it is.
                        self.assertIs(type(pairs.old),
                                      collections.OrderedDict)
                    else:
                        rest = seen[2:]
                        if isinstance(pairs.old, (set, frozenset)):
                            self.assertLessEqual({*rest}, {*other, 2, 3})
                        else:
                            self.assertIn(rest, ([*other][2:], [2, 3], []))
                    self.assertEqual(len(seen), len({*seen}))

    def test_two_loops_over_one_table(self):
        pairs = Pairs.things(2)
        d = {pairs.old_at(0): 0, 1: 1, pairs.old_at(1): 2, 3: 3}
        seen = []
        for a in d.values():
            for b in d.values():
                seen.append((a, b))
                if (a, b) == (1, 2):
                    gc.remap(pairs.list)
        self.assertEqual(seen, [*itertools.product(range(4), repeat=2)])

    def test_remap_at_each_turn(self):
        # One remap a turn, there and back, and the loop does not notice.
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        d = {i: i for i in range(50)}
        d[pairs.old] = 50
        d.update((i, i) for i in range(51, 100))
        d[pairs.new] = 100
        seen = []
        for key, value in d.items():
            seen.append(value)
            gc.remap(pairs.list)
        key = None
        self.assertEqual(seen, list(range(101)))
        # An odd number of swaps.
        self.assertEqual((d[pairs.new], d[pairs.old]), (50, 100))


def enumerated(items):
    return (x for _, x in enumerate(items))


class SuspendedTests(RemapTestCase):
    """Generators and coroutines that go on after a remap."""

    def test_chain_of_generators(self):
        # A local, the stack and the delegation at each depth, and a remap at
        # each suspension.
        def generate(depth, value):
            local = value
            if depth:
                got = yield from generate(depth - 1, value)
                names.append((local.name, got.name))
            else:
                for i in range(3):
                    names.append([value, local, (yield value)][0].name)
            return local
        for when in range(4):
            with self.subTest(when=when):
                names = []
                pairs = Pairs.things()
                g = generate(5, pairs.old)
                seen = []
                for i in range(4):
                    if i == when:
                        result = gc.remap(pairs.list)
                        self.assertEqual(result.left_behind, (0,))
                    try:
                        seen.append(next(g).name)
                    except StopIteration as exc:
                        self.assertIs(exc.value, pairs.new)
                        exc.value = None
                    exc = None
                self.assertEqual(
                    seen, ["old0"] * min(when, 3) + ["new0"] * (3 - when))
                # The first operand waited on the stack and was replaced.
                self.assertEqual(names[:3], (
                    ["old0"] * max(0, when - 1) + ["new0"] * 3)[:3])
                self.assertEqual(names[3:], [("new0", "new0")] * 5)
                names = g = None

    def test_chain_of_coroutines(self):
        @types.coroutine
        def suspend(value):
            return (yield value)

        class Awaitable:
            def __init__(self, value):
                self.value = value

            def __await__(self):
                got = yield from suspend(self.value)
                return [self.value, got]

        async def inner(value):
            return (value, await Awaitable(value), await suspend(value))

        async def outer(depth, value):
            if depth:
                return [value, await outer(depth - 1, value), value]
            return [value, await inner(value), value]

        def flat(x):
            return itertools.chain.from_iterable(map(flat, x)) if isinstance(
                x, (list, tuple)) else [x]

        for when in range(3):
            with self.subTest(when=when):
                pairs = Pairs.things()
                c = outer(4, pairs.old)
                sent = None
                for i in range(3):
                    if i == when:
                        result = gc.remap(pairs.list)
                        self.assertEqual(result.left_behind, (0,))
                    now = pairs.list[0][i >= when]
                    try:
                        self.assertIs(c.send(sent), now)
                    except StopIteration as exc:
                        found = exc.value
                        exc.value = None
                    sent = now
                    now = None
                names = [x.name for x in flat(found)]
                # What was sent is given back by the pairs and not changed.
                self.assertEqual(set(names), {"new0"})
                self.assertEqual(len(names), 14)
                c = found = sent = exc = None

    def drive(self, coroutine, pairs, when):
        """Send until it returns, with a remap before the send of that
        number; returns the value."""
        for i in itertools.count():
            if i == when:
                result = gc.remap(pairs.list)
                self.assertEqual(result.left_behind, (0,) * len(pairs))
            try:
                coroutine.send(None)
            except StopIteration as exc:
                value = exc.value
                exc.value = None
                return value

    def test_asynchronous_generators(self):
        @types.coroutine
        def suspend():
            yield

        async def agen(value):
            local = [value]
            try:
                for _ in range(3):
                    await suspend()
                    yield value.name
                    yield local[0].name
            finally:
                await suspend()
                closed.append((value.name, local[0].name))

        async def loop(value):
            names = []
            async for name in agen(value):
                names.append(name)
                await suspend()
                names.append(value.name)
            names += [name async for name in agen(value)]
            g = agen(value)
            names.append(await anext(g))
            await suspend()
            await g.aclose()
            return names

        lengths = set()
        for when in range(18):
            with self.subTest(when=when):
                closed = []
                pairs = Pairs.things()
                names = self.drive(loop(pairs.old), pairs, when)
                lengths.add(len(names))
                # Each is of its moment: the old name first, then the new.
                self.assertEqual(names, sorted(names, reverse=True))
                self.assertEqual(
                    closed, sorted(closed, reverse=True))
                self.assertEqual(len(closed), 3)
                self.assertEqual(len({*closed[0]}), 1)
                if when == 0:
                    self.assertEqual({*names}, {"new0"})
        self.assertEqual(lengths, {12 + 6 + 1})

    def test_chain_of_asynchronous_generators_is_replaced(self):
        # One link in the middle is replaced by another that has run as far.
        async def source(names):
            for name in names:
                yield name

        async def through(inner, mark):
            async for name in inner:
                yield name + mark

        async def collect():
            names = []
            async for name in outer[0]:
                names.append(name)
                if len(names) == 2:
                    gc.remap(pairs.list)
            return names
        pairs = Pairs(through(source("abcd"), "1"),
                      through(source("wxyz"), "2"))
        outer = [through(pairs.old, "!")]
        with self.assertRaises(StopIteration):
            pairs.new.__anext__().send(None)
        names = self.drive(collect(), Pairs(), None)
        # The call that is under way belongs to the one that has begun it.
        self.assertEqual(names, ["a1!", "b1!", "x2!", "y2!", "z2!"])
        outer = None

    def test_with_statements_in_suspended_frames(self):
        class Manager:
            def __init__(self, name):
                self.name = name

            def __enter__(self):
                return self

            def __exit__(self, *exc):
                log.append(("exit", self.name))

        def generate(manager):
            with manager as m:
                with m:
                    yield m.name
                    yield m.name
        log = []
        pairs = Pairs(Manager("old"), Manager("new"))
        g = generate(pairs.old)
        next(g)
        gc.remap(pairs.list)
        self.assertEqual(list(g), ["new"])
        # __exit__ was bound when the block was entered: by a method, which
        # has its self from a field like any other.
        self.assertEqual(log, [("exit", "new")] * 2)

    def test_asyncio_tasks(self):
        async def worker(value, event, queue):
            await event.wait()
            async with asyncio.timeout(60):
                got = await queue.get()
            return value, got

        async def program():
            event, queue = asyncio.Event(), asyncio.Queue()
            tasks = [asyncio.create_task(worker(pairs.old, event, queue))
                     for _ in range(5)]
            await asyncio.sleep(0)
            for _ in range(5):
                queue.put_nowait(pairs.old)
            gc.remap(pairs.list)
            event.set()
            return await asyncio.gather(*tasks)
        pairs = Pairs.things()
        results = asyncio.run(program())
        self.assertEqual(results, [(pairs.new, pairs.new)] * 5)

    def test_closed_after_a_remap(self):
        # close() and throw() of a generator whose locals have changed.
        def generate(value):
            try:
                yield 1
            except ZeroDivisionError:
                seen.append(value.name)
                yield 2
            finally:
                seen.append(value.name)
        seen = []
        pairs = Pairs.things()
        generators = [generate(pairs.old) for _ in range(3)]
        for g in generators:
            next(g)
        gc.remap(pairs.list)
        generators[0].close()
        self.assertEqual(generators[1].throw(ZeroDivisionError), 2)
        g = None
        generators.clear()
        self.assertEqual(seen, ["new0"] * 4)


class HotTests(RemapTestCase):
    """Specialised instructions give the answers that code gives which has
    never run."""

    def cases(self):
        """{name: function of an object and the class}; one kind of
        specialised instruction each."""
        def attribute(o, cls): return o.value
        def class_attribute(o, cls): return o.shared, cls.shared
        def method(o, cls): return o.method(1)
        def class_method(o, cls): return o.clsmethod(), cls.clsmethod()
        def static_method(o, cls): return o.static()
        def prop(o, cls): return o.prop
        def missing(o, cls): return o.missing
        def add(o, cls): return o + 1, 1 + o, o + o
        def inplace(o, cls):
            x = o
            x += 1
            return x
        def compare(o, cls): return o < 1, o == o, o != 1, o >= o
        def contains(o, cls): return 1 in o, 5 in o
        def subscript(o, cls): return o[0], o["x"]
        def store(o, cls):
            o[1] = 2
            o.stored = 3
            return o.stored
        def call(o, cls): return o(1, 2), o(x=1)
        def truth(o, cls): return "yes" if o else "no"
        def loop(o, cls): return [x for x in o], sum(x for x in o)
        def unpack(o, cls):
            a, b = o
            return a, b
        def spread(o, cls): return [*o], (lambda *a: a)(*o)
        def instance(o, cls):
            return isinstance(o, cls), isinstance(o, A), isinstance(o, B)
        def subclass(o, cls): return issubclass(cls, A), issubclass(cls, B)
        def construct(o, cls): return cls(5).value, type(cls(1)) is cls
        def global_class(o, cls): return A(1).name(), A.shared
        def length(o, cls): return len(o)
        def text(o, cls): return f"{o}", "%s" % o, str(o), repr(o)
        def negate(o, cls): return -o, ~o, not o
        def context(o, cls):
            with o as x:
                return x
        def pattern(o, cls):
            match o:
                case A(value=v): return "A", v
                case B(value=v): return "B", v
        def cell(o, cls):
            return (lambda: (o.value, cls.shared))()
        functions = {k: v for k, v in locals().items() if k != "self"}
        A, B = self.A, self.B       # cells of the functions
        return functions

    def make_class(self, name, n):
        def method(self, x): return n, x, type(self).__name__
        namespace = {
            "__init__": lambda self, value=0: setattr(self, "value", value),
            "shared": n, "method": method, "name": lambda self: name,
            "clsmethod": classmethod(lambda cls: (n, cls.__name__)),
            "static": staticmethod(lambda: n),
            "prop": property(lambda self: (n, self.value)),
            "__getattr__": lambda self, attr: (n, attr),
            "__add__": lambda self, other: (n, "add"),
            "__radd__": lambda self, other: (n, "radd"),
            "__iadd__": lambda self, other: (n, "iadd"),
            "__lt__": lambda self, other: (n, "lt"),
            "__ge__": lambda self, other: (n, "ge"),
            "__eq__": lambda self, other: (n, "eq"),
            "__hash__": lambda self: n,
            "__contains__": lambda self, x: x == n,
            "__getitem__": lambda self, i: (n, i),
            "__setitem__": lambda self, i, x: None,
            "__call__": lambda self, *args, **kw: (n, args, kw),
            "__bool__": lambda self: n == 1,
            "__len__": lambda self: n,
            "__iter__": lambda self: iter([n, n + 1]),
            "__str__": lambda self: f"str{n}",
            "__repr__": lambda self: f"repr{n}",
            "__neg__": lambda self: -n, "__invert__": lambda self: ~n,
            "__enter__": lambda self: n, "__exit__": lambda self, *exc: None,
        }
        return type(name, (), namespace)

    def test_after_and_before(self):
        self.A = self.make_class("A", 1)
        self.B = self.make_class("B", 2)
        for name in [*self.cases()]:
            with self.subTest(name=name):
                self.A = self.make_class("A", 1)
                self.B = self.make_class("B", 2)
                hot = self.cases()[name]
                world = types.SimpleNamespace(cls=self.A, o=self.A(7))
                pairs = Pairs.swap(self.A, self.B)
                self.A = self.B = None

                def cold():
                    # The same code, which was never executed.
                    return types.FunctionType(
                        hot.__code__.replace(), hot.__globals__,
                        closure=hot.__closure__)
                answers = []
                for turn in range(4):
                    for _ in range(HOT):
                        answer = hot(world.o, world.cls)
                    self.assertEqual(
                        repr(answer), repr(cold()(world.o, world.cls)))
                    answers.append(repr(answer))
                    gc.remap(pairs.list)
                # Swapped back, it is as it was.
                self.assertEqual(answers[0], answers[2])
                self.assertEqual(answers[1], answers[3])
                # All others tell which of the classes it is.
                if name not in ("instance", "subclass", "store", "attribute",
                                "construct", "pattern", "cell"):
                    self.assertNotEqual(answers[0], answers[1])
                answer = hot = None

    def test_within_one_loop(self):
        # The remap comes in the middle of the loop that is specialised.
        pairs = Pairs.swap(self.make_class("A", 1), self.make_class("B", 2))
        o = pairs.old(7)
        seen = []
        for i in range(4 * HOT):
            if i and i % HOT == 0:
                gc.remap(pairs.list)
            n = 1 + i // HOT % 2
            now = (o.shared, o.method(i), o + 1, o == 1, o[i], o(i), len(o),
                   3 in o, -o, o.value, o.prop, f"{o}", [x for x in o])
            if now != (n, (n, i, "AB"[n - 1]), (n, "add"), (n, "eq"), (n, i),
                       (n, (i,), {}), n, False, -n, 7, (n, 7), f"str{n}",
                       [n, n + 1]):
                seen.append((i, now))
        self.assertEqual(seen, [])

    def test_global_names(self):
        namespace = {}
        exec(textwrap.dedent("""
            class A:
                x = 1
            def f(): return "f"
            value = ("old value",)
            def run(times):
                for _ in range(times):
                    r = A.x, f(), value, A().x, callable(f), len(value)
                return r
            """), namespace)
        run = namespace["run"]
        self.assertEqual(run(HOT), (1, "f", ("old value",), 1, True, 1))
        pairs = Pairs(
            namespace["A"], make("B", x=2), namespace["f"], lambda: "g",
            namespace["value"], [1, 2])
        self.assertFalse(any(gc.remap(pairs.list).left_behind[1:]))
        self.assertEqual(run(HOT), (2, "g", [1, 2], 2, True, 2))
        # The names are still variables: an assignment is seen.
        namespace["f"] = lambda: "h"
        self.assertEqual(run(HOT), (2, "h", [1, 2], 2, True, 2))

    def test_iterators_of_hot_loops(self):
        # The loop is specialised for a list; the next one is over a tuple.
        class Box:
            items = None
        box = Box()
        box.items = [1, 2, 3]
        pairs = Pairs(box.items, (4, 5))

        def run():
            total = 0
            for x in box.items:
                total += x
            return total
        for _ in range(HOT):
            run()
        self.assertEqual(run(), 6)
        gc.remap(pairs.list)
        for _ in range(HOT):
            self.assertEqual(run(), 9)

    def test_instances_of_int_and_str(self):
        # Specialised for exact types: values that come are of others.
        class Int(int):
            def __add__(self, other):
                return "Int", int(self) + other
        holder = [fresh_int(), fresh_int() + 1, "".join(["text", "!"])]
        pairs = Pairs(holder[0], Int(5), holder[1], 1.5, holder[2], (1,))

        def run():
            for _ in range(HOT):
                r = holder[0] + 1, holder[1] + 1, holder[2] * 2, holder[2][0]
            return r
        self.assertEqual(run()[2:], ("text!text!", "t"))
        gc.remap(pairs.list)
        self.assertEqual(run(), (("Int", 6), 2.5, (1, 1), 1))


class IdTests(RemapTestCase):
    """A table keyed by id() belongs to the program."""

    def test_dict_of_a_program(self):
        pairs = Pairs.things()
        other = Thing("other")
        table = {id(pairs.old): "by id", id(other): "other",
                 id(pairs.new): "new"}
        before = list(table.items())
        values = {id(pairs.old): pairs.old, id(other): other}
        result = gc.remap(pairs.list)
        self.assertEqual(list(table.items()), before)
        self.assertEqual(table[id(pairs.old)], "by id")
        # Its values are references like others.
        self.assertIs(values[id(pairs.old)], pairs.new)
        self.assertEqual(result.rehashed, 0)

    def test_memo_of_deepcopy(self):
        class Remaps:
            def __deepcopy__(self, memo):
                memos.append(memo)
                before = {k for k in memo if type(k) is int}
                gc.remap(pairs.list)
                keys.append((before, {k for k in memo if type(k) is int}))
                return self
        memos, keys = [], []
        pairs = Pairs(Key("a"), Key("b"))
        original = [pairs.old, Remaps(), pairs.old, pairs.new, [pairs.old]]
        made = copy.deepcopy(original)
        self.assertEqual(*keys[0])
        self.assertEqual([x.value for x in original if type(x) is Key],
                         ["b", "b", "b"])
        # What was copied before is a copy of the old one; the others are one
        # copy of the new one, which the memo did not know yet.
        self.assertEqual(made[0].value, "a")
        self.assertEqual([made[i].value for i in (2, 3)], ["b", "b"])
        self.assertIs(made[2], made[3])
        self.assertIs(made[4][0], made[2])
        # The entry that is keyed by the old address still says what it said.
        self.assertIs(memos[0][id(pairs.old)], made[0])
        self.assertIs(memos[0][id(pairs.new)], made[2])
        memos.clear()

    def test_memo_of_a_pickler_written_in_python(self):
        class Remaps:
            def __reduce__(self):
                before = sorted(pickler.memo)
                gc.remap(pairs.list)
                same.append(sorted(pickler.memo) == before)
                return str, ()
        same = []
        pairs = Pairs(Key("a"), Key("b"))
        out = io.BytesIO()
        pickler = pickle._Pickler(out)
        everything = [pairs.old, Remaps(), pairs.old, pairs.new]
        pickler.dump(everything)
        self.assertEqual(same, [True])
        self.assertIs(pickler.memo[id(pairs.old)][1], pairs.new)
        loaded = pickle.loads(out.getvalue())
        self.assertEqual([x.value for x in loaded if isinstance(x, Key)],
                         ["a", "b", "b"])
        self.assertIs(loaded[2], loaded[3])
        pickler = everything = None

    def test_weak_references_beside_an_id(self):
        # What a program keeps beside the address does follow.
        pairs = Pairs.things()
        table = {id(pairs.old): weakref.ref(pairs.old)}
        gc.remap(pairs.list)
        self.assertIs(table[id(pairs.old)](), pairs.new)
        self.assertNotIn(id(pairs.new), table)


class LifetimeTests(RemapTestCase):
    """Objects that are hardly alive, come back, or go in the middle."""

    def test_held_by_weak_containers_alone(self):
        class Item(Thing):
            def method(self): return self.name
        pairs = Pairs(Item("old"), Item("new"))
        log = []
        keys = weakref.WeakKeyDictionary({pairs.old: 1})
        values = weakref.WeakValueDictionary({1: pairs.old})
        items = weakref.WeakSet([pairs.old])
        method = weakref.WeakMethod(pairs.old.method)
        proxy = weakref.proxy(pairs.old)
        weakref.finalize(pairs.old, log.append, "finalized")
        result = gc.remap(pairs.list)
        self.assertEqual(result.left_behind, (0,))
        self.assertEqual(list(keys.items()), [(pairs.new, 1)])
        self.assertIs(values[1], pairs.new)
        self.assertIn(pairs.new, items)
        self.assertEqual((method()(), proxy.name), ("new", "new"))
        # The old one goes, and nobody notices.
        pairs.list = [pairs.new]
        self.assertEqual((len(keys), len(values), len(items)), (1, 1, 1))
        self.assertEqual(log, [])
        pairs.list.clear()
        self.assertEqual((len(keys), len(values), len(items)), (0, 0, 0))
        self.assertIsNone(method())
        self.assertEqual(log, ["finalized"])

    def test_resurrected_key_and_replacement(self):
        class Phoenix(Thing):
            def __del__(self):
                nest.append(self)

        def resurrected(name):
            Phoenix(name)
            return nest.pop()

        for old, new in itertools.product((Phoenix, resurrected), repeat=2):
            with self.subTest(old=old, new=new):
                nest = []
                pairs = Pairs(old("old"), new("new"))
                holder = [pairs.old, {pairs.old: 1}, (pairs.old,)]
                ref = weakref.ref(pairs.old)
                gc.remap(pairs.list)
                self.assertIs(holder[0], pairs.new)
                self.assertEqual(holder[1], {pairs.new: 1})
                self.assertIs(ref(), pairs.new)
                gc.collect()
                pairs.list = [pairs.new]
                # The old one comes back if it has not been finalized before,
                # and without what referred to it.
                self.assertEqual([x.name for x in nest],
                                 [] if old is resurrected else ["old"])
                self.assertIs(ref(), pairs.list[0])
                nest.clear()
                holder.clear()
                pairs = None
                self.assertEqual([x.name for x in nest],
                                 [] if new is resurrected else ["new"])
                nest.clear()

    def test_resurrected_by_the_collector(self):
        class Phoenix:
            def __init__(self, name):
                self.name, self.me = name, self

            def __del__(self):
                nest.append(self)
        nest = []
        Phoenix("a")
        Phoenix("b")
        gc.collect()
        nest.sort(key=operator.attrgetter("name"))
        pairs = Pairs(*nest)
        table = {pairs.old: 1, (pairs.old, 2): 2}
        nest.clear()
        gc.remap(pairs.list)
        self.assertEqual(table, {pairs.new: 1, (pairs.new, 2): 2})
        # Its own reference to itself has been replaced with the others.
        self.assertIs(pairs.old.me, pairs.new)
        for generation in (0, 1, 2):
            gc.collect(generation)
        self.assertIs([*table][0].me, pairs.new)

    def test_remap_in_a_finalizer_that_resurrects(self):
        # Who holds the object in its finalizer has the replacement, and the
        # object itself dies with the finalizer.
        class Phoenix(Thing):
            def __del__(self):
                nest.append([self])
                gc.remap([(self, new)])
        nest = []
        new = Thing("new")
        Phoenix("old")
        gc.remap([])
        gc.collect()
        self.assertEqual([[x.name for x in l] for l in nest], [["new"]])
        self.assertIs(nest[0][0], new)

    def test_finalizer_of_the_replacement(self):
        # Nothing but the references of the old object holds it afterwards.
        class Final(Thing):
            def __del__(self):
                log.append(self.name)
        log = []
        pairs = Pairs(Final("old"), Final("new"))
        holder = [pairs.old]
        gc.remap(pairs.list)
        self.assertEqual(log, [])
        pairs.list.clear()
        self.assertEqual(log, ["old"])
        holder.clear()
        self.assertEqual(log, ["old", "new"])

    def test_replacement_of_what_nobody_has(self):
        # Temporary pairs: nobody has the old one, and nobody gets the new.
        class Final(Thing):
            def __del__(self):
                log.append(self.name)
        log = []
        result = gc.remap([(Final("old"), Final("new"))])
        self.assertEqual(result.left_behind, (0,))
        gc.remap([])
        gc.collect()
        self.assertEqual(sorted(log), ["new", "old"])

    def dying(self, drop):
        """A repair in whose middle the program drops what it can; the tables
        are sound, and what was dropped is finalized once."""
        class Final(Thing):
            def __del__(self):
                log.append(self.name)

        class Drops(Key):
            def __hash__(self):
                if armed:
                    drop(world, self)
                return hash(self.value)

            def __eq__(self, other):
                if armed:
                    drop(world, self)
                return super().__eq__(other)
        log, armed = [], []
        world = types.SimpleNamespace()
        world.pairs = [(Final(f"old{i}"), Final(f"new{i}")) for i in range(4)]
        world.mapping = dict(world.pairs)
        world.keys = [Drops(old) for old in world.mapping]
        world.keys += [Drops((old, 1)) for old in world.mapping]
        world.keys += [Drops(new) for old, new in world.pairs]
        old = new = None
        world.table = dict.fromkeys(world.keys, 1)
        world.set = {*world.keys}
        world.weak = weakref.WeakSet(world.mapping)
        world.other = {(key,): [key] for key in world.keys}
        world.items = [*world.mapping]
        key = None
        armed.append(True)
        try:
            gc.remap(world.mapping)
        except RuntimeError as exc:
            # A table under repair has been changed.
            reason = str(exc)
        else:
            reason = None
        armed.clear()
        for table in (world.table, world.set, world.other):
            if table is not None:
                self.assertSetSound(table)
        table = None
        vars(world).clear()
        gc.remap([])
        gc.collect()
        self.assertEqual(sorted(log), sorted(
            f"{name}{i}" for name in ("old", "new") for i in range(4)))
        return reason

    def test_mapping_goes_during_the_repair(self):
        def drop(world, key):
            world.pairs.clear()
            world.mapping.clear()
            gc.collect()
        self.dying(drop)

    def test_holders_go_during_the_repair(self):
        def drop(world, key):
            world.items.clear()
            world.keys.clear()
            world.other = None
            gc.collect()
        self.dying(drop)

    def test_keys_go_during_the_repair(self):
        def drop(world, key):
            key.value = None
            gc.collect()
        self.dying(drop)

    def test_tables_go_during_the_repair(self):
        def drop(world, key):
            world.table = world.set = world.other = None
            world.weak = None
            gc.collect()
        self.dying(drop)

    def test_tables_are_cleared_during_the_repair(self):
        def drop(world, key):
            for table in (world.table, world.set, world.other, world.weak):
                table.clear()
            world.keys.clear()
            gc.collect()
        self.dying(drop)


@no_leak_check("a program of its own measures its memory itself")
class MemoryTests(RemapTestCase):

    def flat(self, kinds, times):
        """Thousands of remaps of these kinds; all measures come to rest."""
        # Where freed memory is watched, it is used again after a megabyte, and
        # who allocated it is not remembered for ever; it grows in larger steps.
        options = [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1",
                   "malloc_context_size=1"]
        env = os.environ | {"ASAN_OPTIONS": ":".join(filter(None, options))}
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-X", "faulthandler", "-c",
             PROGRAM + "measure(%r, %d)\n" % (kinds, times * (1 + 2 * ASAN))],
            capture_output=True, text=True, timeout=300, env=env)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "flat\n")

    def test_ten_thousand_of_every_kind(self):
        self.flat(["things", "keys", "sets", "classes", "functions", "weak",
                   "tuples", "generators", "swapped", "merged"], 10_000)

    def test_refused_and_rolled_back(self):
        self.flat(["refused", "refused_layout", "rolled_back", "refused_bases",
                   "strict", "things"], 3_000)

    def test_below_native_frames(self):
        # Old objects are kept while native code is under way, and no longer.
        self.flat(["below_native_code", "things"], 2_000)

    @unittest.skipUnless(ASAN, "there is no leak sanitizer")
    def test_nothing_is_lost(self):
        # Memory that nothing refers to any more, while all the rest is in use.
        env = os.environ | {"ASAN_OPTIONS": "detect_leaks=1",
                            "PYTHONMALLOC": "malloc"}
        kinds = ["things", "keys", "sets", "classes", "functions", "weak",
                 "tuples", "generators", "swapped", "merged", "refused",
                 "refused_layout", "rolled_back", "refused_bases", "strict",
                 "below_native_code"]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-X", "faulthandler", "-c",
             PROGRAM + "lost(%r, 10_000)\n" % kinds],
            capture_output=True, text=True, timeout=600, env=env)
        # What is in use when it ends is of no interest.
        self.assertEqual(done.stdout, "0 lost\n0 lost\n1 lost\n",
                         done.stderr[:5000])


# Modules are not imported but for what is built in: each call looks at all
# objects, and there are few.
PROGRAM = '''
import gc, sys
import _weakref, _functools, _collections, itertools

class Thing:
    def __init__(self, name):
        self.name = name
    def __hash__(self):
        return hash(self.name)
    def __eq__(self, other):
        return isinstance(other, Thing) and self.name == other.name

class Bomb:
    armed = False
    def __init__(self, value):
        self.value = value
    def __hash__(self):
        if Bomb.armed:
            raise ZeroDivisionError
        return hash(self.value)
    def __eq__(self, other):
        return self.value == other.value

def things(i):
    holder = [Thing(i)]
    holder.append({"key": holder[0]})
    gc.remap([(holder[0], Thing(-i))])
    assert holder[1]["key"].name == -i

def keys(i):
    pairs = [(Thing((i, n)), Thing((n, i, n))) for n in range(5)]
    d = {old: n for n, (old, new) in enumerate(pairs)}
    o = _collections.OrderedDict(d)
    old = new = None
    gc.remap(pairs)
    assert all(d[new] == o[new] == n for n, (old, new) in enumerate(pairs))

def sets(i):
    pairs = [(object(), object()) for n in range(5)]
    s = {old for old, new in pairs}
    f = frozenset(s)
    t = {f: 1}
    gc.remap(pairs)
    assert s == {new for old, new in pairs} == f and t[frozenset(s)] == 1

def classes(i):
    A = type("A", (), {"f": lambda self: 1})
    B = type("B", (), {"f": lambda self: 2})
    C = type("C", (A,), {})
    instances = [A() for _ in range(3)] + [C()]
    for n, x in enumerate(instances):
        x.attribute = n
    gc.remap([(A, B)])
    assert [x.f() for x in instances] == [2] * 4

def functions(i):
    def make(n, default):
        def f(x=default):
            return n, x
        return f
    f = make(1, [i])
    p = _functools.partial(f)
    cell = make(3, 1).__closure__[0]
    gc.remap([(f, make(2, [i])), (f.__closure__[0], cell)])
    assert p()[0] == 2 and f()[0] == 2

def weak(i):
    class T:
        pass
    pairs = [(T(), T())]
    log = []
    refs = [_weakref.ref(pairs[0][0]), _weakref.ref(pairs[0][0], log.append),
            _weakref.proxy(pairs[0][0])]
    table = {refs[0]: 1}
    gc.remap(pairs)
    assert refs[0]() is refs[1]() is pairs[0][1] and table[refs[0]] == 1

def tuples(i):
    pairs = [(Thing(i), Thing(-i))]
    d = {((pairs[0][0], 1), n): n for n in range(10)}
    gc.remap(pairs)
    assert d[(pairs[0][1], 1), 5] == 5

def generators(i):
    def generate(value):
        while True:
            yield [value, (yield value)]
    pairs = [(Thing(i), Thing(-i))]
    g = generate(pairs[0][0])
    next(g)
    gc.remap(pairs)
    assert next(g)[0] is pairs[0][1]

PERMANENT = [Thing("a"), Thing("b")]
PERMANENT.append({PERMANENT[0]: 1, PERMANENT[1]: 2, (PERMANENT[0],): 3})

def swapped(i):
    a, b = PERMANENT[:2]
    gc.remap([(a, b), (b, a)])
    assert PERMANENT[0] is a

def merged(i):
    pairs = [(Thing(n), Thing(i)) for n in range(i, i + 3)]
    d = {old: [old] for old, new in pairs}
    w = {_weakref.ref(new): 1 for old, new in pairs}
    old = new = None
    gc.remap([(old, pairs[0][1]) for old, new in pairs])
    assert len(d) == 1

def refused(i):
    def f(x=[i]):
        pass
    def g(x=[i]):
        pass
    pairs = [(Thing(i), Thing(1)), (f.__defaults__, 1), (g.__defaults__, 2)]
    holder = {pairs[0][0]: 1}
    try:
        gc.remap(pairs)
    except TypeError as exc:
        assert len(exc.others) == 1
    else:
        assert False

def refused_layout(i):
    A = type("A", (), {})
    B = type("B", (), {"__slots__": ("x",)})
    a = [A(), A()]
    try:
        gc.remap([(A, B), (Thing(i), Thing(1))])
    except TypeError as exc:
        assert len(exc.others) == 1
    else:
        assert False

def refused_bases(i):
    A = type("A", (), {})
    B = type("B", (A,), {})
    try:
        gc.remap([(A, B)])
    except TypeError:
        pass
    else:
        assert False

def strict(i):
    class Item:
        def __del__(self):
            try:
                gc.remap([(self, 5)], strict=True)
            except RuntimeError as exc:
                errors.append(len(exc.others))
    errors = []
    Item()

def rolled_back(i):
    pairs = [(Thing(i), Thing(-i)), (type("A", (), {}), type("B", (), {}))]
    a = pairs[1][0]()
    b = type("C", (pairs[1][0],), {})
    d = {Bomb((pairs[0][0], n)): n for n in range(5)}
    s = {pairs[0][0], (pairs[0][0],)}
    ref = _weakref.ref(pairs[0][0])
    Bomb.armed = True
    try:
        gc.remap(pairs)
    except ZeroDivisionError:
        pass
    else:
        assert False
    finally:
        Bomb.armed = False
    assert d[Bomb((pairs[0][0], 3))] == 3 and ref() is pairs[0][0]

def below_native_code(i):
    def remap(x):
        gc.remap([(x, Thing(i))])
        return i
    assert list(map(remap, [Thing(1), Thing(2)])) == [i, i]
    assert sorted([Thing(1), Thing(2)], key=remap)

DEBUG = hasattr(sys, "gettotalrefcount")

def now():
    sys._clear_internal_caches()
    for _ in range(3):
        gc.collect()
    with open("/proc/self/statm", "rb", 0) as file:
        pages = int(file.read().split()[1])
    return (sys.getallocatedblocks(), sys.gettotalrefcount() if DEBUG else 0,
            pages)

def measure(names, times):
    world = [globals()[name] for name in names]
    # The first tenth is to warm up; the last half must not grow any more.
    marks = []
    for part in range(10):
        for i in range(times // 10):
            world[i % len(world)](i)
        i = None
        marks.append(now())
    blocks, references, pages = zip(*marks)
    problems = []
    for name, values, allowed in (
            ("blocks", blocks, 30), ("references", references, 30),
            # Pages of 4 KiB: less than what leaking 64 bytes a call takes.
            ("pages", pages, max(times // 2 * 64 // 4096, 16))):
        if values[-1] - values[4] > allowed:
            problems.append((name, values))
    print(problems or "flat")

def lost(names, times):
    import ctypes
    program = ctypes.CDLL(None)
    check = program.__lsan_do_recoverable_leak_check
    def say():
        print(check(), "lost", flush=True)
    say()
    for i in range(times):
        globals()[names[i % len(names)]](i)
    say()
    # Would it have found one?
    for _ in range(10):
        program.malloc(1000)
    say()
'''


if __name__ == "__main__":
    main()
