"""gc.RemapResult, and what else gc.remap() lets the world know."""

import collections
import gc
import pickle
import weakref

import _testcapi

from support import Key, Pairs, RemapTestCase, Thing, main, run_script

PHASES = ["scan", "plan", "apply", "repair", "finish"]


class ResultTests(RemapTestCase):

    def test_fields(self):
        result = gc.remap({})
        self.assertIsInstance(result, gc.RemapResult)
        self.assertIsInstance(result, tuple)
        names = ["references", "visited", "containers", "rehashed",
                 "collisions", "left_behind", "holders", "seconds"]
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
        self.assertRegex(
            text, r"^<gc\.RemapResult: 1 reference in 1 object changed, "
            r"0 tables rehashed with 0 collisions; "
            r"\d+ objects visited in \d+\.\d ms>$")
        items.clear()

    def test_repr_of_what_is_rehashed(self):
        pairs = Pairs(Key(1), Key(3), Key(2), Key(3))
        tables = [dict.fromkeys(pairs.list[i][0] for i in range(2)),
                  {pairs.old}, [pairs.old]]
        self.assertRegex(
            repr(gc.remap(pairs.list)),
            r"^<gc\.RemapResult: 4 references in 3 objects changed, "
            r"2 tables rehashed with 1 collision; ")
        self.assertEqual([len(table) for table in tables], [1, 1, 1])

    def test_repr_of_what_is_left_behind(self):
        pairs = Pairs.things(3)
        items = [pairs.old_at(1), pairs.old_at(2), pairs.old_at(1)]
        results = []

        def key(item):
            if not results:
                results.append(gc.remap(pairs.list))
            return id(item)
        items.sort(key=key)
        self.assertRegex(
            repr(results[0]),
            r"^<gc\.RemapResult: .* ms\n"
            r"  pair 1: 2 references left behind, held by "
            r"C code or extension memory \(2\)\n"
            r"  pair 2: 1 reference left behind, held by "
            r"C code or extension memory \(1\)>$")

    def test_repr_of_what_a_program_made(self):
        for fields in (range(8), [1] * 5 + [(1,), ([2],), {}],
                       [1] * 5 + [(1,), (), {}], ["x"] * 8,
                       [1] * 5 + [("x",), ((),), {}]):
            with self.subTest(fields=fields):
                self.assertEqual(repr(gc.RemapResult(fields)),
                                 repr(tuple(fields)))

    def test_holders(self):
        pairs = Pairs.things(2)
        items = [pairs.old_at(1)]
        result = gc.remap([*pairs.list, (1, 1)])
        self.assertEqual(result.holders, ((), (), ()))
        self.assertEqual(len(items), 1)

    def test_field_that_keeps_is_a_holder(self):
        # A frame finishes the code that it started.
        names = {"gc": gc}
        exec("def function(codes): return gc.remap([codes])\n"
             "def other(codes): pass", names)
        codes = [names["function"].__code__, names["other"].__code__]
        result = names["function"](codes)
        self.assertEqual(
            result.holders,
            (("f_executable of the running threads",),))
        self.assertEqual(result.left_behind, (1,))

    def test_many_holders(self):
        pairs = Pairs.things()
        # A type of a test extension, which does not know the slot.
        holders = [_testcapi.HeapCCollection(pairs.old, 1) for _ in range(15)]
        result = gc.remap(pairs.list)
        self.assertEqual(len(result.holders[0]), 11)
        self.assertRegex(
            result.holders[0][0],
            r"^'_testcapi.HeapCCollection' object at .* "
            r"\(no tp_traverse_change\)$")
        self.assertEqual(result.holders[0][10], "5 more objects")
        self.assertEqual(result.left_behind, (15,))
        with self.assertRaisesRegex(
                RuntimeError, r"^15 references to 'Thing' object at .* would "
                "be left behind, held by '_testcapi.HeapCCollection' object"):
            gc.remap(pairs.list, strict=True)
        self.assertEqual(len(holders), 15)

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
                    mapping, strict = args
                    print(event, type(mapping).__name__, len(mapping), strict)
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
            gc.remap([(a, b)], strict=True)
            print(holder[0] is b, a is b)
            """)
        lines = out.splitlines()
        self.assertEqual(lines[:3], ["gc.remap dict 1 False",
                                     "refused True True",
                                     "gc.remap list 1 True"])
        self.assertEqual(lines[3], "True True")

    def test_example(self):
        out = run_script(self, """\
            import gc; A=type('A',(),{'f':lambda s:1}); B=type('B',(),{'f':lambda s:2}); a=A(); d={(A,):1, frozenset([A]):2}; gc.remap({A:B}); print(type(a) is B and d[(B,)]==1, a.f(), len([k for k in d if k==(B,)]))
            """)
        self.assertEqual(out, "True 2 1\n")

    def test_roots_of_modules(self):
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
        self.assertEqual(lines[3:], ["(0, 0, 0, 0)", "new exit"])

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


class RefusalTests(RemapTestCase):
    """Exceptions say what they are about."""

    def refusal(self, mapping, kind=TypeError, **options):
        with self.assertRaises(kind) as caught:
            gc.remap(mapping, **options)
        exc = caught.exception
        self.assertEqual(exc.reason, str(exc))
        return exc

    def test_holder_and_field(self):
        def function(x=fresh()): pass
        defaults = function.__defaults__
        exc = self.refusal([(defaults, [1])])
        self.assertIs(exc.old, defaults)
        self.assertEqual(exc.new, [1])
        self.assertIs(exc.holder, function)
        self.assertEqual(exc.field, "func_defaults")
        self.assertRegex(exc.reason, "func_defaults of <function .* must be")
        self.assertEqual(exc.others, ())

    def test_class_of_an_instance(self):
        class A: pass
        class B: __slots__ = ("x",)
        a = A()
        exc = self.refusal([(A, B)])
        self.assertIs(exc.old, A)
        self.assertIs(exc.new, B)
        self.assertIs(exc.holder, a)
        self.assertEqual(exc.field, "__dict__")

    def test_bases(self):
        class A: pass
        class B(A): pass
        exc = self.refusal([(A, B)])
        self.assertIs(exc.old, A)
        self.assertIs(exc.new, B)
        self.assertIs(exc.holder, B)

    def test_bases_without_a_linearisation(self):
        class M: pass
        class A: pass
        class C(M, A): pass
        class New(M): pass
        for old, new in (A, New), (A, M):
            exc = self.refusal([(old, new)])
            self.assertIs(exc.old, A)
            self.assertIs(exc.new, new)
            self.assertIs(exc.holder, C)
            self.assertEqual(exc.others, ())
            self.assertEqual(C.__mro__, (C, M, A, object))

    def test_pair(self):
        exc = self.refusal([(None, 1)])
        self.assertIsNone(exc.old)
        self.assertEqual(exc.new, 1)
        self.assertIsNone(exc.holder)

    def test_weak_references(self):
        pairs = Pairs(Thing(), 12345678901)
        reference = weakref.ref(pairs.old)
        exc = self.refusal(pairs.list)
        self.assertIs(exc.old, pairs.old)
        self.assertIs(reference(), pairs.old)

    def test_strict(self):
        pairs = Pairs.things()
        holder = _testcapi.HeapCCollection(pairs.old, 1)
        exc = self.refusal(pairs.list, RuntimeError, strict=True)
        self.assertIs(exc.old, pairs.old)
        self.assertIs(exc.new, pairs.new)
        self.assertEqual(len(holder), 2)

    def test_one_invalid_pair_among_a_thousand(self):
        pairs = Pairs.things(1000)
        items = [pairs.old_at(i) for i in range(1000)]
        def function(x=fresh()): pass
        def another(x=fresh()): pass
        pairs.list[500] = (function.__defaults__, 5)
        pairs.list[700] = (another.__defaults__, "text")
        exc = self.refusal(pairs.list)
        [other] = exc.others
        self.assertEqual({id(exc.holder), id(other.holder)},
                         {id(function), id(another)})
        self.assertEqual(other.reason, str(other))
        self.assertEqual(exc.__notes__, [str(other)])
        for i in range(1000):
            if i not in (500, 700):
                self.assertIs(items[i], pairs.old_at(i))
        del pairs.list[700], pairs.list[500]
        del items[700], items[500]
        result = gc.remap(pairs.list)
        self.assertEqual(result.references, 998)

    def test_several_holders(self):
        class A: pass
        class B: __slots__ = ("x",)
        instances = [A() for _ in range(3)]
        exc = self.refusal([(A, B)])
        self.assertEqual(
            {id(e.holder) for e in (exc, *exc.others)},
            {id(i) for i in instances})

    def test_reasons_of_all_kinds(self):
        class A: pass
        class B: __slots__ = ("x",)

        def function(a=Thing()): pass
        instance, referent, key = A(), Thing(), Thing()
        holders = weakref.ref(referent), {key: 1}, (function.__defaults__,)
        pairs = [(None, 5), (A, B), (function.__defaults__, 5), (key, Thing()),
                 (referent, 5), (int, A), (key, 7)]
        exc = self.refusal(pairs, ValueError)
        self.assertEqual(
            [(type(e).__name__, e.old) for e in (exc, *exc.others)],
            [("ValueError", key), ("TypeError", None), ("TypeError", int),
             ("TypeError", referent), ("TypeError", holders[2][0]),
             ("TypeError", A)])
        self.assertEqual(exc.__notes__, [e.reason for e in exc.others])
        # Nothing has changed, and without those pairs it works.
        self.assertIs(type(instance), A)
        self.assertIs(function.__defaults__, holders[2][0])
        gc.remap([pairs[3]])
        self.assertIn(pairs[3][1], holders[1])
        pairs = exc = holders = key = None

    def test_two_replacements(self):
        pairs = Pairs.things()
        exc = self.refusal([*pairs.list, (pairs.old, 5)], ValueError)
        self.assertRegex(str(exc), "'Thing' object at 0x")
        self.assertIs(exc.old, pairs.old)
        self.assertEqual(exc.new, 5)
        self.assertIsNone(exc.holder)
        self.assertEqual(exc.reason, str(exc))
        # An object and itself is a replacement as well.
        thing = Thing()
        self.refusal([(thing, thing), (thing, 7)], ValueError)
        self.refusal([(thing, 7), (thing, thing)], ValueError)

    def test_exception_in_a_repair_names_the_table(self):
        class Bad:
            def __hash__(self):
                raise error
        tables = [{"key": 1}, {1, 2}, collections.OrderedDict(key=1)]
        for table in tables:
            pairs = Pairs.things()
            if type(table) is set:
                table.add(pairs.old)
            else:
                table[pairs.old] = 1
            kind = object.__repr__(table).partition(" ")[0][1:]
            name = f"'{kind}' object at {id(table):#x}"
            with self.subTest(table=name):
                for new, kind in ([], TypeError), (Bad(), LookupError):
                    error = LookupError("what the program says")
                    pairs.list[0] = pairs.old, new
                    with self.assertRaises(kind) as caught:
                        gc.remap(pairs.list)
                    self.assertEqual(caught.exception.__notes__,
                                     [f"while gc.remap() rehashed {name}"])
                    self.assertIn(pairs.old, table)
            table = caught = error = new = None


def fresh():
    return Thing("default")


if __name__ == "__main__":
    main()
