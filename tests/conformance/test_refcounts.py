"""gc.remap() and reference counts: exact, and nothing that leaks."""

import collections
import functools
import gc
import subprocess
import sys
import textwrap
import types
import weakref

from support import (
    DEBUG, IMMORTAL, Key, Pairs, RemapTestCase, Thing, fresh_str, main,
    run_script)


class CountTests(RemapTestCase):
    """RemapTestCase.remap() compares all counts: here they are counted by
    hand, so that something checks the checker."""

    def test_by_hand(self):
        old, new = Thing("old"), Thing("new")
        pairs = [(old, new)]
        del old, new
        before = (sys.getrefcount(pairs[0][0]), sys.getrefcount(pairs[0][1]))
        items = [pairs[0][0]] * 7
        self.assertEqual(sys.getrefcount(pairs[0][0]), before[0] + 7)
        result = gc.remap(pairs)
        self.assertEqual(sys.getrefcount(pairs[0][0]), before[0])
        self.assertEqual(sys.getrefcount(pairs[0][1]), before[1] + 7)
        self.assertEqual(result.references, 7)
        items.clear()
        self.assertEqual(sys.getrefcount(pairs[0][1]), before[1])

    def test_nothing_found(self):
        pairs = [(Thing("old"), Thing("new"))]
        before = (sys.getrefcount(pairs[0][0]), sys.getrefcount(pairs[0][1]))
        gc.remap(pairs)
        self.assertEqual(
            (sys.getrefcount(pairs[0][0]), sys.getrefcount(pairs[0][1])),
            before)

    def test_immortal_target(self):
        before = sys.getrefcount(None)
        self.assertGreaterEqual(before, IMMORTAL)
        pairs = [(Thing("old"), None)]
        items = [pairs[0][0]] * 7
        count = sys.getrefcount(pairs[0][0])
        gc.remap(pairs)
        self.assertEqual(sys.getrefcount(pairs[0][0]), count - 7)
        self.assertEqual(sys.getrefcount(None), before)
        self.assertEqual(items, [None] * 7)

    def test_counts_of_bystanders(self):
        bystander = Thing("bystander")
        pairs = Pairs.things()
        d = {pairs.old: bystander, (pairs.old, bystander): 1}
        s = {pairs.old, bystander}
        before = sys.getrefcount(bystander)
        key = sys.getrefcount(list(d)[1])
        self.remap(pairs)
        self.assertEqual(sys.getrefcount(bystander), before)
        self.assertEqual(sys.getrefcount(list(d)[1]), key)
        self.assertEqual(len(s), 2)

    def test_value_that_is_lost_in_a_merge(self):
        lost, kept = Thing("lost"), Thing("kept")
        pairs = Pairs.things()
        d = {pairs.old: lost, pairs.new: kept}
        before = sys.getrefcount(lost), sys.getrefcount(kept)
        self.remap(pairs, collisions=1, dropped=1)
        self.assertEqual((sys.getrefcount(lost), sys.getrefcount(kept)),
                         (before[0] - 1, before[1]))
        self.assertEqual(len(d), 1)

    def test_duplicate_key_that_is_lost_in_a_merge(self):
        pairs = Pairs.things()
        first, second = (pairs.old, 1), (pairs.new, 1)
        d = {first: 1, second: 2}
        before = sys.getrefcount(first), sys.getrefcount(second)
        self.remap(pairs, collisions=1)
        self.assertEqual((sys.getrefcount(first), sys.getrefcount(second)),
                         (before[0], before[1] - 1))
        self.assertIs(list(d)[0], first)

    def test_every_kind_of_place(self):
        pairs = Pairs.things()
        old = [pairs.old]

        def function(a=old[0], *, b=old[0]):
            return cell
        cell = old[0]
        function.attribute = old[0]
        obj = types.SimpleNamespace(a=old[0])
        key = Key(old[0])
        places = [
            old[0], (old[0],), {1: old[0]}, {"k": old[0]}, {old[0]: 1},
            {old[0]}, frozenset([old[0]]), collections.deque([old[0]]),
            collections.OrderedDict([(old[0], old[0])]),
            collections.defaultdict(list, {old[0]: 1}),
            types.MethodType(print, old[0]), functools.partial(print, old[0]),
            types.CellType(old[0]), slice(old[0]), iter([old[0]]),
            enumerate([old[0]]), ValueError(old[0]), staticmethod(old[0]),
            property(old[0]), (x for x in [old[0]]), obj, key, function,
        ]
        del obj, key
        # One each, but an OrderedDict has its keys twice, and the function
        # has three; the cell; and "old".
        self.remap(pairs, references=len(places) + 2 + 2 + 1 + 1)
        self.assertIs(cell, pairs.new)
        self.assertIs(places[0], pairs.new)
        places.clear()

    def test_classes(self):
        pairs = Pairs(type("A", (), {}), type("B", (), {}))
        objects = [pairs.old() for _ in range(10)]
        before = (sys.getrefcount(pairs.old), sys.getrefcount(pairs.new))
        self.remap(pairs)
        self.assertEqual(sys.getrefcount(pairs.old), before[0] - 10)
        self.assertEqual(sys.getrefcount(pairs.new), before[1] + 10)
        objects.clear()
        self.assertEqual(sys.getrefcount(pairs.new), before[1])

    def test_subclass(self):
        pairs = Pairs(type("A", (), {}), type("B", (), {}))
        before = (sys.getrefcount(pairs.old), sys.getrefcount(pairs.new))
        C = type("C", (pairs.old,), {})
        count = sys.getrefcount(pairs.old)
        self.remap(pairs)
        self.assertEqual(sys.getrefcount(pairs.old), before[0])
        self.assertEqual(sys.getrefcount(pairs.new),
                         before[1] + count - before[0])
        del C
        gc.collect()
        self.assertEqual(sys.getrefcount(pairs.new), before[1])

    def test_strings(self):
        pairs = Pairs(fresh_str("the old"), fresh_str("the new"))
        d = {}
        d[pairs.old] = pairs.old
        items = [pairs.old] * 3
        self.remap(pairs, references=5)
        d.clear()
        items.clear()
        self.remap(pairs, references=0)


class LifetimeTests(RemapTestCase):

    def test_old_object_dies_with_the_pairs(self):
        # Nothing is left of it once the calls that were active have returned.
        out = run_script(self, """
                import gc, threading, weakref
                class A:
                    def __init__(self, name): self.name = name
                    def __del__(self): print("dead", self.name)
                def run():
                    pairs = [(A("old"), A("new"))]
                    holder.append(pairs[0][0])
                    gc.remap(pairs)
                    print("remapped")
                    pairs.clear()
                holder = []
                thread = threading.Thread(target=run)
                thread.start()
                thread.join()
                gc.remap([])
                gc.collect()
                print("end", holder[0].name)
                """)
        self.assertEqual(out, "remapped\ndead old\nend new\ndead new\n")

    def test_old_objects_do_not_pile_up(self):
        # A loop at the top of a program that never returns.
        out = run_script(self, """
                import gc
                class A:
                    alive = 0
                    def __init__(self): A.alive += 1
                    def __del__(self): A.alive -= 1
                def once():
                    gc.remap([(holder[0], A())])
                holder = [A()]
                for i in range(200):
                    once()
                gc.collect()
                print(A.alive < 100)
                """)
        self.assertEqual(out, "True\n")

    def test_new_object_dies_with_its_holder(self):
        pairs = Pairs.things()
        items = [pairs.old] * 3
        self.remap(pairs)
        ref = weakref.ref(pairs.new)
        del pairs
        items.pop()
        items.pop()
        self.assertIsNotNone(ref())
        items.pop()
        self.assertIsNone(ref())

    def test_cycle_made_by_a_remap_is_collected(self):
        class Node:
            pass
        pairs = Pairs(Thing(), Node())
        pairs.new.link = [(pairs.old, {1: pairs.old}, {pairs.old})]
        self.remap(pairs)
        ref = weakref.ref(pairs.new)
        self.assertIs(ref().link[0][0], ref())
        del pairs
        gc.collect()
        self.assertIsNone(ref())

    def test_generation_of_changed_objects(self):
        # An old container that gets a young object is still collected.
        class Node:
            pass
        pairs = Pairs(Thing(), None)
        holder = [(pairs.old,)]
        gc.collect()
        gc.collect()
        pairs.list = [(pairs.old, Node())]
        self.remap(pairs)
        pairs.new.holder = holder
        ref = weakref.ref(pairs.new)
        del holder, pairs
        gc.collect()
        self.assertIsNone(ref())

    def test_showrefcount(self):
        # At exit nothing is left that would not be left without a remap.
        if not DEBUG:
            return
        program = """
            import gc
            class A: pass
            class B: pass
            a, b = [A() for _ in range(100)], B()
            d = {(A, 1): 1, frozenset([A]): [A], a[0]: a[1]}
            class C(A): pass
            def f(x=A, *, y=a[2]): return x, y
            def g():
                yield A
                yield a[3]
            it = g(); next(it)
            pairs = [(A, B), (a[0], a[1]), (f, g)]
            {call}
            del pairs
            """
        program = textwrap.dedent(program)
        totals = []
        for call in "pass", "gc.remap(pairs)":
            done = subprocess.run(
                [sys.executable, "-I", "-X", "showrefcount", "-c",
                 program.replace("{call}", call)],
                capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            totals.append(done.stderr.strip().splitlines()[-1])
        self.assertEqual(totals[0], totals[1])


if __name__ == "__main__":
    main()
