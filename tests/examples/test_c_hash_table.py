"""A hash table with open addressing: its keys and their repair."""

import gc
import sys
import unittest
import weakref

import parity
from hash_table import Table


class Thing:
    pass


def refcounts(pairs):
    (old, new), = pairs
    return sys.getrefcount(old), sys.getrefcount(new)


class Key:
    """Equal by value."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Key) and self.value == other.value

    def __hash__(self):
        return hash(self.value)


class Fails(Key):

    def __hash__(self):
        raise ZeroDivisionError("hash")


def table(items):
    t = Table()
    for key, value in items:
        t[key] = value
    return t


class Keys(unittest.TestCase):

    def test_table_itself(self):
        t = table((i, str(i)) for i in range(1000))
        for i in range(0, 1000, 2):
            del t[i]
        self.assertEqual(len(t), 500)
        self.assertEqual(sorted(t.items()), [(i, str(i)) for i in range(1, 1000, 2)])
        self.assertNotIn(0, t)
        with self.assertRaises(KeyError):
            t[0]

    def test_key(self):
        old, new = Thing(), Thing()
        t = table([(old, "x")])
        for i in range(100):
            t[i] = i
        gc.remap([(old, new)])
        self.assertEqual(t[new], "x")
        self.assertEqual(len(t), 101)
        for i in range(100):
            self.assertEqual(t[i], i)

    def test_old_key_is_gone(self):
        box = [Thing()]
        identity = id(box[0])
        t = table([(box[0], "x")])
        result = gc.remap([(box.pop(), Thing())])
        self.assertEqual(result.references, 1)
        self.assertEqual([id(k) == identity for k, v in t.items()], [False])

    def test_many_keys(self):
        old = [Thing() for _ in range(500)]
        new = [Thing() for _ in range(500)]
        t = table((k, i) for i, k in enumerate(old))
        gc.remap(zip(list(old), new))
        for i, k in enumerate(new):
            self.assertEqual(t[k], i)
        self.assertEqual(len(t), 500)

    def test_swap_of_keys(self):
        a, b = Thing(), Thing()
        ids = id(a), id(b)
        t = table([(a, 1), (b, 2)])
        gc.remap([(a, b), (b, a)])
        self.assertEqual(sorted((id(k), v) for k, v in t.items()),
                         sorted([(ids[1], 1), (ids[0], 2)]))
        self.assertEqual((t[a], t[b]), (1, 2))

    def test_key_inside_a_tuple(self):
        old, new = Thing(), Thing()
        t = table([((old,), 1), (frozenset([(old, 2)]), 2), (3, 3)])
        gc.remap([(old, new)])
        self.assertEqual(t[(new,)], 1)
        self.assertEqual(t[frozenset([(new, 2)])], 2)
        self.assertEqual(t[3], 3)

    def test_key_whose_hash_changes(self):
        a, b = Thing(), Thing()
        key = Key(a)
        t = table([(key, 1)])
        gc.remap([(a, b)])
        self.assertIs(key.value, b)
        self.assertEqual(t[Key(b)], 1)

    def test_table_in_table(self):
        old, new = Thing(), Thing()
        inner = table([(old, 1)])
        outer = table([((old,), inner)])
        gc.remap([(old, new)])
        self.assertEqual(outer[(new,)][new], 1)

    def test_values(self):
        old, new = Thing(), Thing()
        t = table([(i, old) for i in range(10)])
        gc.remap([(old, new)])
        self.assertTrue(all(v is new for k, v in t.items()))

    def test_collision(self):
        a, b = Thing(), Thing()
        t = table([(a, 1), (b, 2)])
        result = gc.remap([(a, b)])
        self.assertEqual(len(t), 1)
        self.assertIn(t[b], (1, 2))
        self.assertEqual(result.collisions, 1)
        self.assertEqual(result.rehashed, 1)

    def test_counts(self):
        keys = [Thing() for _ in range(50)]
        new = [Thing()]
        t = table((k, [i]) for i, k in enumerate(keys))
        count = sys.getrefcount(new[0])
        pairs = [(keys[7], new[0]), (keys[9], new[0])]
        del keys
        ref = weakref.ref(pairs[0][0])
        result = gc.remap(pairs)
        self.assertIs(ref(), new[0])
        self.assertEqual(result.left_behind, (0, 0))
        # With the weak one.
        self.assertEqual(result.references, 3)
        self.assertEqual(len(t), 49)
        del pairs
        # One reference by the table, the two keys have been merged.
        self.assertEqual(sys.getrefcount(new[0]), count + 1)
        del t
        gc.collect()
        self.assertEqual(sys.getrefcount(new[0]), count)


class Rollback(unittest.TestCase):

    def check(self, build):
        old = Key("old")
        t = build(old)
        before = [(id(k), id(v)) for k, v in t.items()]
        pairs = [(old, Fails("new"))]
        counts = refcounts(pairs)
        with self.assertRaisesRegex(ZeroDivisionError, "hash"):
            gc.remap(pairs)
        self.assertEqual([(id(k), id(v)) for k, v in t.items()], before)
        self.assertEqual(refcounts(pairs), counts)
        self.assertIs(type(old), Key)
        return old, t

    def test_failing_hash(self):
        old, t = self.check(lambda old: table([(old, 1), (2, 2)]))
        self.assertEqual((t[old], t[2]), (1, 2))

    def test_failing_hash_in_tuple(self):
        old, t = self.check(lambda old: table([((old,), 1), (2, 2)]))
        self.assertEqual((t[(old,)], t[2]), (1, 2))

    def test_other_tables(self):
        other_old, other_new = Thing(), Thing()
        old = Key("old")
        tables = [table([(other_old, 1), (Key(other_old), 2)]) for _ in range(20)]
        tables.append(table([(old, 1)]))
        tables += [table([(other_old, 1), ((other_old,), 2)]) for _ in range(20)]
        with self.assertRaises(ZeroDivisionError):
            gc.remap([(other_old, other_new), (old, Fails("new"))])
        for t in tables[:20]:
            self.assertEqual((t[other_old], t[Key(other_old)]), (1, 2))
            self.assertNotIn(other_new, t)
        for t in tables[21:]:
            self.assertEqual((t[other_old], t[(other_old,)]), (1, 2))
        self.assertEqual(tables[20][old], 1)
        self.assertIsNot(other_old, other_new)

    def test_failing_eq(self):
        class FailsEq(Key):
            def __eq__(self, other):
                raise ZeroDivisionError("eq")
            __hash__ = Key.__hash__
        a, b, new = Key(1), Key(2), FailsEq(2)
        t = table([(b, "b"), (a, "a")])
        with self.assertRaisesRegex(ZeroDivisionError, "eq"):
            gc.remap([(a, new)])
        self.assertEqual((t[a], t[b], len(t)), ("a", "b", 2))

    def test_repair_that_changes_the_table(self):
        for meddled in 1, 7:            # before and behind the key
            with self.subTest(meddled=meddled):
                class Meddles(Key):
                    def __hash__(self):
                        t[meddled] = True
                        return 1
                old = Key(5)
                t = table([(old, 1)])
                with self.assertRaisesRegex(RuntimeError,
                                            "changed during its repair"):
                    gc.remap([(old, Meddles(1))])
                self.assertEqual(t[old], 1)
                del t[meddled]
                self.assertEqual(t.items(), [(old, 1)])

    def test_collector_in_the_repair(self):
        class Collects(Key):
            def __hash__(self):
                gc.collect()
                return hash(self.value)
        old, new = Key("old"), Collects("new")
        t = table([(old, 1)] + [(i, [i]) for i in range(10)])
        gc.remap([(old, new)])
        self.assertEqual(t[new], 1)
        self.assertEqual(len(t), 11)


class Iteration(unittest.TestCase):

    def test_loop_in_c(self):
        old, new = Thing(), Thing()
        t = table([(old, 1)] + [(i, i) for i in range(20)])
        done = []

        def remap_once(key, value):
            if not done:
                done.append(True)
                gc.remap([(old, new)])

        with self.assertRaisesRegex(RuntimeError, "changed during iteration"):
            t.for_each(remap_once)
        self.assertEqual(t[new], 1)
        self.assertEqual(len(t), 21)

    def test_values_may_change_in_a_loop(self):
        old, new = Thing(), Thing()
        t = table((i, old) for i in range(20))
        seen = []

        def remap_once(key, value):
            if not seen:
                gc.remap([(old, new)])
            seen.append(key)

        t.for_each(remap_once)
        self.assertEqual(sorted(seen), list(range(20)))


class Collector(unittest.TestCase):

    def test_cycle(self):
        class SubTable(Table):
            pass
        t = SubTable()
        t["self"] = t
        t[(t.__class__, 1)] = [t]
        ref = weakref.ref(t)
        del t
        gc.collect()
        self.assertIsNone(ref())

    def test_parity(self):
        t = table((i, [i]) for i in range(100))
        parity.check(t)
        for i in range(0, 100, 3):
            del t[i]
        parity.check(t)
        parity.check(Table())

    def test_class_of_a_table(self):
        class Old(Table):
            pass

        class New(Table):
            pass
        t = Old()
        t[1] = 2
        Replacement = New
        gc.remap([(Old, New)])
        self.assertIs(type(t), Replacement)
        self.assertEqual(t[1], 2)


if __name__ == "__main__":
    unittest.main()
