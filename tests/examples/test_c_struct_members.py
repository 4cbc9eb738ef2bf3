"""Open, typed, checked and kept fields of a C struct."""

import gc
import sys
import unittest
import weakref

import parity
from struct_members import Node, Pair


class Thing:
    pass


class OpenField(unittest.TestCase):

    def test_remap(self):
        old, new = Thing(), Thing()
        node = Node(("a",), (1.0,), payload=old)
        before = sys.getrefcount(old), sys.getrefcount(new)
        result = gc.remap([(old, new)])
        self.assertIs(node.payload, new)
        # The local variables have been replaced, too.
        self.assertIs(old, new)
        self.assertEqual(sum(result.left_behind), 0)
        del old
        del node
        # The reference of "new" to itself is all that is left.
        self.assertEqual(sys.getrefcount(new), before[1])

    def test_counts(self):
        box_old, box_new = [Thing()], [Thing()]
        nodes = [Node((), (), payload=box_old[0]) for _ in range(100)]
        pairs = [(box_old.pop(), box_new[0])]
        ref = weakref.ref(pairs[0][0])
        count = sys.getrefcount(box_new[0])
        result = gc.remap(pairs)
        self.assertIs(ref(), box_new[0])
        # With the weak one.
        self.assertEqual(result.references, 101)
        self.assertEqual(result.left_behind, (0,))
        self.assertEqual(sys.getrefcount(box_new[0]), count + 100)
        for node in nodes:
            self.assertIs(node.payload, box_new[0])
        del node, pairs
        del nodes
        gc.collect()
        self.assertEqual(sys.getrefcount(box_new[0]), 2)

    def test_swap(self):
        a, b = Thing(), Thing()
        ids = id(a), id(b)
        x, y = Node((), (), payload=a), Node((), (), payload=b)
        gc.remap([(a, b), (b, a)])
        self.assertEqual((id(x.payload), id(y.payload)), ids[::-1])

    def test_instance_of_subclass(self):
        class OldNode(Node):
            def name(self):
                return "old"

        class NewNode(Node):
            def name(self):
                return "new"

        node = OldNode(("a",), (1.0,), payload=1)
        node.extra = [2]
        New = NewNode
        gc.remap([(OldNode, NewNode)])
        self.assertIs(type(node), New)
        self.assertEqual(node.name(), "new")
        self.assertEqual((node.payload, node.extra), (1, [2]))
        self.assertEqual(node.total(), {"a": 1.0})


class TypedField(unittest.TestCase):

    def refuse(self, node, name, new, message):
        before = {n: getattr(node, n) for n in
                  ("payload", "meta", "parent", "labels", "scorer", "scratch")}
        ids = {n: id(value) for n, value in before.items()}
        bystander = [before[name]]
        old_count = sys.getrefcount(before[name])
        new_count = sys.getrefcount(new)
        with self.assertRaisesRegex(TypeError, message):
            gc.remap([(getattr(node, name), new)])
        self.assertEqual(id(bystander[0]), ids[name])
        self.assertEqual({n: id(getattr(node, n)) for n in before}, ids)
        self.assertEqual(sys.getrefcount(before[name]), old_count)
        self.assertEqual(sys.getrefcount(new), new_count)

    def node(self):
        root = Node((), ())
        return Node(tuple(["a", "b"]), (1.0, 2.0), parent=root,
                    scorer=lambda x: x * 10)

    def test_typed(self):
        node = self.node()
        self.refuse(node, "meta", [1], "meta of .* must be dict")
        new = {"x": 1}
        gc.remap([(node.meta, new)])
        self.assertIs(node.meta, new)
        node.total()
        self.assertEqual(new["total"], {"a": 10.0, "b": 20.0})

    def test_layout(self):
        node = self.node()
        self.refuse(node, "parent", Thing(), "parent of .* must be a Node")
        self.refuse(node, "parent", Node, "parent of .* must be a Node")
        gc.remap([(node.parent, Node((), (), parent=Node((), ())))])
        self.assertEqual(node.depth(), 2)

    def test_layout_of_subclass(self):
        class SubNode(Node):
            pass
        node = self.node()
        gc.remap([(node.parent, SubNode((), ()))])
        self.assertIsInstance(node.parent, SubNode)

    def test_condition(self):
        node = self.node()
        self.refuse(node, "labels", tuple(["a"]), "one label per weight")
        self.refuse(node, "labels", ["a", "b"], "one label per weight")
        gc.remap([(node.labels, tuple(["c", "d"]))])
        self.assertEqual(node.total(), {"c": 10.0, "d": 20.0})

    def test_callable(self):
        node = self.node()
        self.refuse(node, "scorer", Thing(), "scorer of .* must be callable")
        gc.remap([(node.scorer, lambda x: -x)])
        self.assertEqual(node.total(), {"a": -1.0, "b": -2.0})

    def test_keep(self):
        node = self.node()
        scratch = id(node.scratch)
        holder = [node.scratch]
        new = []
        result = gc.remap([(node.scratch, new)])
        self.assertIs(holder[0], new)
        self.assertEqual(id(node.scratch), scratch)
        self.assertEqual(sum(result.left_behind), 1)

    def test_keep_counts(self):
        node = self.node()
        new = []
        old_count = sys.getrefcount(node.scratch)
        new_count = sys.getrefcount(new)
        gc.remap([(node.scratch, new)])
        self.assertEqual(sys.getrefcount(node.scratch), old_count)
        self.assertEqual(sys.getrefcount(new), new_count)

    def test_keep_is_refused_when_strict(self):
        node = self.node()
        holder = [node.scratch]
        with self.assertRaises(RuntimeError):
            gc.remap([(node.scratch, [])], strict=True)
        self.assertIs(holder[0], node.scratch)

    def test_refusal_leaves_other_keys_alone(self):
        node = self.node()
        old, new = Thing(), Thing()
        holder = [old]
        node.payload = old
        ids = id(old), id(new)
        with self.assertRaises(TypeError):
            gc.remap([(old, new), (node.meta, 5)])
        self.assertEqual(id(holder[0]), ids[0])
        self.assertEqual(id(node.payload), ids[0])


class Clear(unittest.TestCase):

    def test_generic_clear(self):
        pair = Pair()
        pair.first = pair
        pair.second = [pair]
        gc.collect()
        del pair
        self.assertEqual(gc.collect(), 2)

    def test_generic_clear_of_subclass(self):
        class SubPair(Pair):
            pass
        pair = SubPair()
        pair.first = pair
        pair.attribute = pair
        ref = weakref.ref(pair)
        del pair
        gc.collect()
        self.assertIsNone(ref())

    def test_cycle_through_typed_fields(self):
        class SubNode(Node):
            pass
        box = []
        node = SubNode((box,), (1.0,), payload=box)
        box.append(node)
        node.meta["node"] = node
        node.scratch.append(node)
        ref = weakref.ref(node)
        del node, box
        gc.collect()
        self.assertIsNone(ref())


class Parity(unittest.TestCase):

    def test_parity(self):
        node = Node(("a",), (1.0,))
        parity.check(node)
        parity.check(Node(("a",), (1.0,), payload=1, parent=node, scorer=len))
        pair = Pair()
        parity.check(pair)
        pair.first = pair.second = node
        parity.check(pair)

    def test_references(self):
        node = Node((), (), payload=1)
        plain, change = parity.references(node)
        self.assertEqual(len(plain), 5)
        self.assertIs(plain[0], node.payload)
        self.assertIs(change[-1], Node)

    def test_subclass(self):
        class SubNode(Node):
            __slots__ = ("a", "b", "__dict__")
        node = SubNode((), ())
        node.a = 1
        node.x = 2
        parity.check(node)


if __name__ == "__main__":
    unittest.main()
