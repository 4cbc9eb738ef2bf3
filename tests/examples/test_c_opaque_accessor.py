"""A reference that is reached through get_user_data() and set_user_data()."""

import gc
import sys
import unittest
import weakref

import parity
from opaque_accessor import Widget


class Thing:
    pass


def refcounts(pairs):
    (old, new), = pairs
    return sys.getrefcount(old), sys.getrefcount(new)


class UserData(unittest.TestCase):

    def test_remap(self):
        old, new = Thing(), Thing()
        w = Widget(old)
        gc.remap([(old, new)])
        self.assertIs(w.data, new)

    def test_counts(self):
        pairs = [(Thing(), Thing())]
        widgets = [Widget(pairs[0][0]) for _ in range(100)]
        counts = refcounts(pairs)
        result = gc.remap(pairs)
        self.assertEqual(result.references, 100)
        self.assertEqual(result.left_behind, (0,))
        self.assertEqual(refcounts(pairs), (counts[0] - 100, counts[1] + 100))
        self.assertTrue(all(w.data is pairs[0][1] for w in widgets))
        del widgets
        self.assertEqual(refcounts(pairs)[1], counts[1])

    def test_last_reference(self):
        # The finalizer runs when everything is in its place.
        seen = []

        class Finalized:
            def __del__(self):
                seen.append(w.data)

        w = Widget(Finalized())
        new = Thing()
        gc.remap([(w.data, new)])
        gc.collect()
        self.assertEqual(seen, [new])

    def test_swap(self):
        a, b = Thing(), Thing()
        ids = id(a), id(b)
        v, w = Widget(a), Widget(b)
        gc.remap([(a, b), (b, a)])
        self.assertEqual((id(v.data), id(w.data)), ids[::-1])
        gc.remap([(a, b), (b, a)])
        self.assertEqual((id(v.data), id(w.data)), ids)

    def test_rollback(self):
        class Fails:
            def __hash__(self):
                raise ZeroDivisionError
        old, new = Thing(), Fails()
        w = Widget(old)
        d = {old: 1}
        counts = sys.getrefcount(old), sys.getrefcount(new)
        with self.assertRaises(ZeroDivisionError):
            gc.remap([(old, new)])
        self.assertIs(w.data, old)
        self.assertEqual(d[old], 1)
        self.assertEqual((sys.getrefcount(old), sys.getrefcount(new)), counts)

    def test_cycle(self):
        t = Thing()
        t.widget = Widget(t)
        ref = weakref.ref(t)
        del t
        gc.collect()
        self.assertIsNone(ref())

    def test_parity(self):
        parity.check(Widget())
        parity.check(Widget([1]))


if __name__ == "__main__":
    unittest.main()
