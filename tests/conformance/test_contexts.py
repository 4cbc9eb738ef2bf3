"""gc.remap() and contextvars: contexts, variables, tokens, and their HAMTs."""

import contextvars
import gc
import threading
import weakref
import _testinternalcapi

from support import (Key, Pairs, RemapTestCase, Thing, fresh_int, main,
                     run_script)


class Hashed:
    """Says itself where it is in the tree."""

    def __init__(self, hash, name=None):
        self.hash = hash
        self.name = name

    def __hash__(self):
        return self.hash

    def __eq__(self, other):
        if not isinstance(other, Hashed):
            return NotImplemented
        return (self.hash, self.name) == (other.hash, other.name)

    def __repr__(self):
        return f"Hashed({self.hash}, {self.name})"


class Raises(Hashed):
    def __hash__(self):
        raise ZeroDivisionError

    __eq__ = Hashed.__eq__


def variable(name="variable"):
    # Tracked by the collector.
    return contextvars.ContextVar(name, default=[])


def hamt_of(context):
    (tree,) = [x for x in gc.get_referents(context)
               if type(x).__name__ == "hamt"]
    return tree


class HamtTestCase(RemapTestCase):

    def assertSound(self, tree, length=None):
        """Every key is where its hash says."""
        items = list(tree.items())
        self.assertEqual(len(items), len(tree))
        for key, value in items:
            self.assertIn(key, tree)
            self.assertIs(tree.get(key), value)
        if length is not None:
            self.assertEqual(len(items), length)
        # A tree can be built on it.
        more = tree.set("another", 1)
        self.assertEqual(len(more), len(tree) + 1)
        fewer = more
        for key, value in items:
            fewer = fewer.delete(key)
        self.assertEqual(list(fewer.items()), [("another", 1)])
        key = value = items = None


class ContextTests(HamtTestCase):

    def test_value(self):
        pairs = Pairs.things()
        var = variable()
        context = contextvars.Context()
        context.run(var.set, pairs.old)
        self.remap(pairs)
        self.assertIs(context[var], pairs.new)
        self.assertIs(context.run(var.get), pairs.new)
        self.assertEqual(list(context.values()), [pairs.new])

    def test_cached_value(self):
        # A variable borrows the value that it had last.
        pairs = Pairs.things()
        var = variable()

        def f():
            var.set(pairs.old)
            self.assertIs(var.get(), pairs.old)
            gc.remap(pairs.list)
            self.assertIs(var.get(), pairs.new)
        contextvars.Context().run(f)

    def test_cached_value_after_rollback(self):
        pairs = Pairs(Thing(), Thing())
        var = variable()
        seen = []

        class Failing:
            armed = False

            def __init__(self, member):
                self.member = member

            def __hash__(self):
                if Failing.armed:
                    seen.append(var.get() is pairs.new)
                    raise ZeroDivisionError
                return 1
        pairs.list.append((Thing(), Failing(1)))
        table = {pairs.list[1][0]: 1}

        def f():
            var.set(pairs.old)
            var.get()
            Failing.armed = True
            self.assertRaises(ZeroDivisionError, gc.remap, pairs.list)
            self.assertIs(var.get(), pairs.old)
        contextvars.Context().run(f)
        self.assertEqual(seen, [True])
        self.assertEqual(len(table), 1)
        Failing.armed = False

    def test_cached_value_in_another_thread(self):
        run_script(self, """
            import contextvars, gc, threading
            var = contextvars.ContextVar("var")
            pairs = [([], {})]
            ready, go = threading.Event(), threading.Event()
            result = []

            def f():
                var.set(pairs[0][0])
                var.get()
                ready.set()
                go.wait()
                result.append(var.get())

            thread = threading.Thread(target=f)
            thread.start()
            ready.wait()
            gc.remap(pairs)
            pairs[0] = None
            gc.collect()
            go.set()
            thread.join()
            assert result == [{}], result
        """)

    def test_default(self):
        pairs = Pairs.things()
        var = contextvars.ContextVar("var", default=pairs.old)
        self.remap(pairs, rehashed=0)
        self.assertIs(var.get(), pairs.new)

    def test_default_that_is_not_tracked(self):
        # The collector does not know of a variable with such a default; it has
        # to know of one with another.
        for new in fresh_int(), [1]:
            with self.subTest(new=type(new)):
                pairs = Pairs(fresh_int(), new)
                new = None
                var = contextvars.ContextVar("var", default=pairs.old)
                self.assertFalse(gc.is_tracked(var))
                self.remap(pairs)
                self.assertIs(var.get(), pairs.new)
                self.assertEqual(gc.is_tracked(var), type(pairs.new) is list)
        cycle = [contextvars.ContextVar("var", default=fresh_int())]
        gc.remap([(cycle[0].get(), cycle)])
        self.assertIs(cycle[0].get(), cycle)
        cycle.append(Thing())
        ref = weakref.ref(cycle[1])
        del cycle
        gc.collect()
        self.assertIsNone(ref())

    def test_default_does_not_change_the_hash(self):
        # Tables with the variable as a key are left alone.
        pairs = Pairs.things()
        var = contextvars.ContextVar("var", default=pairs.old)
        table = {var: 1}
        self.remap(pairs, rehashed=0)
        self.assertDictSound(table)

    def test_variable(self):
        pairs = Pairs(variable("old"), variable("new"))
        others = [variable() for _ in range(100)]
        value = Thing()
        context = contextvars.Context()
        for other in others:
            context.run(other.set, other)
        context.run(pairs.old.set, value)
        self.remap(pairs, rehashed=1)
        self.assertIs(context[pairs.new], value)
        self.assertNotIn(pairs.old, context)
        self.assertEqual(len(context), 101)
        for other in others:
            self.assertIs(context[other], other)
        context.run(pairs.new.set, 1)
        self.assertEqual(context[pairs.new], 1)
        self.assertEqual(len(context), 101)
        other = None

    def test_variables_swap(self):
        pairs = Pairs.swap(variable("a"), variable("b"))
        context = contextvars.Context()
        context.run(pairs.old.set, "a")
        context.run(pairs.new.set, "b")
        self.remap(pairs)
        self.assertEqual(context[pairs.old], "b")
        self.assertEqual(context[pairs.new], "a")

    def test_variables_merge(self):
        pairs = Pairs(variable("old"), variable("new"))
        context = contextvars.Context()
        context.run(pairs.old.set, "old")
        context.run(pairs.new.set, "new")
        self.remap(pairs, collisions=1, dropped=1)
        self.assertEqual(len(context), 1)
        self.assertIn(context[pairs.new], ("old", "new"))
        self.assertEqual(list(context), [pairs.new])

    def test_shared_tree(self):
        pairs = Pairs(variable("old"), variable("new"))
        others = [variable() for _ in range(50)]
        context = contextvars.Context()
        for other in others:
            context.run(other.set, other)
        context.run(pairs.old.set, 1)
        copies = [context.copy() for _ in range(3)]
        for copy, other in zip(copies, others):
            copy.run(other.set, 2)
        # Each gets a tree of its own: the reference that they shared is one
        # of each now.
        result = gc.remap(pairs.list)
        self.assertEqual(result.rehashed, 4)
        for each in [context, *copies]:
            self.assertEqual(each[pairs.new], 1)
            self.assertEqual(len(each), 51)
        for copy, other in zip(copies, others):
            self.assertEqual(copy[other], 2)
            self.assertIs(context[other], other)
        other = each = copy = None

    def test_variable_stays_one(self):
        # The code of contexts counts on it that finding a variable runs no
        # Python code.
        var = variable()
        context = contextvars.Context()
        context.run(var.set, 1)
        pairs = Pairs(var, Key(1))
        del var
        self.refused(pairs, TypeError, "key of .*ContextVar")
        self.assertEqual(context[pairs.old], 1)
        for other in (1, "text", [], None, object):
            self.assertRaises(TypeError, gc.remap, [(pairs.old, other)])

    def test_context(self):
        pairs = Pairs(contextvars.Context(), contextvars.Context())
        var = variable()
        token = pairs.old.run(var.set, 1)
        holder = [pairs.old]
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)
        pairs.new.run(var.set, 2)
        pairs.new.run(var.reset, token)     # its context is the new one
        self.assertNotIn(var, pairs.new)
        self.assertEqual(pairs.old[var], 1)

    def test_context_of_token(self):
        pairs = Pairs(contextvars.Context(), 1)
        var = variable()
        token = pairs.old.run(var.set, 1)
        self.refused(pairs, TypeError, "tok_ctx of .*Context")
        self.assertIs(token.var, var)

    def test_entered_context(self):
        # Context.run() finds there what it has put there.
        pairs = Pairs(contextvars.Context(), contextvars.Context())
        var = variable()
        holder = [pairs.old]

        def f():
            var.set(1)
            result = gc.remap(pairs.list)
            self.assertGreaterEqual(result.left_behind[0], 1)
            self.assertEqual(var.get(), 1)
            pairs.new.run(var.set, 2)
            self.assertEqual(var.get(), 1)
        pairs.old.run(f)
        self.assertIs(holder[0], pairs.new)
        self.assertEqual(pairs.old[var], 1)
        pairs.old.run(lambda: None)

    def test_context_before(self):
        pairs = Pairs(contextvars.Context(), contextvars.Context())
        var = variable()
        inner = contextvars.Context()

        def f():
            var.set(1)
            inner.run(gc.remap, pairs.list)
            self.assertEqual(var.get(), 1)
        pairs.old.run(f)
        self.assertEqual(pairs.old[var], 1)
        inner.run(lambda: None)

    def test_token(self):
        pairs = Pairs.things()
        var = variable()
        context = contextvars.Context()
        context.run(var.set, pairs.old)
        token = context.run(var.set, 1)
        self.remap(pairs)
        self.assertIs(token.old_value, pairs.new)
        context.run(var.reset, token)
        self.assertIs(context[var], pairs.new)

    def test_variable_of_token(self):
        pairs = Pairs(variable("old"), variable("new"))
        context = contextvars.Context()
        token = context.run(pairs.old.set, 1)
        self.remap(pairs)
        self.assertIs(token.var, pairs.new)
        context.run(pairs.new.reset, token)
        self.assertEqual(len(context), 0)

    def test_iterators(self):
        for method in ("keys", "values", "items", "__iter__"):
            with self.subTest(method):
                pairs = Pairs(variable("old"), variable("new"))
                context = contextvars.Context()
                for other in [variable() for _ in range(40)]:
                    context.run(other.set, 1)
                context.run(pairs.old.set, 1)
                other = None
                it = getattr(context, method)()
                next(it)
                gc.remap(pairs.list)
                gc.collect()
                # It goes on in the tree that it had.
                self.assertEqual(len(list(it)), 40)
                self.assertEqual(len(context), 41)

    def test_tree(self):
        contexts = [contextvars.Context(), contextvars.Context()]
        var = variable()
        for i, context in enumerate(contexts):
            context.run(var.set, i)
        pairs = Pairs(hamt_of(contexts[0]), hamt_of(contexts[1]))
        self.remap(pairs)
        self.assertEqual(contexts[0][var], 1)
        context = None

    def test_tree_of_other_keys(self):
        context = contextvars.Context()
        context.run(variable().set, 1)
        pairs = Pairs(hamt_of(context), _testinternalcapi.hamt().set(1, 2))
        self.refused(pairs, TypeError, "ctx_vars of")
        for other in (1, [], {}, contextvars.Context()):
            self.assertRaises(TypeError, gc.remap, [(pairs.old, other)])

    def test_node(self):
        context = contextvars.Context()
        context.run(variable().set, 1)
        pairs = Pairs(gc.get_referents(hamt_of(context))[0], Thing())
        self.refused(pairs, TypeError, "a node of a HAMT")

    def test_comparison(self):
        # The root of the tree outlives the comparison.
        pairs = Pairs(variable("old"), variable("new"))
        contexts = [contextvars.Context(), contextvars.Context()]

        class Equal:
            def __eq__(self, other):
                gc.remap(pairs.list)
                gc.collect()
                return True
        for other in [variable() for _ in range(20)]:
            for context in contexts:
                context.run(other.set, Equal())
        for context in contexts:
            context.run(pairs.old.set, Equal())
        other = context = None
        self.assertIsInstance(contexts[0] == contexts[1], bool)
        gc.collect()


class HamtTests(HamtTestCase):

    def build(self, keys):
        tree = _testinternalcapi.hamt()
        for i, key in enumerate(keys):
            tree = tree.set(key, i)
        return tree

    def test_key(self):
        for count in (1, 5, 20, 40, 300):
            with self.subTest(count=count):
                pairs = Pairs(Key("old"), Key("new"))
                tree = self.build([*map(Key, range(count)), pairs.old])
                self.remap(pairs, rehashed=1)
                self.assertSound(tree, count + 1)
                self.assertEqual(tree.get(Key("new")), count)
                self.assertIsNone(tree.get(Key("old")))

    def test_all_keys(self):
        pairs = Pairs()
        pairs.list = [(Key(i), Key(1000 + i)) for i in range(200)]
        tree = self.build([pairs.old_at(i) for i in range(200)])
        self.remap(pairs, rehashed=1)
        self.assertSound(tree, 200)

    def test_nested_key(self):
        # The hash of a key changes, at some depth.
        pairs = Pairs(Key("old"), Key("new"))
        tree = self.build([*map(Key, range(50)),
                           (1, frozenset([(pairs.old,)]))])
        self.remap(pairs)
        self.assertSound(tree, 51)
        self.assertEqual(tree.get((1, frozenset([(Key("new"),)]))), 50)

    def test_value(self):
        # The tree stays the one that it was.
        pairs = Pairs.things()
        tree = self.build(map(Key, range(50))).set("key", pairs.old)
        root = gc.get_referents(tree)[0]
        self.remap(pairs)
        self.assertIs(tree.get("key"), pairs.new)
        self.assertIs(gc.get_referents(tree)[0], root)
        self.assertSound(tree, 51)

    def test_collision_nodes(self):
        pairs = Pairs(Hashed(1, "old"), Hashed(1, "new"))
        keys = [Hashed(1, i) for i in range(5)]
        tree = self.build([*keys, pairs.old, Hashed(33, 1)])
        self.remap(pairs)
        self.assertSound(tree, 7)
        self.assertEqual(tree.get(Hashed(1, "new")), 5)

    def test_into_and_out_of_collision_nodes(self):
        pairs = Pairs(Hashed(1, "x"), Hashed(2, "x"),
                      Hashed(33, "y"), Hashed(1 << 31, "y"),
                      Hashed(7, "z"), Hashed(1, "z"))
        tree = self.build([Hashed(1, "first"), *[o for o, _ in pairs.list],
                           Hashed(1, "last")])
        o = None
        self.remap(pairs)
        self.assertSound(tree, 5)
        for key in (Hashed(2, "x"), Hashed(1 << 31, "y"), Hashed(1, "z")):
            self.assertIn(key, tree)

    def test_merged(self):
        pairs = Pairs(Key(1), Key(2))
        tree = self.build([*map(Key, range(3, 50)), Key(2), pairs.old])
        result = gc.remap(pairs.list)
        self.assertEqual(result.collisions, 1)
        self.assertSound(tree, 48)

    def test_merged_in_collision_node(self):
        pairs = Pairs(Hashed(1, "a"), Hashed(1, "b"))
        tree = self.build([pairs.old, Hashed(1, "b"), Hashed(1, "c")])
        result = gc.remap(pairs.list)
        self.assertEqual(result.collisions, 1)
        self.assertSound(tree, 2)

    def test_rollback(self):
        pairs = Pairs(Key("old"), Raises(1))
        tree = self.build([*map(Key, range(100)), pairs.old])
        self.refused(pairs, ZeroDivisionError)
        self.assertSound(tree, 101)
        self.assertEqual(tree.get(Key("old")), 100)

    def test_rollback_after_repair(self):
        pairs = Pairs(Key("old"), Key("new"), Key("x"), Raises(1))
        trees = [self.build([*map(Key, range(30)), pairs.old])
                 for _ in range(5)]
        table = {pairs.old_at(1): 1}
        self.refused(pairs, ZeroDivisionError)
        for tree in trees:
            self.assertSound(tree, 31)
            self.assertEqual(tree.get(Key("old")), 30)
        tree = None
        self.assertDictSound(table)

    def test_unhashable_key(self):
        pairs = Pairs(Key("old"), [])
        tree = self.build([*map(Key, range(30)), pairs.old])
        self.refused(pairs, TypeError, "unhashable")
        self.assertSound(tree, 31)

    def test_key_does_not_become_a_variable(self):
        pairs = Pairs(Key("old"), variable())
        tree = self.build([pairs.old])
        self.refused(pairs, TypeError, "key of")

    def test_iterator(self):
        pairs = Pairs(Key("old"), Key("new"))
        tree = self.build([*map(Key, range(60)), pairs.old])
        for method in (tree.keys, tree.values, tree.items):
            it = method()
            next(it)
            gc.remap(pairs.list)
            gc.collect()
            self.assertEqual(len(list(it)), 60)
            gc.remap([(new, old) for old, new in pairs.list])
        it = method = None
        self.assertSound(tree, 61)

    def test_comparison_while_its_tree_is_rebuilt(self):
        pairs = Pairs(Hashed(3, "old"), Hashed(500, "new"))

        class Value:
            def __eq__(self, other):
                gc.remap(pairs.list)
                gc.collect()
                return True
        trees = []
        for _ in range(2):
            tree = _testinternalcapi.hamt()
            for i in range(40):
                tree = tree.set(Hashed(i, "k"), Value())
            trees.append(tree.set(pairs.old, 1))
        tree = None
        self.assertIsInstance(trees[0] == trees[1], bool)
        for tree in trees:
            self.assertSound(tree, 41)
        tree = None

    def test_use_before_repair(self):
        # Code that runs while tables are repaired meets keys that are not
        # where they belong.  Their hashes differ in the lowest bits alone.
        run_script(self, """
            import contextvars, gc, _testinternalcapi

            class H:
                def __init__(self, h): self.h = h
                def __hash__(self):
                    hook()
                    return self.h
                def __repr__(self): return f"H({self.h})"
            def hook(): pass

            for low in range(1, 32):
                old, new = H(0), H(low)
                tree = _testinternalcapi.hamt().set(old, 1)
                table = {old: 1}
                built = []
                def hook():
                    global hook
                    hook = lambda: None
                    built.append(tree.set(H(32), 2).set(H(0), 3).set(H(64), 4))
                    [*built[0].items()]
                    for key in built[0]:
                        built.append(built[0].delete(key))
                pairs = [(old, new)]
                del old, new
                gc.remap(pairs)
                assert tree.get(pairs[0][1]) == 1
                assert len(tree) == 1
                for b in built:
                    assert len(b) == len(list(b))
        """)

    def test_key_is_a_tree_of_its_own(self):
        # What is repaired first is what the hash comes from.
        class HashedByTree:
            def __init__(self, tree):
                self.tree = tree

            def __hash__(self):
                return len(self.tree)

            def __eq__(self, other):
                return self is other
        pairs = Pairs(Key(1), Key(2))
        inner = self.build([pairs.old, Key(3)])
        outer = self.build([HashedByTree(inner)])
        gc.remap(pairs.list)
        self.assertSound(inner, 2)
        self.assertSound(outer, 1)

    def test_random(self):
        import random
        rng = random.Random(1)
        for _ in range(30):
            keys = [Hashed(rng.choice([rng.randrange(64),
                                       rng.randrange(1 << 32)]), i)
                    for i in range(rng.randrange(1, 80))]
            trees = [self.build(keys[:n]) for n in (len(keys), len(keys) // 2)]
            pairs = Pairs()
            pairs.list = [
                (key, Hashed(rng.choice([key.hash, rng.randrange(64)]),
                             rng.choice([key.name, "new"])))
                for key in rng.sample(keys, len(keys) // 3)]
            keys = None
            expected = []
            new = {id(old): new for old, new in pairs.list}
            for tree in trees:
                merged = {new.get(id(key), key): None for key in tree}
                expected.append(merged)
            key = tree = None
            gc.remap(pairs.list)
            for tree, merged in zip(trees, expected):
                self.assertSound(tree, len(merged))
                self.assertEqual(set(tree), set(merged))
            tree = merged = new = expected = None


if __name__ == "__main__":
    main()
