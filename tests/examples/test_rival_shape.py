"""The rival shape does the same to the same four types, with its own driver.

What it cannot do is here, too."""

import sys
import unittest

from rival_driver import remap
from rival_hash_table import Table
from rival_map_smart_ptr import Registry
from rival_opaque_accessor import Widget
from rival_struct_members import Node


class Thing:
    pass


class Key:

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Key) and self.value == other.value

    def __hash__(self):
        return hash(self.value)


class Fails(Key):

    def __hash__(self):
        raise ZeroDivisionError


class RivalShape(unittest.TestCase):

    def test_struct_members(self):
        old, new = Thing(), Thing()
        node = Node((), (), payload=old)
        counts = sys.getrefcount(old), sys.getrefcount(new)
        self.assertEqual(remap([node], [(old, new)]), 1)
        self.assertIs(node.payload, new)
        self.assertEqual((sys.getrefcount(old), sys.getrefcount(new)),
                         (counts[0] - 1, counts[1] + 1))

    def test_typed_field(self):
        # The refusal comes when other objects have been written to.
        old, new = Thing(), Thing()
        nodes = [Node((), (), payload=old), Node((), (), payload=old)]
        scratch = nodes[0].scratch
        meta = nodes[1].meta
        counts = sys.getrefcount(old), sys.getrefcount(new), sys.getrefcount(meta)
        with self.assertRaisesRegex(TypeError, "meta must be dict"):
            remap(nodes, [(old, new), (meta, 5)])
        self.assertIs(nodes[0].payload, old)
        self.assertIs(nodes[1].payload, old)
        self.assertIs(nodes[1].meta, meta)
        self.assertEqual((sys.getrefcount(old), sys.getrefcount(new),
                          sys.getrefcount(meta)), counts)
        self.assertEqual(remap(nodes, [(scratch, new)]), 0)
        self.assertIs(nodes[0].scratch, scratch)
        self.assertEqual(sys.getrefcount(new), counts[1])

    def test_hash_table(self):
        old, new = Thing(), Thing()
        t = Table()
        t[old] = 1
        for i in range(20):
            t[i] = i
        self.assertEqual(remap([t], [(old, new)]), 1)
        self.assertEqual(t[new], 1)
        self.assertNotIn(old, t)

    def test_hash_changed(self):
        # Needs the flag beside the return value.
        key = Key("a")
        t = Table()
        t[key] = 1
        key.value = "b"
        remap([t], [], [key])
        self.assertEqual(t[Key("b")], 1)

    def test_hash_table_rollback(self):
        old = Key("old")
        pairs = [(old, Fails("new"))]
        tables = []
        for i in range(3):
            t = Table()
            t[old] = old
            tables.append(t)
        counts = [sys.getrefcount(x) for x in pairs[0]]
        with self.assertRaises(ZeroDivisionError):
            remap(tables, pairs)
        for t in tables:
            self.assertIs(t[old], old)
        self.assertEqual([sys.getrefcount(x) for x in pairs[0]], counts)

    def test_opaque_accessor(self):
        old, new = Thing(), Thing()
        w = Widget(old)
        counts = sys.getrefcount(old), sys.getrefcount(new)
        self.assertEqual(remap([w], [(old, new)]), 1)
        self.assertIs(w.data, new)
        self.assertEqual((sys.getrefcount(old), sys.getrefcount(new)),
                         (counts[0] - 1, counts[1] + 1))

    def test_map_and_smart_pointer(self):
        old, new = Thing(), Thing()
        r = Registry()
        r[old] = old
        r.fallback = old
        others = [Thing() for _ in range(10)]
        for thing in others:
            r[thing] = thing
        self.assertEqual(remap([r], [(old, new)]), 3)
        self.assertTrue(r.is_ordered())
        self.assertIs(r[new], new)
        self.assertIs(r.fallback, new)
        for thing in others:
            self.assertIs(r[thing], thing)


if __name__ == "__main__":
    unittest.main()
