"""gc.remap() and dictionaries: values, and keys of every kind of table."""

import collections
import gc
import types
import weakref

import _testcapi

from support import Key, Pairs, RemapTestCase, Thing, fresh_int, fresh_str, main


class SubDict(dict):
    pass


class Clash:
    """All of these have the same hash."""

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return 7

    def __eq__(self, other):
        return self is other


class ValueTests(RemapTestCase):

    def test_value_under_string_keys(self):
        pairs = Pairs.things()
        d = {"a": 1, "b": pairs.old, "c": pairs.old}
        result = self.remap(pairs, rehashed=0)
        self.assertEqual(d, {"a": 1, "b": pairs.new, "c": pairs.new})
        self.assertEqual(list(d), ["a", "b", "c"])
        self.assertEqual(result.references, 2)
        self.assertEqual(result.containers, 1)

    def test_value_under_general_keys(self):
        pairs = Pairs.things()
        d = {1: pairs.old, (2,): 3, None: pairs.old}
        self.remap(pairs, rehashed=0)
        self.assertEqual(d, {1: pairs.new, (2,): 3, None: pairs.new})

    def test_value_in_split_table(self):
        class C:
            pass
        pairs = Pairs.things()
        objects = []
        for i in range(3):
            obj = C()
            obj.first = i
            obj.second = pairs.old
            objects.append(obj)
        namespaces = [obj.__dict__ for obj in objects]
        self.remap(pairs, rehashed=0)
        for i, (obj, namespace) in enumerate(zip(objects, namespaces)):
            self.assertIs(obj.second, pairs.new)
            self.assertEqual(namespace, {"first": i, "second": pairs.new})
            self.assertIs(obj.__dict__, namespace)

    def test_value_replaced_by_none(self):
        pairs = Pairs(Thing(), None)
        d = {"a": pairs.old, 1: pairs.old}
        self.remap(pairs)
        self.assertEqual(d, {"a": None, 1: None})

    def test_untracked_dict(self):
        pairs = Pairs(fresh_str("atom old"), fresh_str("atom new"))
        holder = [{"k": pairs.old, 1: pairs.old}]
        self.assertFalse(gc.is_tracked(holder[0]))
        self.remap(pairs)
        self.assertEqual(holder, [{"k": pairs.new, 1: pairs.new}])

    def test_untracked_dict_is_tracked_when_it_must_be(self):
        pairs = Pairs(fresh_str("atom old"), [])
        holder = [{"k": pairs.old}, {1: pairs.old}]
        self.assertFalse(gc.is_tracked(holder[0]))
        self.remap(pairs)
        self.assertIs(holder[0]["k"], pairs.new)
        self.assertTrue(gc.is_tracked(holder[0]))
        self.assertTrue(gc.is_tracked(holder[1]))

    def test_cycle_through_an_untracked_dict_is_collected(self):
        class Node:
            pass
        node = Node()
        pairs = Pairs(fresh_str("atom old"), node)
        node.holder = {"k": pairs.old}
        self.assertFalse(gc.is_tracked(node.holder))
        self.remap(pairs)
        ref = weakref.ref(node)
        del node, pairs
        gc.collect()
        self.assertIsNone(ref())

    def test_dict_is_the_old_object(self):
        pairs = Pairs({1: 2}, {3: 4})
        holder = [pairs.old, {"k": pairs.old}]
        self.remap(pairs)
        self.assertIs(holder[0], pairs.new)
        self.assertIs(holder[1]["k"], pairs.new)

    def test_deleted_entries(self):
        pairs = Pairs.things()
        d = {i: pairs.old for i in range(50)}
        for i in range(0, 50, 2):
            del d[i]
        self.remap(pairs)
        self.assertEqual(d, {i: pairs.new for i in range(1, 50, 2)})
        d[0] = 1
        self.assertEqual(list(d)[-1], 0)

    def test_global_variable(self):
        pairs = Pairs.things()
        module = types.ModuleType("module")
        module.name = pairs.old
        exec("def f(): return name", vars(module))
        for _ in range(100):
            module.f()
        self.remap(pairs)
        self.assertIs(module.name, pairs.new)
        self.assertIs(module.f(), pairs.new)

    def test_keyword_arguments(self):
        pairs = Pairs.things()

        def f(**kwargs):
            self.remap(pairs)
            return kwargs
        self.assertEqual(f(a=pairs.old), {"a": pairs.new})

    def test_subclass(self):
        pairs = Pairs.things()
        d = SubDict(k=pairs.old)
        d.attribute = pairs.old
        d[pairs.old] = 1
        self.remap(pairs)
        self.assertEqual(d, {"k": pairs.new, pairs.new: 1})
        self.assertIs(d.attribute, pairs.new)
        self.assertIs(type(d), SubDict)

    def test_user_dict_and_chain_map(self):
        pairs = Pairs.things()
        u = collections.UserDict({pairs.old: pairs.old})
        c = collections.ChainMap({pairs.old: 1}, {2: pairs.old})
        self.remap(pairs)
        self.assertIs(u[pairs.new], pairs.new)
        self.assertEqual(c[pairs.new], 1)
        self.assertIs(c[2], pairs.new)


class VersionTests(RemapTestCase):
    """What ma_version_tag says: the dict is not the one that was looked at."""

    def changes(self, d, pairs):
        before = _testcapi.dict_get_version(d)
        self.remap(pairs)
        self.assertNotEqual(_testcapi.dict_get_version(d), before)

    def test_value(self):
        pairs = Pairs.things()
        self.changes({"a": pairs.old}, pairs)
        self.changes({1: pairs.new}, Pairs(pairs.new, pairs.old))

    def test_key(self):
        pairs = Pairs.things()
        self.changes({pairs.old: 1}, pairs)

    def test_key_that_is_hashed_by_the_old_one(self):
        pairs = Pairs.things()
        self.changes({(pairs.old,): 1}, pairs)

    def test_namespace(self):
        pairs = Pairs.things()
        instance = types.SimpleNamespace(a=pairs.old)
        self.changes(vars(instance), pairs)

    def test_undone(self):
        class Raises:
            def __hash__(self):
                versions.append(_testcapi.dict_get_version(d))
                raise ZeroDivisionError
        pairs, versions = Pairs(Thing(), Raises()), []
        d = {"a": pairs.old}
        table = {pairs.old}
        versions.append(_testcapi.dict_get_version(d))
        with self.assertRaises(ZeroDivisionError):
            gc.remap(pairs.list)
        versions.append(_testcapi.dict_get_version(d))
        self.assertEqual(len(set(versions)), 3)
        table.clear()

    def test_not_changed(self):
        pairs = Pairs.things()
        d, other = {"a": pairs.new, "b": 1}, {"a": pairs.old}
        before = _testcapi.dict_get_version(d)
        self.remap(pairs)
        self.assertEqual(_testcapi.dict_get_version(d), before)
        self.assertIs(other["a"], pairs.new)


class KeyTests(RemapTestCase):

    def check_key(self, pairs, d, before_and_after):
        """One entry's key is pairs.old; order and values stay."""
        before, after = before_and_after
        values = list(d.values())
        self.remap(pairs, rehashed=1)
        self.assertEqual(list(d), [*before, pairs.new, *after])
        self.assertEqual(list(d.values()), values)
        self.assertIn(pairs.new, d)
        self.assertNotIn(pairs.old, d)
        self.assertDictSound(d)

    def test_only_key(self):
        pairs = Pairs.things()
        self.check_key(pairs, {pairs.old: 1}, ([], []))

    def test_order_is_kept(self):
        pairs = Pairs.things()
        d = {1: "a", "two": "b", pairs.old: "c", (4,): "d", None: "e"}
        self.check_key(pairs, d, ([1, "two"], [(4,), None]))

    def test_first_and_last(self):
        pairs = Pairs.things(2)
        d = {pairs.old_at(0): 1, "x": 2, pairs.old_at(1): 3}
        self.remap(pairs, rehashed=1)
        self.assertEqual(list(d.items()),
                         [(pairs.new_at(0), 1), ("x", 2),
                          (pairs.new_at(1), 3)])
        self.assertEqual(d.popitem(), (pairs.new_at(1), 3))
        self.assertDictSound(d)

    def test_key_and_value(self):
        pairs = Pairs.things()
        d = {pairs.old: pairs.old}
        result = self.remap(pairs)
        self.assertIs(d[pairs.new], pairs.new)
        self.assertEqual(result.references, 2)
        self.assertEqual(result.containers, 1)

    def test_key_equal_but_not_identical_is_left_alone(self):
        pairs = Pairs(Key(1), Key(2))
        d = {Key(1): "equal"}
        self.remap(pairs)
        self.assertEqual(d, {Key(1): "equal"})
        self.assertDictSound(d)

    def test_many_keys(self):
        pairs = Pairs.things(1000)
        d = {}
        for i in range(1000):
            d[i] = i
            d[pairs.old_at(i)] = -i
        self.remap(pairs, rehashed=1)
        expected = []
        for i in range(1000):
            expected += [(i, i), (pairs.new_at(i), -i)]
        self.assertEqual(list(d.items()), expected)
        self.assertDictSound(d)

    def test_one_key_in_many_dicts(self):
        pairs = Pairs.things()
        dicts = [{**{j: j for j in range(i)}, pairs.old: i}
                 for i in range(100)]
        result = self.remap(pairs, rehashed=100)
        for i, d in enumerate(dicts):
            self.assertEqual(d[pairs.new], i)
            self.assertDictSound(d)
        self.assertEqual(result.containers, 100)

    def test_deleted_entries(self):
        pairs = Pairs.things()
        d = {i: i for i in range(20)}
        d[pairs.old] = "x"
        for i in range(15):
            del d[i]
        self.check_key(pairs, d, ([15, 16, 17, 18, 19], []))
        for i in range(200):
            d[i] = i
        self.assertEqual(d[pairs.new], "x")
        self.assertDictSound(d)

    def test_clashing_hashes(self):
        pairs = Pairs(Clash("old"), Clash("new"))
        others = [Clash(i) for i in range(10)]
        d = dict.fromkeys(others[:5], 0)
        d[pairs.old] = 1
        d.update(dict.fromkeys(others[5:], 0))
        self.check_key(pairs, d, (others[:5], others[5:]))
        for key in others:
            del d[key]
        self.assertEqual(d, {pairs.new: 1})

    def test_int_key(self):
        pairs = Pairs(fresh_int(30), fresh_int(31))
        d = {0: 0, pairs.old: 1, "s": 2}
        self.check_key(pairs, d, ([0], ["s"]))
        self.assertNotIn(10 ** 30, d)
        self.assertEqual(d[10 ** 31], 1)

    def test_dict_grows_and_shrinks_afterwards(self):
        pairs = Pairs.things()
        d = {pairs.old: 0}
        self.remap(pairs)
        for i in range(1000):
            d[i] = i
        for i in range(1000):
            del d[i]
        self.assertEqual(d, {pairs.new: 0})
        del d[pairs.new]
        self.assertEqual(d, {})
        self.assertNotIn(pairs.new, d)

    def test_unhashable_new_key(self):
        # The table cannot be repaired: nothing is changed.
        pairs = Pairs(Thing(), [])
        d = {"a": pairs.old, pairs.old: 1}
        self.refused(pairs, TypeError, "unhashable")
        self.assertEqual(d["a"], pairs.old)
        self.assertEqual(d[pairs.old], 1)

    def test_copies(self):
        pairs = Pairs.things()
        d = {pairs.old: 1, "k": pairs.old}
        copies = [d.copy(), dict(d), d | {}, {**d}]
        self.remap(pairs, rehashed=5)
        for c in copies:
            self.assertEqual(c, d)
            self.assertIs(c["k"], pairs.new)
            self.assertDictSound(c)

    def test_iteration_under_way(self):
        pairs = Pairs.things(2)
        d = {0: 0, pairs.old_at(0): 1, 2: 2, pairs.old_at(1): 3}
        seen = []
        for key in d:
            if key == 0:
                # Entries keep their positions, so the loop goes on.
                self.remap(pairs)
            seen.append(key)
        self.assertEqual(seen, [0, pairs.new_at(0), 2, pairs.new_at(1)])

    def test_iteration_under_way_when_keys_merge(self):
        pairs = Pairs.things()
        d = {0: 0, pairs.old: 1, 2: 2, pairs.new: 3, 4: 4}
        it = iter(d.items())
        self.assertEqual(next(it), (0, 0))
        self.remap(pairs, collisions=1, dropped=1)
        try:
            rest = list(it)
        except RuntimeError:
            pass
        else:
            self.assertEqual(rest, [(pairs.new, 3), (2, 2), (4, 4)])
        del it
        self.assertDictSound(d)


class CollisionTests(RemapTestCase):

    def test_old_before_new(self):
        pairs = Pairs.things()
        d = {pairs.old: "old's", "x": 1, pairs.new: "new's"}
        self.remap(pairs, collisions=1, dropped=1, rehashed=1)
        self.assertEqual(list(d.items()), [(pairs.new, "new's"), ("x", 1)])
        self.assertDictSound(d)

    def test_new_before_old(self):
        pairs = Pairs.things()
        d = {pairs.new: "new's", "x": 1, pairs.old: "old's"}
        self.remap(pairs, collisions=1, dropped=1, rehashed=1)
        self.assertEqual(list(d.items()), [(pairs.new, "old's"), ("x", 1)])
        self.assertDictSound(d)

    def test_value_that_is_lost_is_released(self):
        pairs = Pairs.things()
        lost = Thing("lost")
        ref = weakref.ref(lost)
        d = {pairs.old: lost, pairs.new: "last"}
        del lost
        self.remap(pairs, collisions=1, dropped=1)
        self.assertEqual(d, {pairs.new: "last"})
        self.assertIsNone(ref())

    def test_several_olds_to_one_new(self):
        new = Thing("new")
        pairs = Pairs(Thing("a"), new, Thing("b"), new, Thing("c"), new)
        d = {pairs.old_at(i): i for i in range(3)}
        self.remap(pairs, collisions=2, dropped=2, rehashed=1)
        self.assertEqual(d, {new: 2})
        self.assertDictSound(d)

    def test_first_key_object_is_kept(self):
        # The new key equals one that is there but is another object.
        present = Key(2)
        pairs = Pairs(Key(1), Key(2))
        d = {"x": 0, present: "present", pairs.old: "moved", "y": 1}
        self.remap(pairs, collisions=1, dropped=1)
        self.assertEqual(list(d.items()),
                         [("x", 0), (present, "moved"), ("y", 1)])
        self.assertIs(list(d)[1], present)
        self.assertDictSound(d)

    def test_first_key_object_is_the_new_one(self):
        present = Key(2)
        pairs = Pairs(Key(1), Key(2))
        d = {"x": 0, pairs.old: "moved", present: "present", "y": 1}
        self.remap(pairs, collisions=1)
        self.assertEqual(list(d.items()),
                         [("x", 0), (present, "present"), ("y", 1)])
        self.assertIs(list(d)[1], pairs.new)
        self.assertDictSound(d)

    def test_collisions_in_several_dicts(self):
        pairs = Pairs.things()
        dicts = [{pairs.old: 1, pairs.new: 2} for _ in range(5)]
        self.remap(pairs, collisions=5, dropped=5, rehashed=5)
        for d in dicts:
            self.assertEqual(d, {pairs.new: 2})
            self.assertDictSound(d)

    def test_equal_to_a_string(self):
        class Text(str):
            pass
        pairs = Pairs(Thing(), Text("name"))
        d = {pairs.old: 1, "name": 2}
        self.remap(pairs, collisions=1)
        self.assertEqual(list(d.items()), [("name", 2)])
        self.assertIs(type(list(d)[0]), Text)

    def test_space_of_the_merged_entry_is_used_again(self):
        pairs = Pairs.things()
        d = {pairs.old: 1, 2: 2, pairs.new: 3}
        self.remap(pairs, collisions=1, dropped=1)
        for i in range(10, 100):
            d[i] = i
        self.assertEqual(list(d)[:3], [pairs.new, 2, 10])
        self.assertEqual(d.popitem(), (99, 99))
        self.assertDictSound(d)

    def test_merge_leaves_a_hole_at_the_end(self):
        pairs = Pairs.things()
        d = {pairs.new: 1, 2: 2, pairs.old: 3}
        self.remap(pairs, collisions=1, dropped=1)
        self.assertEqual(d.popitem(), (2, 2))
        self.assertEqual(d.popitem(), (pairs.new, 3))
        self.assertRaises(KeyError, d.popitem)

    def test_swap_does_not_collide(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        d = {pairs.old: "a", 1: 1, pairs.new: "b"}
        self.remap(pairs, collisions=0, rehashed=1)
        self.assertEqual(list(d.items()),
                         [(pairs.new, "a"), (1, 1), (pairs.old, "b")])
        self.assertDictSound(d)


class StringKeyTests(RemapTestCase):
    """Tables that hold only strings have a layout of their own."""

    def table(self, pairs):
        d = {"a": 1}
        d[pairs.old] = 2
        d["z"] = 3
        return d

    def check(self, pairs):
        d = self.table(pairs)
        old_text = fresh_str(str(pairs.old))
        self.remap(pairs, rehashed=1)
        self.assertEqual(list(d.items()), [("a", 1), (pairs.new, 2), ("z", 3)])
        self.assertIs(list(d)[1], pairs.new)
        self.assertDictSound(d)
        self.assertNotIn(old_text, d)
        d["more"] = 4
        d[5] = 5
        self.assertDictSound(d)

    def test_str_to_str(self):
        self.check(Pairs(fresh_str("the old"), fresh_str("the new")))

    def test_str_to_interned_str(self):
        self.check(Pairs(fresh_str("the old"), "the_new_interned"))

    def test_str_to_tuple(self):
        self.check(Pairs(fresh_str("the old"), tuple([1, 2])))

    def test_str_to_int(self):
        self.check(Pairs(fresh_str("the old"), 10 ** 30))

    def test_str_to_none(self):
        self.check(Pairs(fresh_str("the old"), None))

    def test_str_to_object(self):
        self.check(Pairs(fresh_str("the old"), Thing()))

    def test_str_to_str_subclass(self):
        class Text(str):
            pass
        self.check(Pairs(fresh_str("the old"), Text("the new")))

    def test_object_to_str(self):
        self.check(Pairs(Thing(), fresh_str("the new")))

    def test_str_to_unhashable(self):
        pairs = Pairs(fresh_str("the old"), [])
        d = self.table(pairs)
        self.refused(pairs, TypeError, "unhashable")
        self.assertEqual(d, {"a": 1, "the old": 2, "z": 3})
        self.assertDictSound(d)

    def test_collision_between_strings(self):
        pairs = Pairs(fresh_str("the old"), fresh_str("a"*10))
        d = {"a"*10: 1, "x": 2}
        d[pairs.old] = 3
        self.remap(pairs, collisions=1, dropped=1)
        self.assertEqual(list(d.items()), [("a"*10, 3), ("x", 2)])
        self.assertIsNot(list(d)[0], pairs.new)
        self.assertDictSound(d)

    def test_string_value_and_key(self):
        pairs = Pairs(fresh_str("the old"), fresh_str("the new"))
        d = {"a": pairs.old}
        d[pairs.old] = pairs.old
        result = self.remap(pairs)
        self.assertEqual(d, {"a": "the new", "the new": "the new"})
        self.assertEqual(result.references, 3)

    def test_many_string_keys(self):
        pairs = Pairs(*(fresh_str(f"{side} {i:05}")
                        for i in range(500) for side in ("old", "new")))
        d = {}
        for i in range(500):
            d[pairs.old_at(i)] = i
        self.remap(pairs, rehashed=1)
        self.assertEqual(list(d.items()),
                         [(f"new {i:05}", i) for i in range(500)])
        self.assertDictSound(d)

    def test_attribute_name_in_shared_keys(self):
        # A string that is not interned can become the key of a split table,
        # which all instances of the class share.
        class C:
            pass
        pairs = Pairs(fresh_str("the old name"), fresh_str("the new name"))
        objects = [C() for _ in range(3)]
        for i, obj in enumerate(objects):
            obj.__dict__[pairs.old] = i
        gc.remap(pairs.list)
        for i, obj in enumerate(objects):
            self.assertEqual(list(vars(obj).values()), [i])
            self.assertDictSound(vars(obj))
            name = list(vars(obj))[0]
            self.assertEqual(getattr(obj, name), i)
        # All of them, or (then the result says so) none.
        self.assertEqual(len({list(vars(obj))[0] for obj in objects}), 1)

    def test_attribute_name_becomes_something_else(self):
        class C:
            pass
        pairs = Pairs(fresh_str("the old name"), tuple([1, 2]))
        objects = [C() for _ in range(3)]
        for i, obj in enumerate(objects):
            obj.__dict__[pairs.old] = i
        try:
            gc.remap(pairs.list)
        except TypeError:
            for i, obj in enumerate(objects):
                self.assertEqual(vars(obj), {"the old name": i})
        for i, obj in enumerate(objects):
            self.assertEqual(list(vars(obj).values()), [i])
            self.assertDictSound(vars(obj))
            obj.more = 1
            self.assertEqual(obj.more, 1)

    def test_namespace_of_a_module(self):
        pairs = Pairs(fresh_str("the old name"), fresh_str("the new name"))
        module = types.ModuleType("module")
        vars(module)[pairs.old] = 1
        self.remap(pairs)
        self.assertEqual(getattr(module, "the new name"), 1)
        self.assertFalse(hasattr(module, "the old name"))


class OrderedDictTests(RemapTestCase):
    """Besides the table, a list of the keys in their order holds each key."""

    def check_order(self, d, items):
        self.assertEqual(list(d.items()), items)
        self.assertEqual(list(reversed(d)), [key for key, _ in items][::-1])
        self.assertDictSound(d)

    def test_value(self):
        pairs = Pairs.things()
        d = collections.OrderedDict(a=1, b=pairs.old)
        self.remap(pairs)
        self.check_order(d, [("a", 1), ("b", pairs.new)])

    def test_key(self):
        pairs = Pairs.things()
        d = collections.OrderedDict([("a", 1), (pairs.old, 2), ("c", 3)])
        self.remap(pairs)
        self.check_order(d, [("a", 1), (pairs.new, 2), ("c", 3)])
        self.assertNotIn(pairs.old, d)

    def test_operations_after_a_remap(self):
        pairs = Pairs.things()
        d = collections.OrderedDict([(pairs.old, 1), ("b", 2), ("c", 3)])
        self.remap(pairs)
        d.move_to_end(pairs.new)
        self.check_order(d, [("b", 2), ("c", 3), (pairs.new, 1)])
        d.move_to_end(pairs.new, last=False)
        self.assertEqual(d.popitem(last=False), (pairs.new, 1))
        d[pairs.new] = 4
        self.check_order(d, [("b", 2), ("c", 3), (pairs.new, 4)])
        del d[pairs.new]
        self.check_order(d, [("b", 2), ("c", 3)])

    def test_order_that_differs_from_the_table(self):
        pairs = Pairs.things()
        d = collections.OrderedDict([("a", 1), (pairs.old, 2), ("c", 3)])
        d.move_to_end("a")
        self.remap(pairs)
        self.check_order(d, [(pairs.new, 2), ("c", 3), ("a", 1)])

    def test_collision(self):
        pairs = Pairs.things()
        d = collections.OrderedDict(
            [("a", 1), (pairs.old, 2), ("c", 3), (pairs.new, 4)])
        self.remap(pairs, collisions=1, dropped=2)
        self.check_order(d, [("a", 1), (pairs.new, 4), ("c", 3)])

    def test_collision_in_an_order_that_differs_from_the_table(self):
        pairs = Pairs.things()
        d = collections.OrderedDict(
            [(pairs.old, "old's"), ("c", 3), (pairs.new, "new's")])
        d.move_to_end(pairs.old)
        # Its own order counts: c, new, and last the old key.
        self.remap(pairs, collisions=1, dropped=2)
        self.check_order(d, [("c", 3), (pairs.new, "old's")])

    def test_collision_of_keys_with_one_hash(self):
        # What they are now cannot tell them apart, and neither can the hash.
        for moved in "abc":
            for before in (False, True):
                with self.subTest(moved=moved, after_a_remap=before):
                    keys = {name: Clash(name) for name in "abc"}
                    d = collections.OrderedDict(
                        (keys[name], name) for name in "abc")
                    if before:
                        first = Clash("first")
                        d[first] = d.pop(keys["c"])
                        gc.remap([(first, keys["c"])])
                    d.move_to_end(keys[moved])
                    self.check_order(d, [(key, key.name) for key in d])
                    last = next(reversed(d.values()))
                    new = Clash("new")
                    gc.remap([(key, new) for key in keys.values()])
                    self.check_order(d, [(new, last)])

    def test_collision_undone(self):
        keys = [Clash(name) for name in "abc"]
        d = collections.OrderedDict((key, key.name) for key in keys)
        d.move_to_end(keys[0])
        items = list(d.items())

        class Raises:
            def __hash__(self):
                raise ZeroDivisionError

        # A table that is repaired after the other one has been.
        for later in ({}, collections.OrderedDict()):
            later[keys[2]] = 1
            with self.assertRaises(ZeroDivisionError):
                gc.remap([(keys[0], keys[1]), (keys[2], Raises())])
            self.check_order(d, items)
        del later
        gc.collect()
        gc.remap([(keys[0], keys[1])])
        self.check_order(d, [(keys[1], "a"), (keys[2], "c")])

    def test_string_key(self):
        pairs = Pairs(fresh_str("the old"), tuple([1]))
        d = collections.OrderedDict()
        d["a"] = 1
        d[pairs.old] = 2
        self.remap(pairs)
        self.check_order(d, [("a", 1), ((1,), 2)])

    def test_subclass_with_attributes(self):
        class Sub(collections.OrderedDict):
            pass
        pairs = Pairs.things()
        d = Sub({pairs.old: pairs.old})
        d.attribute = pairs.old
        self.remap(pairs)
        self.check_order(d, [(pairs.new, pairs.new)])
        self.assertIs(d.attribute, pairs.new)

    def test_iteration_under_way(self):
        pairs = Pairs.things()
        d = collections.OrderedDict([("a", 1), (pairs.old, 2), ("c", 3)])
        it = iter(d)
        self.assertEqual(next(it), "a")
        self.remap(pairs)
        self.assertRaises(RuntimeError, list, it)

    def test_iteration_over_one_that_is_replaced(self):
        make = collections.OrderedDict
        new = [make(c=3, d=4, e=5), make(a=1, b=2, c=3), make(c=3, b=2, a=1),
               make(a=1)]
        for view in "keys", "values", "items", "__reversed__":
            for replacement in new:
                with self.subTest(view, replacement=replacement):
                    pairs = Pairs(make(a=1, b=2, c=3), replacement)
                    it = iter(getattr(pairs.old, view)())
                    next(it)
                    done = iter(getattr(pairs.old, view)())
                    self.assertEqual(len(list(done)), 3)
                    self.remap(pairs)
                    self.assertRaises(RuntimeError, next, it)
                    self.assertEqual(list(it), [])
                    self.assertEqual(list(done), [])

    def test_iteration_over_one_that_is_replaced_twice(self):
        make = collections.OrderedDict
        a, b = make(a=1, b=2, c=3), make(d=4, e=5, f=6)
        b["g"] = 7
        del b["g"]
        it = iter(a)
        next(it)
        gc.remap([(a, b), (b, a)])
        gc.remap([(a, b), (b, a)])
        self.assertRaises(RuntimeError, next, it)

    def test_iteration_over_one_that_was_not_replaced_after_all(self):
        class Raises:
            def __hash__(self):
                raise ZeroDivisionError
        make = collections.OrderedDict
        pairs, other = Pairs(make(a=1, b=2), make(c=1, d=2)), Pairs(Thing(), Raises())
        table = {other.old: 1}
        it = iter(pairs.old)
        self.assertEqual(next(it), "a")
        with self.assertRaises(ZeroDivisionError):
            gc.remap([*pairs.list, *other.list])
        self.assertEqual(table, {other.old: 1})
        self.assertEqual(list(it), ["b"])

    def test_iteration_when_a_repair_is_undone(self):
        class Raises:
            def __hash__(self):
                raise ZeroDivisionError
        pairs, other = Pairs.things(), Pairs(Thing(), Raises())
        d = collections.OrderedDict([("a", 1), (pairs.old, 2), ("c", 3)])
        table = {other.old: 1}
        it = iter(d)
        self.assertEqual(next(it), "a")
        with self.assertRaises(ZeroDivisionError):
            gc.remap([*pairs.list, *other.list])
        self.check_order(d, [("a", 1), (pairs.old, 2), ("c", 3)])
        self.assertEqual(table, {other.old: 1})
        self.assertRaises(RuntimeError, list, it)


class DefaultDictTests(RemapTestCase):

    def test_key_and_value(self):
        pairs = Pairs.things()
        d = collections.defaultdict(list)
        d[pairs.old].append(pairs.old)
        self.remap(pairs)
        self.assertEqual(d, {pairs.new: [pairs.new]})
        self.assertDictSound(d)

    def test_default_factory(self):
        pairs = Pairs(lambda: "old", lambda: "new")
        d = collections.defaultdict(pairs.old)
        self.assertEqual(d[1], "old")
        self.remap(pairs)
        self.assertIs(d.default_factory, pairs.new)
        self.assertEqual(d[2], "new")

    def test_counter(self):
        pairs = Pairs.things()
        c = collections.Counter([pairs.old, pairs.old, 1])
        self.remap(pairs)
        self.assertEqual(c[pairs.new], 2)
        self.assertEqual(c.most_common(1), [(pairs.new, 2)])


class MethodCacheTests(RemapTestCase):
    """Its entries own the names with which they were found."""

    def test_name_that_has_been_looked_up(self):
        for look in getattr, lambda *args: hasattr(*args[:2]):
            for invalidate in False, True:
                class Visitor:
                    pass
                pairs = Pairs(fresh_str("visit_this"), fresh_str("visit_that"))
                look(Visitor(), pairs.old, None)
                if invalidate:
                    Visitor.other = 1
                names = [pairs.old]
                result = gc.remap(pairs.list, strict=True)
                self.assertEqual(result.left_behind, (0,))
                self.assertIs(names[0], pairs.new)


if __name__ == "__main__":
    main()
