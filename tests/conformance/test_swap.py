"""gc.remap() of several objects at once: swaps, rotations, merges, chains."""

import array
import collections
import gc
import random
import sys
import types

from support import DEBUG, Key, Pairs, RemapTestCase, Thing, fresh_str, main, no_leak_check


class Node:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Slotted:
    __slots__ = ("a", "b")


class SimultaneousTests(RemapTestCase):

    def test_swap(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        items = [pairs.old, pairs.new, (pairs.old, pairs.new)]
        self.remap(pairs)
        self.assertEqual(items, [pairs.new, pairs.old,
                                 (pairs.new, pairs.old)])

    def test_swap_as_a_dict(self):
        items = [Thing("a"), Thing("b")]
        gc.remap({items[0]: items[1], items[1]: items[0]})
        self.assertEqual([item.name for item in items], ["b", "a"])

    def test_swap_of_counts_that_differ(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        items = [pairs.old] * 10 + [pairs.new] * 3
        self.remap(pairs, references=13)
        self.assertEqual(items, [pairs.new] * 10 + [pairs.old] * 3)

    def test_rotation(self):
        a, b, c = Thing("a"), Thing("b"), Thing("c")
        pairs = Pairs(a, b, b, c, c, a)
        del a, b, c
        items = [pairs.old_at(i) for i in (0, 1, 2, 0)]
        self.remap(pairs)
        self.assertEqual(items, [pairs.old_at(i) for i in (1, 2, 0, 1)])
        self.remap(pairs)
        self.remap(pairs)
        self.assertEqual(items, [pairs.old_at(i) for i in (0, 1, 2, 0)])

    def test_no_chaining(self):
        a, b, c = Thing("a"), Thing("b"), Thing("c")
        pairs = Pairs(a, b, b, c)
        del a, b, c
        items = [pairs.old_at(0), pairs.old_at(1)]
        self.remap(pairs)
        self.assertEqual(items, [pairs.new_at(0), pairs.new_at(1)])
        self.assertIsNot(items[0], items[1])

    def test_no_chaining_in_any_order(self):
        a, b, c = Thing("a"), Thing("b"), Thing("c")
        pairs = Pairs(b, c, a, b)
        del a, b, c
        items = [pairs.old_at(1), pairs.old_at(0)]
        self.remap(pairs)
        self.assertEqual(items, [pairs.new_at(1), pairs.new_at(0)])

    def test_two_olds_to_one_new(self):
        new = Thing("new")
        pairs = Pairs(Thing("a"), new, Thing("b"), new)
        items = [pairs.old_at(0), pairs.old_at(1), pairs.old_at(0)]
        self.remap(pairs)
        self.assertEqual(items, [new] * 3)

    def test_identity_pair(self):
        pairs = Pairs.things()
        pairs.list = [(pairs.old, pairs.old)]
        items = [pairs.old, {pairs.old: 1}]
        result = self.remap(pairs, references=0, rehashed=0)
        self.assertEqual(items, [pairs.old, {pairs.old: 1}])
        self.assertEqual(result.containers, 0)
        self.assertEqual(result.left_behind, (0,))

    def test_identity_pair_among_others(self):
        pairs = Pairs.things()
        pairs.list.append((pairs.new, pairs.new))
        items = [pairs.old, pairs.new]
        self.remap(pairs)
        self.assertEqual(items, [pairs.new, pairs.new])

    def test_identity_pair_of_an_immortal(self):
        # Nothing would be changed, so nothing need be refused.
        for obj in None, True, 1, "interned", int, ():
            with self.subTest(obj=obj):
                self.assertEqual(gc.remap([(obj, obj)]).references, 0)

    def test_pair_given_twice(self):
        pairs = Pairs.things()
        pairs.list *= 2
        items = [pairs.old]
        result = self.remap(pairs, references=1)
        self.assertEqual(items, [pairs.new])
        self.assertEqual(len(result.left_behind), 2)

    def test_many_pairs(self):
        pairs = Pairs.things(10_000)
        items = [pairs.old_at(i) for i in range(10_000)]
        lookup = {pairs.old_at(i): i for i in range(10_000)}
        self.remap(pairs, references=20_000)
        for i in range(10_000):
            self.assertIs(items[i], pairs.new_at(i))
            self.assertEqual(lookup[items[i]], i)

    def test_swap_with_an_object_that_holds_the_other(self):
        pairs = Pairs.swap([1], [2])
        pairs.old.append(pairs.new)
        holder = [pairs.old]
        # a held b, and so does every holder of a: now it is a that holds a.
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)
        self.assertIs(pairs.old[1], pairs.old)
        pairs.old.clear()

    def test_swap_of_keys_and_values(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        d = {pairs.old: pairs.new, pairs.new: pairs.old}
        self.remap(pairs)
        self.assertEqual(list(d.items()), [(pairs.new, pairs.old),
                                           (pairs.old, pairs.new)])
        self.assertDictSound(d)

    def test_rotation_in_a_set(self):
        pairs = Pairs.things(100)
        objects = [pairs.old_at(i) for i in range(100)]
        pairs.list = list(zip(objects, objects[1:] + objects[:1]))
        s = set(objects)
        f = frozenset(objects)
        before = hash(f)
        del objects
        self.remap(pairs, collisions=0)
        self.assertEqual(s, f)
        self.assertEqual(hash(f), before)
        self.assertSetSound(s)
        self.assertEqual(len(s), 100)


def contents(container):
    """What a container holds, as ids, in an order that does not depend on
    where hash tables put things."""
    if isinstance(container, dict):
        return [(id(k), id(v)) for k, v in container.items()]
    if isinstance(container, (set, frozenset)):
        return sorted(map(id, container))
    if isinstance(container, (list, tuple, collections.deque)):
        return [*map(id, container)]
    return []


@no_leak_check("large, and it compares the totals itself")
class WorldTests(RemapTestCase):
    """A swap applied twice leaves a program exactly as it was."""

    def build(self, a, b, count, seed=1):
        """A program's worth of live objects, many of which refer to a or b."""
        rng = random.Random(seed)
        world = [a, b]
        reach = 40

        def pick():
            return world[-1 - int(rng.random() * min(reach, len(world)))] \
                if rng.random() < 0.7 else rng.choice((a, b))

        def hashable():
            for _ in range(5):
                x = pick()
                try:
                    hash(x)
                except TypeError:
                    continue
                return x
            return 0

        def function(x, y):
            def f(p=x, *, q=y):
                return p, q, x
            return f

        def generator(x):
            yield x
            yield x

        def started(x):
            g = generator(x)
            next(g)
            return g

        def slotted():
            s = Slotted()
            s.a, s.b = pick(), pick()
            return s

        makers = [
            lambda: [pick() for _ in range(3)],
            lambda: (pick(), pick()),
            lambda: (hashable(), 1),
            lambda: {hashable(): pick(), "k": pick()},
            lambda: {"x": pick(), "y": pick()},
            lambda: {hashable(), hashable()},
            lambda: frozenset([hashable(), hashable()]),
            lambda: Node(x=pick(), y=pick()),
            lambda: Key(hashable()),
            slotted,
            lambda: function(pick(), pick()),
            lambda: types.MethodType(len, pick()),
            lambda: collections.deque([pick(), pick()]),
            lambda: collections.OrderedDict([(hashable(), pick())]),
            lambda: started(pick()),
            lambda: iter([pick(), pick()]),
            lambda: slice(pick(), pick()),
            lambda: types.CellType(pick()),
            lambda: fresh_str("some text"),
        ]
        while len(world) < count:
            world.append(makers[int(rng.random() * len(makers))]())
        return world

    @staticmethod
    def snapshot(world):
        ids = array.array("q", (id(x) for x in world))
        counts = array.array("q", (sys.getrefcount(x) for x in world))
        types_ = array.array("q", (id(type(x)) for x in world))
        referents = []
        hashes = array.array("q")
        for x in world:
            if isinstance(x, (set, frozenset)):
                referents.append(array.array("q", sorted(
                    id(r) for r in gc.get_referents(x))))
            else:
                referents.append(array.array("q", (
                    id(r) for r in gc.get_referents(x))))
            if isinstance(x, (tuple, frozenset, Key)):
                try:
                    hashes.append(hash(x))
                except TypeError:
                    hashes.append(-1)
        tables = [array.array("q", (y for item in contents(x)
                                    for y in (item if type(item) is tuple
                                              else (item,))))
                  for x in world]
        return ids, counts, types_, referents, hashes, tables

    def check_world(self, make_a, make_b, count, seed=1):
        pairs = Pairs.swap(make_a(), make_b())
        world = self.build(pairs.old, pairs.new, count, seed)
        gc.collect()
        before = self.snapshot(world)
        total = sys.gettotalrefcount() if DEBUG else 0
        first = gc.remap(pairs.list)
        with self.subTest("left behind"):
            self.assertEqual(first.left_behind, (0, 0))
        self.assertGreater(first.references, count // 10)
        self.assertEqual(first.collisions, 0)
        changed = self.snapshot(world)
        self.assertNotEqual(changed[3], before[3])
        for x in world[2:]:
            if isinstance(x, dict):
                for key in x:
                    self.assertIn(key, x)
            elif isinstance(x, (set, frozenset)):
                for item in x:
                    self.assertIn(item, x)
        x = key = item = None
        del changed
        second = gc.remap(pairs.list)
        self.assertEqual(second.references, first.references)
        with self.subTest("left behind again"):
            self.assertEqual(second.left_behind, (0, 0))
        del first, second
        gc.collect()
        after = self.snapshot(world)
        for name, one, two in zip(("ids", "counts", "types", "referents",
                                   "hashes", "tables"), before, after):
            self.assertTrue(one == two, name)
        if DEBUG:
            del after, one, two, name
            # Arrays hold no references; a few ints and caches may differ.
            self.assertLess(abs(sys.gettotalrefcount() - total), 100)

    def test_things_small(self):
        for seed in range(5):
            with self.subTest(seed=seed):
                self.check_world(lambda: Thing("a"), lambda: Thing("b"),
                                 1000, seed)

    def test_100_000_objects(self):
        self.check_world(lambda: Thing("a"), lambda: Thing("b"), 100_000)

    def test_functions(self):
        self.check_world(lambda: lambda: 1, lambda: lambda: 2, 10_000)

    def test_values(self):
        # Hashed by value, and not the same.
        self.check_world(lambda: Key(1), lambda: Key(2), 10_000)

    def test_tuples(self):
        self.check_world(lambda: tuple([Thing(), 1]), lambda: tuple([2, 3]),
                         10_000)

    def test_classes(self):
        self.check_world(lambda: type("A", (), {"x": 1}),
                         lambda: type("B", (), {"x": 2}), 10_000)

    def test_lists(self):
        # Unhashable: never a key.
        self.check_world(lambda: [1], lambda: [2], 10_000)

    def test_list_and_thing(self):
        # What must be hashable cannot become a list: refused, and unchanged.
        pairs = Pairs.swap(Thing("a"), [1])
        world = self.build(pairs.old, pairs.new, 10_000)
        gc.collect()
        before = self.snapshot(world)
        with self.assertRaises(TypeError):
            gc.remap(pairs.list)
        gc.collect()
        after = self.snapshot(world)
        for name, one, two in zip(("ids", "counts", "types", "referents",
                                   "hashes", "tables"), before, after):
            self.assertTrue(one == two, name)


if __name__ == "__main__":
    main()
