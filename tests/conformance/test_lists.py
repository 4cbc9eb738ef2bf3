"""gc.remap() and lists and deques."""

import collections
import copy
import gc
import weakref

from support import Pairs, RemapTestCase, Thing, main


class SubList(list):
    pass


class SubDeque(collections.deque):
    pass


class ListTests(RemapTestCase):

    def test_item(self):
        pairs = Pairs.things()
        items = [1, pairs.old, 3]
        result = self.remap(pairs)
        self.assertEqual(items, [1, pairs.new, 3])
        self.assertEqual(result.references, 1)
        self.assertEqual(result.containers, 1)

    def test_many_items(self):
        pairs = Pairs.things(3)
        items = [pairs.old_at(i % 3) for i in range(100)]
        result = self.remap(pairs)
        self.assertEqual(items, [pairs.new_at(i % 3) for i in range(100)])
        self.assertEqual(result.references, 100)
        self.assertEqual(result.containers, 1)

    def test_large(self):
        pairs = Pairs.things()
        items = [pairs.old] * 100_000
        self.remap(pairs)
        self.assertEqual(items.count(pairs.new), 100_000)

    def test_nothing_to_find(self):
        pairs = Pairs.things()
        items = [1, Thing()]
        result = self.remap(pairs)
        self.assertEqual(result.references, 0)
        self.assertEqual(result.containers, 0)
        self.assertEqual(len(items), 2)

    def test_matched_by_identity(self):
        pairs = Pairs([1, 2], [3, 4])
        items = [pairs.old, [1, 2], pairs.old]
        self.remap(pairs)
        self.assertEqual(items, [[3, 4], [1, 2], [3, 4]])
        self.assertIs(items[0], pairs.new)

    def test_list_is_the_old_object(self):
        pairs = Pairs([1], [2])
        holder = (pairs.old, [pairs.old])
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)
        self.assertIs(holder[1][0], pairs.new)
        self.assertEqual(pairs.old, [1])

    def test_list_that_holds_itself(self):
        pairs = Pairs([1], [2])
        pairs.old.append(pairs.old)
        self.remap(pairs)
        self.assertIs(pairs.old[1], pairs.new)
        self.assertEqual(pairs.new, [2])

    def test_new_list_holds_the_old(self):
        # There is no exception for the new object: it ends up in itself.
        pairs = Pairs([1], [2])
        pairs.new.append(pairs.old)
        self.remap(pairs)
        self.assertIs(pairs.new[1], pairs.new)
        pairs.new.clear()

    def test_list_becomes_tuple(self):
        pairs = Pairs([1], tuple([2, 3]))
        holder = [pairs.old]
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)

    def test_nested(self):
        pairs = Pairs.things()
        items = [[[[pairs.old]]], [pairs.old]]
        self.remap(pairs)
        self.assertEqual(items, [[[[pairs.new]]], [pairs.new]])

    def test_spare_room(self):
        pairs = Pairs.things()
        items = [pairs.old] * 50
        del items[10:]
        self.remap(pairs)
        self.assertEqual(items, [pairs.new] * 10)
        items.append(1)
        self.assertEqual(items.pop(), 1)

    def test_subclass(self):
        pairs = Pairs.things()
        items = SubList([pairs.old])
        items.attribute = pairs.old
        self.remap(pairs)
        self.assertEqual(items, [pairs.new])
        self.assertIs(items.attribute, pairs.new)
        self.assertIs(type(items), SubList)

    def test_user_list(self):
        pairs = Pairs.things()
        items = collections.UserList([pairs.old, 1])
        self.remap(pairs)
        self.assertEqual(items, [pairs.new, 1])

    def test_methods_after_a_remap(self):
        pairs = Pairs.things()
        items = [pairs.old, 1, pairs.old]
        self.remap(pairs)
        self.assertEqual(items.index(pairs.new), 0)
        self.assertEqual(items.count(pairs.new), 2)
        items.remove(pairs.new)
        items.reverse()
        self.assertEqual(items, [pairs.new, 1])
        self.assertEqual(copy.copy(items), items)

    def test_comprehension_under_way(self):
        pairs = Pairs.things()

        def step(i):
            if i == 2:
                self.remap(pairs)
            return pairs.list[0][i >= 2]
        items = [step(i) for i in range(4)]
        self.assertEqual(items, [pairs.new] * 4)

    def test_list_display_under_way(self):
        pairs = Pairs.things()
        items = [pairs.old, *[pairs.old], self.remap(pairs) and 1, pairs.old]
        self.assertEqual(items[:3], [pairs.new, pairs.new, 1])
        self.assertIs(items[3], pairs.old)
        items.clear()

    def test_new_object_dies_with_the_list(self):
        pairs = Pairs.things()
        items = [pairs.old, pairs.old]
        self.remap(pairs)
        ref = weakref.ref(pairs.new)
        del pairs
        self.assertIsNotNone(ref())
        items.clear()
        gc.collect()
        self.assertIsNone(ref())


class DequeTests(RemapTestCase):

    def test_item(self):
        pairs = Pairs.things()
        d = collections.deque([1, pairs.old, 3])
        result = self.remap(pairs)
        self.assertEqual(list(d), [1, pairs.new, 3])
        self.assertEqual(result.references, 1)
        self.assertEqual(result.containers, 1)

    def test_many_blocks(self):
        pairs = Pairs.things(2)
        d = collections.deque(pairs.old_at(i % 2) for i in range(1000))
        result = self.remap(pairs)
        self.assertEqual(list(d), [pairs.new_at(i % 2) for i in range(1000)])
        self.assertEqual(result.references, 1000)

    def test_both_ends(self):
        pairs = Pairs.things()
        d = collections.deque()
        for _ in range(200):
            d.append(pairs.old)
            d.appendleft(pairs.old)
        for _ in range(150):
            d.popleft()
        self.remap(pairs)
        self.assertEqual(len(d), 250)
        self.assertEqual(d.count(pairs.new), 250)
        d.rotate(77)
        self.assertEqual(d.count(pairs.new), 250)

    def test_maxlen(self):
        pairs = Pairs.things()
        d = collections.deque([pairs.old] * 5, maxlen=3)
        self.remap(pairs)
        self.assertEqual(list(d), [pairs.new] * 3)
        d.append(1)
        self.assertEqual(list(d), [pairs.new, pairs.new, 1])
        self.assertEqual(d.maxlen, 3)

    def test_subclass(self):
        pairs = Pairs.things()
        d = SubDeque([pairs.old])
        d.attribute = pairs.old
        self.remap(pairs)
        self.assertEqual(list(d), [pairs.new])
        self.assertIs(d.attribute, pairs.new)

    def test_deque_is_the_old_object(self):
        pairs = Pairs(collections.deque([1]), collections.deque([2]))
        holder = [pairs.old]
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)

    def test_iterator(self):
        pairs = Pairs(collections.deque([1, 2, 3]),
                      collections.deque([4, 5, 6]))
        it = iter(pairs.old)
        self.assertEqual(next(it), 1)
        if not self.reached(pairs):
            self.assertEqual(list(it), [2, 3])
        else:
            # What it must never do is read the blocks of a dead deque.
            pairs.list.clear()
            gc.collect()
            try:
                rest = list(it)
            except RuntimeError:
                pass
            else:
                self.assertIn(rest, ([2, 3], [5, 6]))

    def test_items_while_iterating(self):
        pairs = Pairs.things()
        d = collections.deque([1, pairs.old, pairs.old])
        it = iter(d)
        self.assertEqual(next(it), 1)
        self.remap(pairs)
        self.assertEqual(list(it), [pairs.new, pairs.new])


if __name__ == "__main__":
    main()
