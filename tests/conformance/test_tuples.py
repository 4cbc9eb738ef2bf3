"""gc.remap() and tuples."""

import collections
import gc
import time
import weakref

from support import Pairs, RemapTestCase, Thing, fresh_str, main


class Sub(tuple):
    pass


Point = collections.namedtuple("Point", "x y")


class TupleTests(RemapTestCase):

    def test_item(self):
        pairs = Pairs.things()
        t = (1, pairs.old, 3)
        result = self.remap(pairs)
        self.assertEqual(t, (1, pairs.new, 3))
        self.assertEqual(result.references, 1)
        self.assertEqual(result.containers, 1)

    def test_same_item_many_times(self):
        pairs = Pairs.things()
        t = (pairs.old, pairs.old, "between", pairs.old)
        result = self.remap(pairs)
        self.assertEqual(t, (pairs.new, pairs.new, "between", pairs.new))
        self.assertEqual(result.references, 3)
        self.assertEqual(result.containers, 1)

    def test_identity_of_the_tuple_is_kept(self):
        pairs = Pairs.things()
        t = (pairs.old,)
        address = id(t)
        self.remap(pairs)
        self.assertEqual(id(t), address)
        self.assertIs(t[0], pairs.new)

    def test_old_and_new_together(self):
        pairs = Pairs.things()
        t = (pairs.old, pairs.new)
        self.remap(pairs)
        self.assertEqual(t, (pairs.new, pairs.new))

    def test_nested(self):
        pairs = Pairs.things()
        t = (1, (2, (3, (pairs.old,), [(pairs.old,)])))
        self.remap(pairs)
        self.assertIs(t[1][1][1][0], pairs.new)
        self.assertIs(t[1][1][2][0][0], pairs.new)

    def test_in_list_and_dict_value(self):
        pairs = Pairs.things()
        outer = [(pairs.old,), {"k": (pairs.old, pairs.old)}]
        self.remap(pairs)
        self.assertEqual(outer, [(pairs.new,), {"k": (pairs.new, pairs.new)}])

    def test_all_sizes(self):
        # Short tuples come from free lists.
        pairs = Pairs.things()
        tuples = [(pairs.old,) * n for n in range(1, 40)]
        result = self.remap(pairs)
        for n, t in enumerate(tuples, 1):
            self.assertEqual(t, (pairs.new,) * n)
        self.assertEqual(result.containers, len(tuples))

    def test_large(self):
        pairs = Pairs.things()
        t = (pairs.old,) * 100_000
        result = self.remap(pairs)
        self.assertEqual(t.count(pairs.new), 100_000)
        self.assertEqual(result.references, 100_000)

    def test_the_tuple_is_the_old_object(self):
        pairs = Pairs(tuple([1, Thing()]), tuple([3, 4]))
        holder = [pairs.old, {"k": pairs.old}]
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)
        self.assertIs(holder[1]["k"], pairs.new)

    def test_tuple_becomes_list(self):
        pairs = Pairs(tuple([1, Thing()]), [3, 4])
        holder = (pairs.old, "x")
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)

    def test_subclass(self):
        pairs = Pairs.things()
        t = Sub([pairs.old, 2])
        t.attribute = pairs.old
        self.remap(pairs)
        self.assertEqual(t, (pairs.new, 2))
        self.assertIs(t.attribute, pairs.new)
        self.assertIs(type(t), Sub)

    def test_namedtuple(self):
        pairs = Pairs.things()
        p = Point(pairs.old, y=1)
        self.remap(pairs)
        self.assertIs(p.x, pairs.new)
        self.assertEqual(p._asdict(), {"x": pairs.new, "y": 1})

    def test_struct_sequence(self):
        pairs = Pairs.things()
        # The last fields of a struct_time are not items of the tuple.
        s = time.struct_time((pairs.old, 2, 3, 4, 5, 6, 7, 8, 9,
                              pairs.old, 11))
        expected = pairs.list[0][self.reached(pairs)]
        self.assertIs(s[0], expected)
        self.assertIs(s.tm_year, expected)
        self.assertIs(s.tm_zone, expected)

    def test_hash_follows_the_item(self):
        pairs = Pairs.things()
        t = (1, pairs.old)
        self.remap(pairs)
        self.assertEqual(hash(t), hash((1, pairs.new)))

    def test_untracked_tuple(self):
        # The collector stops tracking tuples that hold only atoms.
        pairs = Pairs(fresh_str("atom old"), fresh_str("atom new"))
        holder = [(1, pairs.old)]
        gc.collect()
        self.assertFalse(gc.is_tracked(holder[0]))
        self.remap(pairs)
        self.assertIs(holder[0][1], pairs.new)

    def test_untracked_tuple_in_untracked_tuples(self):
        pairs = Pairs(fresh_str("atom old"), 10 ** 40)
        holder = [((1, (pairs.old, 2)), 3)]
        gc.collect()
        gc.collect()
        gc.collect()
        self.assertFalse(gc.is_tracked(holder[0]))
        self.remap(pairs)
        self.assertEqual(holder, [((1, (10 ** 40, 2)), 3)])

    def test_untracked_tuple_is_tracked_when_it_must_be(self):
        pairs = Pairs(fresh_str("atom old"), [])
        holder = [(1, pairs.old)]
        gc.collect()
        self.assertFalse(gc.is_tracked(holder[0]))
        self.remap(pairs)
        self.assertIs(holder[0][1], pairs.new)
        self.assertTrue(gc.is_tracked(holder[0]))

    def test_cycle_through_an_untracked_tuple_is_collected(self):
        class Node:
            pass
        node = Node()
        pairs = Pairs(fresh_str("atom old"), node)
        node.holder = (1, pairs.old)
        gc.collect()
        self.assertFalse(gc.is_tracked(node.holder))
        self.remap(pairs)
        self.assertIs(node.holder[1], node)
        ref = weakref.ref(node)
        del node, pairs
        gc.collect()
        self.assertIsNone(ref())

    def test_cycle_made_by_the_remap(self):
        inner = []
        pairs = Pairs(Thing(), inner)
        t = (pairs.old,)
        inner.append(t)
        self.remap(pairs)
        self.assertIs(t[0][0], t)
        inner.clear()

    def test_cycle_broken_by_the_remap(self):
        pairs = Pairs([], Thing())
        t = (pairs.old,)
        pairs.old.append(t)
        self.remap(pairs)
        self.assertIs(t[0], pairs.new)
        self.assertIs(pairs.old[0], t)

    def test_arguments_of_a_call(self):
        pairs = Pairs.things()

        def f(*args):
            self.remap(pairs)
            return args
        self.assertEqual(f(1, pairs.old, 2), (1, pairs.new, 2))

    def test_half_built_tuple(self):
        # tuple() shows the collector a tuple that it is still filling.
        pairs = Pairs.things()

        def items():
            yield 1
            yield pairs.old
            gc.remap(pairs.list)
            yield 3
        t = tuple(items())
        self.assertEqual(t, (1, pairs.new, 3))

    def test_two_pairs_in_one_tuple(self):
        pairs = Pairs.things(2)
        t = (pairs.old_at(0), pairs.old_at(1), pairs.old_at(0))
        self.remap(pairs)
        self.assertEqual(
            t, (pairs.new_at(0), pairs.new_at(1), pairs.new_at(0)))

    def test_permanent_generation(self):
        pairs = Pairs.things()
        t = (pairs.old,)
        gc.freeze()
        try:
            self.remap(pairs)
        finally:
            gc.unfreeze()
        self.assertIs(t[0], pairs.new)


if __name__ == "__main__":
    main()
