"""gc.remap() and sets and frozensets."""

import gc
import weakref

from support import Key, Pairs, RemapTestCase, Thing, fresh_str, main


class SubSet(set):
    pass


class SubFrozenSet(frozenset):
    pass


class Clash:

    def __hash__(self):
        return 7

    def __eq__(self, other):
        return self is other


class SetTests(RemapTestCase):

    kind = set

    def test_only_item(self):
        pairs = Pairs.things()
        s = self.kind([pairs.old])
        result = self.remap(pairs, rehashed=1)
        self.assertEqual(s, {pairs.new})
        self.assertIn(pairs.new, s)
        self.assertNotIn(pairs.old, s)
        self.assertEqual(result.references, 1)
        self.assertEqual(result.containers, 1)

    def test_among_others(self):
        pairs = Pairs.things()
        s = self.kind([1, "two", (3,), pairs.old, None])
        self.remap(pairs, rehashed=1)
        self.assertEqual(s, {1, "two", (3,), pairs.new, None})
        self.assertSetSound(s)

    def test_nothing_to_find(self):
        pairs = Pairs.things()
        s = self.kind([1, Thing()])
        result = self.remap(pairs, rehashed=0)
        self.assertEqual(result.containers, 0)
        self.assertSetSound(s)

    def test_many_items(self):
        pairs = Pairs.things(1000)
        s = self.kind([pairs.old_at(i) for i in range(1000)])
        result = self.remap(pairs, rehashed=1)
        self.assertEqual(s, {pairs.new_at(i) for i in range(1000)})
        self.assertEqual(result.references, 1000)
        self.assertSetSound(s)

    def test_many_sets(self):
        pairs = Pairs.things()
        sets = [self.kind([pairs.old, *range(i)]) for i in range(100)]
        self.remap(pairs, rehashed=100)
        for i, s in enumerate(sets):
            self.assertEqual(s, {pairs.new, *range(i)})
            self.assertSetSound(s)

    def test_clashing_hashes(self):
        pairs = Pairs(Clash(), Clash())
        others = [Clash() for _ in range(12)]
        s = self.kind([*others[:6], pairs.old, *others[6:]])
        self.remap(pairs, rehashed=1)
        self.assertEqual(s, {pairs.new, *others})
        self.assertSetSound(s)

    def test_collision(self):
        pairs = Pairs.things()
        s = self.kind([1, pairs.old, pairs.new])
        self.remap(pairs, collisions=1, dropped=1, rehashed=1)
        self.assertEqual(s, {1, pairs.new})
        self.assertEqual(len(s), 2)
        self.assertSetSound(s)

    def test_collision_of_several(self):
        new = Thing("new")
        pairs = Pairs(Thing("a"), new, Thing("b"), new, Thing("c"), new)
        s = self.kind([pairs.old_at(0), pairs.old_at(1), pairs.old_at(2)])
        self.remap(pairs, collisions=2, dropped=2)
        self.assertEqual(s, {new})
        self.assertSetSound(s)

    def test_collision_by_value(self):
        present = Key(2)
        pairs = Pairs(Key(1), Key(2))
        s = self.kind([present, pairs.old, 0])
        result = gc.remap(pairs.list)
        self.assertEqual(result.collisions, 1)
        self.assertEqual(len(s), 2)
        self.assertEqual(s, {Key(2), 0})
        self.assertSetSound(s)

    def test_swap_does_not_collide(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        s = self.kind([pairs.old, pairs.new])
        self.remap(pairs, collisions=0)
        self.assertEqual(s, {pairs.old, pairs.new})
        self.assertSetSound(s)

    def test_str_becomes_tuple(self):
        pairs = Pairs(fresh_str("the old"), tuple([1, 2]))
        s = self.kind([pairs.old, "x"])
        self.remap(pairs)
        self.assertEqual(s, {(1, 2), "x"})
        self.assertNotIn("the old", s)
        self.assertSetSound(s)

    def test_unhashable(self):
        pairs = Pairs(Thing(), [])
        s = self.kind([pairs.old, "x"])
        self.refused(pairs, TypeError, "unhashable")
        self.assertEqual(s, {pairs.old, "x"})
        self.assertSetSound(s)

    def test_set_is_the_old_object(self):
        pairs = Pairs(self.kind([1, Thing()]), self.kind([2, Thing()]))
        holder = [pairs.old, {1: pairs.old}]
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)
        self.assertIs(holder[1][1], pairs.new)

    def test_item_in_a_tuple(self):
        pairs = Pairs.things()
        s = self.kind([(pairs.old, 1), (2, (pairs.old,))])
        self.remap(pairs, rehashed=1)
        self.assertEqual(s, {(pairs.new, 1), (2, (pairs.new,))})
        self.assertSetSound(s)

    def test_copies_and_operations(self):
        pairs = Pairs.things()
        s = self.kind([pairs.old, 1])
        copies = [s | {2}, self.kind(list(s)), s & {pairs.old}]
        self.remap(pairs, rehashed=4)
        self.assertEqual(copies, [{pairs.new, 1, 2}, s, {pairs.new}])
        for c in copies:
            self.assertSetSound(c)
        self.assertLessEqual(copies[2], s)
        self.assertEqual(s - {pairs.new}, {1})

    def test_iteration_under_way(self):
        # Stays right, or raises: never an old object, never one twice.
        pairs = Pairs.things(10)
        s = self.kind([pairs.old_at(i) for i in range(10)])
        expected = {pairs.new_at(i) for i in range(10)}
        it = iter(s)
        first = next(it)
        self.remap(pairs)
        self.assertIn(first, expected)
        try:
            rest = list(it)
        except RuntimeError:
            pass
        else:
            self.assertEqual({first, *rest}, expected)
            self.assertEqual(len(rest), 9)

    def test_iteration_under_way_in_an_untouched_set(self):
        pairs = Pairs.things()
        holder = [pairs.old]
        s = self.kind(range(10))
        it = iter(s)
        first = next(it)
        self.remap(pairs)
        self.assertEqual({first, *it}, s)
        self.assertIs(holder[0], pairs.new)


class FrozenSetTests(SetTests):

    kind = frozenset

    def test_hash_that_was_cached(self):
        pairs = Pairs.things()
        s = frozenset([pairs.old, 1])
        hash(s)
        self.remap(pairs)
        self.assertEqual(hash(s), hash(frozenset([pairs.new, 1])))

    def test_cached_hash_of_nested_sets(self):
        pairs = Pairs.things()
        s = frozenset([frozenset([frozenset([pairs.old]), 1]), 2])
        hash(s)
        self.remap(pairs, rehashed=3)
        expected = frozenset([frozenset([frozenset([pairs.new]), 1]), 2])
        self.assertEqual(hash(s), hash(expected))
        self.assertEqual(s, expected)
        self.assertSetSound(s)

    def test_nested_sets_that_become_equal(self):
        pairs = Pairs.things()
        s = frozenset([frozenset([pairs.old]), frozenset([pairs.new])])
        self.assertEqual(len(s), 2)
        # The inner set that goes takes a reference along.
        self.remap(pairs, collisions=1, dropped=1)
        self.assertEqual(s, {frozenset([pairs.new])})
        self.assertEqual(len(s), 1)
        self.assertEqual(hash(s), hash(frozenset([frozenset([pairs.new])])))

    def test_frozenset_as_key(self):
        pairs = Pairs.things()
        d = {frozenset([pairs.old]): 1, frozenset([frozenset([pairs.old])]): 2}
        self.remap(pairs)
        self.assertEqual(d[frozenset([pairs.new])], 1)
        self.assertEqual(d[frozenset([frozenset([pairs.new])])], 2)
        self.assertDictSound(d)

    def test_frozenset_replaced_in_a_set(self):
        pairs = Pairs(frozenset([1, 2, Thing()]), frozenset([3, Thing()]))
        s = {pairs.old, 5}
        self.remap(pairs)
        self.assertEqual(s, {pairs.new, 5})
        self.assertSetSound(s)

    def test_constant_of_a_membership_test(self):
        # "x in {1, 2}" keeps a frozenset among the constants of the code.
        namespace = {}
        exec("def f(x): return x in {10, 20}", namespace)
        constants = namespace["f"].__code__.co_consts
        where = [type(c) for c in constants].index(frozenset)
        pairs = Pairs(constants[where], frozenset([30, 40]))
        del constants
        self.assertTrue(namespace["f"](10))
        self.remap(pairs)
        self.assertFalse(namespace["f"](10))
        self.assertTrue(namespace["f"](30))


class MutableSetTests(RemapTestCase):

    def test_operations_after_a_remap(self):
        pairs = Pairs.things()
        s = {pairs.old, 1}
        self.remap(pairs)
        s.add(pairs.new)
        self.assertEqual(len(s), 2)
        s.remove(pairs.new)
        self.assertEqual(s, {1})
        self.assertNotIn(pairs.new, s)
        s.update(range(1000))
        self.assertSetSound(s)
        s.clear()

    def test_deleted_entries(self):
        pairs = Pairs.things()
        s = set(range(100))
        s.add(pairs.old)
        for i in range(90):
            s.remove(i)
        self.remap(pairs)
        self.assertEqual(s, {*range(90, 100), pairs.new})
        self.assertSetSound(s)
        s.discard(pairs.new)
        s.add(5)
        self.assertEqual(s, {*range(90, 100), 5})

    def test_new_object_dies_with_the_set(self):
        pairs = Pairs.things()
        s = {pairs.old}
        self.remap(pairs)
        ref = weakref.ref(pairs.new)
        del pairs
        self.assertIsNotNone(ref())
        s.clear()
        gc.collect()
        self.assertIsNone(ref())

    def test_subclasses(self):
        pairs = Pairs.things()
        for cls in SubSet, SubFrozenSet:
            with self.subTest(cls=cls):
                pairs = Pairs.things()
                s = cls([pairs.old, 1])
                s.attribute = pairs.old
                self.remap(pairs)
                self.assertEqual(s, {pairs.new, 1})
                self.assertIs(s.attribute, pairs.new)
                self.assertIs(type(s), cls)
                self.assertSetSound(s)

    def test_item_that_holds_its_own_set(self):
        class Item:
            pass
        pairs = Pairs(Item(), Item())
        s = {pairs.old}
        pairs.old.owner = pairs.new.owner = s
        self.remap(pairs)
        self.assertEqual(s, {pairs.new})
        self.assertIs(pairs.new.owner, s)
        s.clear()


if __name__ == "__main__":
    main()
