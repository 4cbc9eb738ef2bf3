"""gc.RemapResult, and what else gc.remap() lets the world know."""

import gc
import pickle

from support import Key, Pairs, RemapTestCase, Thing, main, run_script

PHASES = ["scan", "plan", "apply", "repair", "finish"]


class ResultTests(RemapTestCase):

    def test_fields(self):
        result = gc.remap({})
        self.assertIsInstance(result, gc.RemapResult)
        self.assertIsInstance(result, tuple)
        names = ["references", "visited", "containers", "rehashed",
                 "collisions", "left_behind", "seconds"]
        for index, name in enumerate(names):
            with self.subTest(name=name):
                self.assertIs(getattr(result, name), result[index])
        self.assertEqual(len(result), len(names))
        self.assertEqual(gc.RemapResult.n_fields, len(names))
        self.assertEqual(gc.RemapResult.n_sequence_fields, len(names))
        self.assertEqual(list(gc.RemapResult.__match_args__), names)
        for name in names[:5]:
            self.assertIs(type(getattr(result, name)), int)

    def test_type(self):
        self.assertEqual(gc.RemapResult.__name__, "RemapResult")
        self.assertEqual(gc.RemapResult.__module__, "gc")
        self.assertTrue(gc.RemapResult.__doc__)
        self.assertRaises(TypeError, gc.RemapResult)
        with self.assertRaises(AttributeError):
            gc.remap({}).references = 5

    def test_repr(self):
        pairs = Pairs.things()
        items = [pairs.old]
        text = repr(gc.remap(pairs.list))
        self.assertRegex(text, r"^gc\.RemapResult\(references=1, visited=\d+, "
                         r"containers=1, rehashed=0, collisions=0, "
                         r"left_behind=\(0,\), seconds=\{.*\}\)$")
        items.clear()

    def test_pickle(self):
        result = gc.remap({})
        self.assertEqual(pickle.loads(pickle.dumps(result)), result)

    def test_seconds(self):
        pairs = Pairs.things()
        items = [pairs.old]
        result = gc.remap(pairs.list)
        self.assertEqual(list(result.seconds), PHASES)
        for phase, seconds in result.seconds.items():
            with self.subTest(phase=phase):
                self.assertIs(type(seconds), float)
                self.assertGreaterEqual(seconds, 0)
                self.assertLess(seconds, 60)
        self.assertGreater(result.seconds["scan"], 0)
        items.clear()

    def test_visited(self):
        pairs = Pairs.things()
        holder = [pairs.old]
        gc.collect()
        first = gc.remap(pairs.list).visited
        ballast = [[] for _ in range(10_000)]
        more = gc.remap([(pairs.new, pairs.old)]).visited
        self.assertGreaterEqual(more - first, 10_000)
        self.assertLess(more - first, 10_100)
        self.assertGreaterEqual(first, len(gc.get_objects()) // 2)
        del ballast, holder

    def test_references_and_containers(self):
        pairs = Pairs.things()
        items = [pairs.old, pairs.old]
        d = {pairs.old: pairs.old, "k": pairs.old}
        t = (pairs.old, (pairs.old,))
        result = self.remap(pairs, references=7, rehashed=1)
        self.assertEqual(result.containers, 4)
        self.assertEqual((len(items), len(d), len(t)), (2, 2, 2))

    def test_repaired_but_unchanged_containers(self):
        # A table whose key has another hash now was not changed itself.
        pairs = Pairs.things()
        d = {(pairs.old, 1): 1}
        result = self.remap(pairs, references=1, rehashed=1)
        self.assertEqual(result.containers, 1)
        self.assertEqual(len(d), 1)

    def test_several_pairs(self):
        pairs = Pairs.things(3)
        items = [pairs.old_at(1), pairs.old_at(1), pairs.old_at(2)]
        result = self.remap(pairs, references=3)
        self.assertEqual(result.left_behind, (0, 0, 0))
        self.assertEqual(len(items), 3)

    def test_left_behind_is_in_the_order_of_the_mapping(self):
        pairs = Pairs.things(3)
        items = [pairs.old_at(1), pairs.old_at(2), pairs.old_at(1)]

        def key(item):
            if not results:
                results.append(gc.remap(pairs.list))
            return id(item)
        results = []
        # Items of a list that is being sorted cannot be reached.
        items.sort(key=key)
        self.assertEqual(results[0].left_behind, (0, 2, 1))
        self.assertEqual(
            sorted(map(id, items)),
            sorted(id(pairs.old_at(i)) for i in (1, 1, 2)))

    def test_left_behind_does_not_count_the_mapping(self):
        for form in (list, tuple, dict, iter, set,
                     lambda p: [list(pair) for pair in p],
                     lambda p: ((a, b) for a, b in p)):
            with self.subTest(form=form):
                pairs = Pairs.things(2)
                mapping = form(pairs.list)
                pairs.list = None
                self.assertEqual(gc.remap(mapping).left_behind, (0, 0))

    def test_left_behind_of_a_mapping_that_also_lives_elsewhere(self):
        pairs = Pairs.things()
        holder = [pairs.list, pairs.list[0]]
        self.remap(pairs, references=0)
        self.assertIs(holder[1][0], pairs.old)

    def test_temporary_mapping(self):
        holder = [Thing("old"), Thing("new")]
        result = gc.remap({holder[0]: holder[1]})
        self.assertIs(holder[0], holder[1])
        self.assertEqual((result.references, result.left_behind), (1, (0,)))

    def test_collisions(self):
        pairs = Pairs.things()
        d = {pairs.old: 1, pairs.new: 2}
        s = {(pairs.old,), (pairs.new,)}
        self.remap(pairs, collisions=2, dropped=2, rehashed=2)
        self.assertEqual((len(d), len(s)), (1, 1))

    def test_rehashed(self):
        pairs = Pairs.things()
        tables = [{pairs.old: 1}, {1: pairs.old}, {pairs.old},
                  frozenset([pairs.old]), {(1, (pairs.old,)): 1}, {1: 1},
                  {Key(pairs.old)}]
        self.remap(pairs, rehashed=5)
        self.assertEqual(len(tables), 7)

    def test_result_holds_no_reference(self):
        pairs = Pairs.things()
        items = [pairs.old]
        result = self.remap(pairs)
        self.assertEqual(
            [r for r in gc.get_referents(result)
             if isinstance(r, Thing)], [])
        self.assertEqual(len(items), 1)


class ModuleTests(RemapTestCase):

    def test_documented(self):
        self.assertTrue(gc.remap.__doc__)
        self.assertEqual(gc.remap.__text_signature__,
                         "($module, mapping, /, *, strict=False)")
        self.assertEqual(gc.remap.__name__, "remap")

    def test_collector_switched_off(self):
        pairs = Pairs.things()
        items = [pairs.old]
        enabled = gc.isenabled()
        gc.disable()
        try:
            self.remap(pairs)
            self.assertFalse(gc.isenabled())
        finally:
            if enabled:
                gc.enable()
        self.assertIs(items[0], pairs.new)

    def test_no_collection_is_started(self):
        pairs = Pairs.things(100)
        items = [pairs.old_at(i) for i in range(100)]
        gc.collect()
        threshold = gc.get_threshold()
        gc.disable()
        try:
            before = [g["collections"] for g in gc.get_stats()]
            gc.remap(pairs.list)
            after = [g["collections"] for g in gc.get_stats()]
        finally:
            gc.enable()
        self.assertEqual(before, after)
        self.assertEqual(gc.get_threshold(), threshold)
        items.clear()

    def test_inside_a_callback_of_the_collector(self):
        pairs = Pairs.things()
        items = [pairs.old]
        errors = []

        def callback(phase, info):
            if phase == "start" and not done:
                done.append(True)
                try:
                    gc.remap(pairs.list)
                except RuntimeError as exc:
                    errors.append(str(exc))
        done = []
        gc.callbacks.append(callback)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(callback)
        self.assertIs(items[0], pairs.list[0][not errors])

    def test_inside_a_finalizer_that_the_collector_runs(self):
        pairs = Pairs.things()
        items = [pairs.old]
        errors = []

        class Cycle:
            def __init__(self):
                self.me = self

            def __del__(self):
                try:
                    gc.remap(pairs.list)
                except RuntimeError as exc:
                    errors.append(str(exc))
        Cycle()
        gc.collect()
        self.assertIs(items[0], pairs.list[0][not errors])

    def test_audit_event(self):
        out = run_script(self, """
            import gc, sys
            def hook(event, args):
                if event == "gc.remap":
                    print(event, len(args))
                    if refuse:
                        raise PermissionError
            refuse = False
            sys.addaudithook(hook)
            class A: pass
            a, b = A(), A()
            holder = [a]
            refuse = True
            try:
                gc.remap({a: b})
            except PermissionError:
                print("refused", holder[0] is a, a is not b)
            refuse = False
            gc.remap({a: b})
            print(holder[0] is b, a is b)
            """)
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^gc\.remap \d$")
        self.assertEqual(lines[1], "refused True True")
        self.assertRegex(lines[2], r"^gc\.remap \d$")
        self.assertEqual(lines[3], "True True")

    def test_example(self):
        out = run_script(self, """\
            import gc; A=type('A',(),{'f':lambda s:1}); B=type('B',(),{'f':lambda s:2}); a=A(); d={(A,):1, frozenset([A]):2}; gc.remap({A:B}); print(type(a) is B and d[(B,)]==1, a.f(), len([k for k in d if k==(B,)]))
            """)
        self.assertEqual(out, "True 2 1\n")

    def test_roots(self):
        # Places that no object holds.
        out = run_script(self, """
            import atexit, builtins, codecs, gc, sys, warnings, types
            class Thing: pass
            old, new = Thing(), Thing()
            def old_exit(): print("old exit")
            def new_exit(): print("new exit")
            atexit.register(old_exit)
            builtins.some_name = old
            sys.some_name = old
            sys.modules["some module"] = m = types.ModuleType("m")
            m2 = types.ModuleType("m2")
            m2.x = 5
            def old_error(e): return ("old", e.end)
            def new_error(e): return ("new", e.end)
            codecs.register_error("custom", old_error)
            result = gc.remap([(old, new), (old_exit, new_exit), (m, m2),
                               (old_error, new_error)])
            print(some_name is new, sys.some_name is new)
            print(__import__("some module").x)
            print("\\xe4".encode("ascii", "custom"))
            print(result.left_behind)
            """)
        lines = out.splitlines()
        self.assertEqual(lines[:3], ["True True", "5", "b'new'"])
        # What atexit holds is changed, or counted.
        self.assertIn(lines[3:], (["(0, 0, 0, 0)", "new exit"],
                                  ["(0, 1, 0, 0)", "old exit"]))

    def test_many_remaps_of_a_program_that_goes_on(self):
        out = run_script(self, """
            import gc, random
            class A:
                def f(self): return 1
            class B:
                def f(self): return 1
            rng = random.Random(1)
            world = [A()]
            for i in range(3000):
                x = world[rng.randrange(len(world))]
                world.append(rng.choice([
                    lambda: A(), lambda: [x], lambda: (x, i), lambda: {i: x},
                    lambda: {"k": x}, lambda: B()])())
            for i in range(300):
                a, b = rng.choice(world), rng.choice(world)
                if a is not b:
                    gc.remap([(a, b), (b, a)] if i % 2 else [(a, b)])
                del a, b
                if i % 50 == 0:
                    gc.remap({A: B, B: A})
                    gc.collect()
            print(sum(x.f() for x in world if isinstance(x, (A, B))) > 0)
            """)
        self.assertEqual(out, "True\n")


if __name__ == "__main__":
    main()
