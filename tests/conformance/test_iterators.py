"""gc.remap() and iterators, views, proxies, slices."""

import collections
import gc
import itertools
import types

from support import Pairs, RemapTestCase, Thing, main


class HeldTests(RemapTestCase):
    """What the iterator walks over is replaced by something of its kind."""

    def test_list_iterator(self):
        pairs = Pairs([1, 2, 3], [4, 5, 6, 7])
        it = iter(pairs.old)
        self.assertEqual(next(it), 1)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 6, 7])

    def test_list_iterator_over_a_shorter_list(self):
        pairs = Pairs([1, 2, 3, 4, 5], [6])
        it = iter(pairs.old)
        next(it), next(it), next(it)
        self.remap(pairs)
        self.assertEqual(list(it), [])
        self.assertEqual(list(it), [])

    def test_exhausted_list_iterator(self):
        pairs = Pairs([1], [2, 3])
        it = iter(pairs.old)
        self.assertEqual(list(it), [1])
        self.remap(pairs)
        self.assertEqual(list(it), [])

    def test_reversed_list(self):
        pairs = Pairs([1, 2, 3], [4, 5, 6])
        it = reversed(pairs.old)
        self.assertEqual(next(it), 3)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 4])

    def test_reversed_list_becomes_a_shorter_one(self):
        pairs = Pairs([1, 2, 3], [4])
        it = reversed(pairs.old)
        self.assertEqual(next(it), 3)
        self.remap(pairs)
        self.assertEqual(list(it), [])

    def test_tuple_iterator(self):
        pairs = Pairs(tuple([1, 2, 3]), tuple([4, 5, 6]))
        it = iter(pairs.old)
        self.assertEqual(next(it), 1)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 6])

    def test_tuple_iterator_over_a_shorter_tuple(self):
        pairs = Pairs(tuple([1, 2, 3]), tuple([4]))
        it = iter(pairs.old)
        next(it), next(it)
        self.remap(pairs)
        self.assertEqual(list(it), [])

    def test_dict_iterators(self):
        for method in "keys", "values", "items":
            for other in ({4: 40, 5: 50, 6: 60}, {4: 40}, {},
                          {i: i for i in range(100)}):
                with self.subTest(method=method, other=other):
                    pairs = Pairs({1: 10, 2: 20, 3: 30}, other)
                    it = iter(getattr(pairs.old, method)())
                    next(it)
                    self.remap(pairs)
                    if len(other) == 3:
                        expected = list(getattr(other, method)())[1:]
                        self.assertEqual(list(it), expected)
                    else:
                        self.assertRaises(RuntimeError, list, it)

    def test_reversed_dict(self):
        pairs = Pairs({1: 10, 2: 20, 3: 30}, {4: 40, 5: 50, 6: 60})
        it = reversed(pairs.old)
        self.assertEqual(next(it), 3)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 4])

    def test_reversed_dict_becomes_a_shorter_one(self):
        pairs = Pairs({1: 10, 2: 20, 3: 30}, {4: 40})
        it = reversed(pairs.old)
        self.assertEqual(next(it), 3)
        if self.reached(pairs):
            self.assertRaises(RuntimeError, list, it)
        else:
            self.assertEqual(list(it), [2, 1])

    def test_dict_iterator_over_the_dict_of_an_instance(self):
        class C:
            pass
        obj = C()
        obj.x, obj.y = 1, 2
        pairs = Pairs({1: 10, 2: 20}, vars(obj))
        it = iter(pairs.old.items())
        next(it)
        self.remap(pairs)
        self.assertEqual(list(it), [("y", 2)])

    def test_dict_views(self):
        pairs = Pairs({1: 10}, {2: 20, 3: 30})
        keys, values, items = (pairs.old.keys(), pairs.old.values(),
                               pairs.old.items())
        self.remap(pairs)
        self.assertEqual(list(keys), [2, 3])
        self.assertEqual(list(values), [20, 30])
        self.assertEqual(list(items), [(2, 20), (3, 30)])
        self.assertEqual(keys.mapping, {2: 20, 3: 30})

    def test_views_of_a_changed_dict(self):
        pairs = Pairs.things()
        d = {1: 1, pairs.old: pairs.old}
        keys, values, items = d.keys(), d.values(), d.items()
        self.remap(pairs)
        self.assertEqual(list(keys), [1, pairs.new])
        self.assertEqual(list(values), [1, pairs.new])
        self.assertIn((pairs.new, pairs.new), items)

    def test_set_iterator(self):
        pairs = Pairs({1, 2, 3}, {4, 5, 6})
        it = iter(pairs.old)
        next(it)
        self.remap(pairs)
        try:
            rest = list(it)
        except RuntimeError:
            pass
        else:
            self.assertLessEqual(set(rest), {4, 5, 6})

    def test_set_iterator_over_another_size(self):
        for other in (set(range(1000)), set(), frozenset([1])):
            with self.subTest(other=len(other)):
                pairs = Pairs(set(range(1000, 1100)), other)
                it = iter(pairs.old)
                next(it)
                self.remap(pairs)
                self.assertRaises(RuntimeError, list, it)

    def test_str_bytes_and_range(self):
        # Their iterators hold atoms.
        for old, new in (("".join(["ab", "c"]), "".join(["de", "f"])),
                         (b"".join([b"ab", b"c"]), b"".join([b"de", b"f"])),
                         (bytearray(b"abc"), bytearray(b"def"))):
            pairs = Pairs(old, new)
            del old, new
            with self.subTest(type=type(pairs.new)):
                it = iter(pairs.old)
                next(it)
                expected = pairs.list[0][self.reached(pairs)]
                self.assertEqual(list(it), list(expected)[1:])

    def test_sequence_iterator(self):
        class Sequence:
            def __init__(self, *items):
                self.items = items

            def __getitem__(self, index):
                return self.items[index]
        pairs = Pairs(Sequence(1, 2, 3), Sequence(4, 5, 6))
        it = iter(pairs.old)
        self.assertEqual(next(it), 1)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 6])

    def test_callable_iterator(self):
        pairs = Pairs([1, 2].pop, [3, 4].pop)
        sentinel = Pairs.things()
        it = iter(pairs.old, sentinel.old)
        self.assertEqual(next(it), 2)
        self.remap(pairs)
        self.remap(sentinel)
        self.assertEqual(next(it), 4)

    def test_enumerate(self):
        pairs = Pairs(iter([1, 2, 3]), iter([4, 5, 6]))
        e = enumerate(pairs.old)
        self.assertEqual(next(e), (0, 1))
        self.remap(pairs)
        self.assertEqual(list(e), [(1, 4), (2, 5), (3, 6)])

    def test_reversed_user_list(self):
        pairs = Pairs(collections.UserList([1, 2, 3]),
                      collections.UserList([4, 5, 6]))
        it = reversed(pairs.old)
        self.assertEqual(next(it), 3)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 4])

    def test_reversed_object(self):
        class Sequence:
            def __init__(self, *items):
                self.items = items

            def __getitem__(self, index):
                return self.items[index]

            def __len__(self):
                return len(self.items)
        pairs = Pairs(Sequence(1, 2, 3), Sequence(4, 5, 6))
        it = reversed(pairs.old)
        self.assertEqual(next(it), 3)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 4])

    def test_zip(self):
        pairs = Pairs(iter([1, 2, 3]), iter([4, 5, 6]))
        z = zip(pairs.old, "abc")
        self.assertEqual(next(z), (1, "a"))
        self.remap(pairs)
        self.assertEqual(list(z), [(4, "b"), (5, "c")])

    def test_result_that_zip_uses_again(self):
        pairs = Pairs.things()
        z = zip([1, 2], [3, 4])
        first = next(z)
        self.assertEqual(first, (1, 3))
        self.remap(pairs)
        self.assertEqual(next(z), (2, 4))

    def test_map(self):
        pairs = Pairs(lambda x: ("old", x), lambda x: ("new", x))
        m = map(pairs.old, [1, 2, 3])
        self.assertEqual(next(m), ("old", 1))
        self.remap(pairs)
        self.assertEqual(list(m), [("new", 2), ("new", 3)])

    def test_map_over_another_iterator(self):
        pairs = Pairs(iter([1, 2]), iter([3]))
        m = map(str, pairs.old)
        self.assertEqual(next(m), "1")
        self.remap(pairs)
        self.assertEqual(list(m), ["3"])

    def test_filter(self):
        pairs = Pairs(lambda x: x < 3, lambda x: x > 3,
                      iter([1, 2]), iter([3, 4]))
        f = filter(pairs.old, pairs.old_at(1))
        self.assertEqual(next(f), 1)
        self.remap(pairs)
        self.assertEqual(list(f), [4])

    def test_mappingproxy(self):
        pairs = Pairs({1: 2}, {3: 4})
        proxy = types.MappingProxyType(pairs.old)
        self.remap(pairs)
        self.assertEqual(proxy, {3: 4})
        self.assertEqual(proxy[3], 4)

    def test_mappingproxy_of_a_changed_dict(self):
        pairs = Pairs.things()
        proxy = types.MappingProxyType({pairs.old: pairs.old})
        self.remap(pairs)
        self.assertIs(proxy[pairs.new], pairs.new)

    def test_slice(self):
        pairs = Pairs.things()
        s = slice(pairs.old, pairs.old, pairs.old)
        self.remap(pairs, references=3)
        for x in s.start, s.stop, s.step:
            self.assertIs(x, pairs.new)

    def test_generator(self):
        pairs = Pairs(iter([1, 2, 3]), iter([4, 5]))
        g = (x * 10 for x in pairs.old)
        self.assertEqual(next(g), 10)
        self.remap(pairs)
        self.assertEqual(list(g), [40, 50])

    def test_itertools(self):
        pairs = Pairs.things()
        iterators = [
            itertools.chain([pairs.old], [pairs.old]),
            itertools.repeat(pairs.old, 2),
            itertools.cycle([pairs.old]),
            itertools.islice([pairs.old], 1),
            itertools.starmap(lambda x: x, [(pairs.old,)]),
            itertools.product([pairs.old], repeat=2),
            itertools.combinations([pairs.old, 1], 2),
            itertools.groupby([pairs.old]),
            itertools.tee([pairs.old])[0],
            itertools.accumulate([pairs.old]),
        ]
        pools = (itertools.product, itertools.combinations)
        if self.reached(pairs):
            for it in iterators:
                with self.subTest(it=type(it)):
                    item = next(it)
                    if isinstance(it, pools) or isinstance(it, itertools.groupby):
                        item = item[0]
                    self.assertIs(item, pairs.new)
        iterators.clear()


class RefusedTests(RemapTestCase):
    """The C code of an iterator does not look again at what it walks over."""

    def check(self, iterate, make, others, rest):
        for other in others:
            with self.subTest(other=type(other)):
                pairs = Pairs(make(), other)
                it = iterate(pairs.old)
                first = next(it)
                self.refused(pairs, TypeError)
                self.assertEqual([first, *it], rest)

    def check_not_reached(self, iterate, make, others, rest):
        """For iterators that may not implement the slot."""
        for other in others:
            with self.subTest(other=type(other)):
                pairs = Pairs(make(), other)
                it = iterate(pairs.old)
                first = next(it)
                self.assertFalse(self.reached(pairs))
                self.assertEqual([first, *it], rest)

    def test_list_iterator(self):
        self.check(iter, lambda: [1, 2], [(1, 2), {1: 2}, 5, Thing()], [1, 2])

    def test_reversed_list(self):
        self.check(reversed, lambda: [1, 2], [(1, 2), {1: 2}, 5], [2, 1])

    def test_tuple_iterator(self):
        self.check(iter, lambda: tuple([1, 2]), [[1, 2], {1: 2}, 5], [1, 2])

    def test_dict_iterator(self):
        self.check(iter, lambda: {1: 1, 2: 2}, [[1, 2], {1, 2}, 5], [1, 2])
        self.check(lambda d: iter(d.items()), lambda: {1: 1, 2: 2},
                   [[1, 2], {1, 2}, 5], [(1, 1), (2, 2)])

    def test_reversed_dict(self):
        self.check(reversed, lambda: {1: 1, 2: 2}, [[1, 2], 5], [2, 1])

    def test_set_iterator(self):
        self.check(iter, lambda: {1, 2}, [[1, 2], {1: 2}, 5], [1, 2])

    def test_deque_iterator(self):
        self.check_not_reached(iter, lambda: collections.deque([1, 2]), [[1, 2], 5], [1, 2])

    def test_str_iterator(self):
        # One for ASCII strings reads bytes: others must not get there.
        self.check_not_reached(iter, lambda: "".join(["a", "b"]),
                   [[1, 2], b"ab", 5, "\u1234\u5678", "\xe4\xf6"], ["a", "b"])
        self.check_not_reached(iter, lambda: "".join(["\u1234", "b"]), [[1, 2], 5],
                   ["\u1234", "b"])

    def test_ordered_dict_iterator(self):
        self.check(iter, lambda: collections.OrderedDict({1: 1, 2: 2}),
                   [{1: 1}, [1, 2], 5], [1, 2])

    def test_enumerate(self):
        self.check_iterator_holder(enumerate)

    def check_iterator_holder(self, make):
        # Refused, or looked at again before it is used.
        for other in ([1, 2], 5, Thing(), None):
            with self.subTest(other=other):
                pairs = Pairs(iter([1, 2]), other)
                it = make(pairs.old)
                next(it)
                if self.reached(pairs):
                    self.assertRaises(TypeError, next, it)
                else:
                    next(it)
                    self.assertEqual(list(it), [])

    def test_zip(self):
        self.check_iterator_holder(lambda it: zip(it, "ab"))

    def test_map(self):
        self.check_iterator_holder(lambda it: map(str, it))

    def test_filter(self):
        self.check_iterator_holder(lambda it: filter(None, it))

    def test_dict_views(self):
        for other in ([1], {1}, 5):
            with self.subTest(other=other):
                pairs = Pairs({1: 2}, other)
                views = [pairs.old.keys(), pairs.old.values(),
                         pairs.old.items()]
                self.refused(pairs, TypeError)
                self.assertEqual([list(v) for v in views],
                                 [[1], [2], [(1, 2)]])

    def test_mappingproxy(self):
        for other in ([1], 5):
            with self.subTest(other=other):
                pairs = Pairs({1: 2}, other)
                proxy = types.MappingProxyType(pairs.old)
                self.refused(pairs, TypeError)
                self.assertEqual(proxy[1], 2)


if __name__ == "__main__":
    main()
