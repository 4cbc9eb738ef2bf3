"""A std::map keyed by PyObject *, and a smart pointer."""

import gc
import sys
import unittest
import weakref

import parity
from map_smart_ptr import Registry


class Thing:
    pass


def refcounts(pairs):
    (old, new), = pairs
    return sys.getrefcount(old), sys.getrefcount(new)


def registry(items):
    r = Registry()
    for key, value in items:
        r[key] = value
    return r


class Map(unittest.TestCase):

    def test_key(self):
        old, new = Thing(), Thing()
        others = [Thing() for _ in range(100)]
        r = registry((k, i) for i, k in enumerate(others))
        r[old] = "x"
        gc.remap([(old, new)])
        self.assertTrue(r.is_ordered())
        self.assertEqual(r[new], "x")
        self.assertEqual(len(r), 101)
        for i, k in enumerate(others):
            self.assertEqual(r[k], i)

    def test_all_keys(self):
        old = [Thing() for _ in range(200)]
        new = [Thing() for _ in range(200)]
        r = registry((k, i) for i, k in enumerate(old))
        gc.remap(zip(list(old), reversed(new)))
        self.assertTrue(r.is_ordered())
        for i, k in enumerate(reversed(new)):
            self.assertEqual(r[k], i)

    def test_swap(self):
        a, b = Thing(), Thing()
        ids = id(a), id(b)
        r = registry([(a, 1), (b, 2)])
        gc.remap([(a, b), (b, a)])
        self.assertTrue(r.is_ordered())
        self.assertEqual((id(a), id(b)), ids[::-1])
        self.assertEqual((r[a], r[b]), (1, 2))

    def test_key_that_is_equal_is_another(self):
        # Ordered by identity: a changed hash means nothing to it.
        a, b = Thing(), Thing()
        key = (a,)
        r = registry([(key, 1), (a, 2)])
        gc.remap([(a, b)])
        self.assertEqual((r[key], r[b]), (1, 2))

    def test_collision(self):
        a, b = Thing(), Thing()
        r = registry([(a, 1), (b, 2), (Registry, 3)])
        result = gc.remap([(a, b)])
        self.assertEqual(len(r), 2)
        self.assertIn(r[b], (1, 2))
        self.assertEqual(result.collisions, 1)
        self.assertTrue(r.is_ordered())

    def test_counts(self):
        pairs = [(Thing(), Thing())]
        rs = [registry([(pairs[0][0], pairs[0][0])]) for _ in range(50)]
        counts = refcounts(pairs)
        result = gc.remap(pairs)
        self.assertEqual(result.references, 100)
        self.assertEqual(result.left_behind, (0,))
        self.assertEqual(refcounts(pairs), (counts[0] - 100, counts[1] + 100))
        del rs
        self.assertEqual(refcounts(pairs)[1], counts[1])

    def test_rollback(self):
        class Fails:
            def __hash__(self):
                raise ZeroDivisionError
        old, new = Thing(), Fails()
        rs = [registry([(old, i), (i, old)]) for i in range(1000, 1010)]
        for r in rs:
            r.fallback = old
        d = {old: 1}
        counts = sys.getrefcount(old), sys.getrefcount(new)
        with self.assertRaises(ZeroDivisionError):
            gc.remap([(old, new)])
        for i, r in enumerate(rs, start=1000):
            self.assertTrue(r.is_ordered())
            self.assertEqual(r[old], i)
            self.assertNotIn(new, r)
            self.assertIs(r.fallback, old)
        self.assertEqual(d[old], 1)
        self.assertEqual((sys.getrefcount(old), sys.getrefcount(new)), counts)


class SmartPointer(unittest.TestCase):

    def test_remap(self):
        old, new = Thing(), Thing()
        r = Registry()
        r.fallback = old
        gc.remap([(old, new)])
        self.assertIs(r.fallback, new)

    def test_last_reference(self):
        seen = []

        class Finalized:
            def __del__(self):
                seen.append(r.fallback)

        r = Registry()
        r.fallback = Finalized()
        new = Thing()
        gc.remap([(r.fallback, new)])
        gc.collect()
        self.assertEqual(seen, [new])


class Collector(unittest.TestCase):

    def test_cycle(self):
        t = Thing()
        t.registry = r = registry([(t, t)])
        r.fallback = [r]
        r[r] = 1
        ref = weakref.ref(t)
        del t, r
        gc.collect()
        self.assertIsNone(ref())

    def test_parity(self):
        r = registry((Thing(), i) for i in range(1000, 1010))
        parity.check(r)
        r.fallback = r
        parity.check(r)
        parity.check(Registry())


if __name__ == "__main__":
    unittest.main()
