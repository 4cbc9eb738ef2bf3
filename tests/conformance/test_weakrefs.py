"""gc.remap() and weak references: they follow the object that they refer to."""

import abc
import collections.abc
import dataclasses
import functools
import gc
import sqlite3
import threading
import types
import unittest
import weakref

from support import (
    Key, Pairs, RemapTestCase, Thing, collect, fresh_int, main, no_leak_check,
    run_script)


class Bare:
    """Cannot be weakly referenced."""

    __slots__ = ("name",)


class Callable:

    def __call__(self):
        return "called"


class Ref(weakref.ref):
    pass


class OwnHash(weakref.ref):
    """Hashed and compared by what the referent is called."""

    __slots__ = ()

    def __hash__(self):
        return hash(self().name)

    def __eq__(self, other):
        return self().name == other().name


class Owner:

    def method(self):
        return self, "method"

    def other(self):
        return self, "other"


@dataclasses.dataclass(frozen=True)
class Frozen:
    held: object


class FailingHash(Thing):
    """hash() raises once it has been told to."""

    failing = False

    def __hash__(self):
        if self.failing:
            raise ZeroDivisionError
        return id(self)


class Failing:
    """A key whose hash() raises in the repair phase: it holds an old object."""

    def __init__(self, held):
        self.held = held
        self.armed = False

    def __hash__(self):
        if self.armed:
            raise ZeroDivisionError
        return 1


def failing_table(pairs):
    """A dict that lets every remap of the pairs fail, and roll back."""
    key = Failing(pairs.old)
    table = {key: 1}
    key.armed = True
    return table


def ignore(_):
    pass


def weakrefs(obj):
    return weakref.getweakrefs(obj)


class ReferenceTests(RemapTestCase):

    def test_ref(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        result = self.remap(pairs)
        self.assertIs(ref(), pairs.new)
        self.assertEqual((result.references, result.containers), (1, 1))
        self.assertEqual(result.rehashed, 0)

    def test_nothing_weak(self):
        pairs = Pairs.things()
        self.assertEqual(self.remap(pairs).references, 0)

    def test_beside_strong_references(self):
        pairs = Pairs.things()
        items = [pairs.old, weakref.ref(pairs.old), pairs.old]
        result = self.remap(pairs)
        self.assertIs(items[1](), pairs.new)
        self.assertEqual(result.references, 3)
        self.assertEqual(result.containers, 2)

    def test_the_old_object_has_none_left(self):
        pairs = Pairs.things()
        refs = [weakref.ref(pairs.old), weakref.proxy(pairs.old)]
        self.remap(pairs)
        self.assertEqual(weakrefs(pairs.old), [])
        self.assertEqual(weakref.getweakrefcount(pairs.old), 0)
        self.assertEqual(weakref.getweakrefcount(pairs.new), len(refs))

    def test_new_references_to_the_old_object(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        self.remap(pairs)
        another = weakref.ref(pairs.old)
        self.assertIs(another(), pairs.old)
        self.assertIsNot(another, ref)
        self.assertIs(ref(), pairs.new)

    def test_with_callback(self):
        pairs = Pairs.things()
        log = []
        ref = weakref.ref(pairs.old, log.append)
        self.remap(pairs)
        self.assertIs(ref(), pairs.new)
        self.assertEqual(log, [])
        pairs.list[0] = None
        collect()
        self.assertIsNone(ref())
        self.assertEqual(len(log), 1)
        self.assertIs(log[0], ref)

    def test_the_old_object_dies_without_callbacks(self):
        pairs = Pairs.things()
        log = []
        refs = [weakref.ref(pairs.old, log.append),
                weakref.proxy(pairs.old, log.append),
                Ref(pairs.old, log.append)]
        self.remap(pairs)
        pairs.list[0] = (None, pairs.new)
        collect()
        self.assertEqual(log, [])
        self.assertIs(refs[0](), pairs.new)

    def test_callback_of_a_proxy(self):
        pairs = Pairs.things()
        log = []
        proxy = weakref.proxy(pairs.old, lambda p: log.append("dead"))
        self.remap(pairs)
        self.assertEqual(proxy.name, "new0")
        pairs.list[0] = None
        self.assertEqual(log, ["dead"])
        with self.assertRaises(ReferenceError):
            proxy.name

    def test_subclass(self):
        pairs = Pairs.things()
        ref = Ref(pairs.old)
        ref.attribute = 1
        self.remap(pairs)
        self.assertIs(ref(), pairs.new)
        self.assertIs(type(ref), Ref)
        self.assertEqual(ref.attribute, 1)

    def test_keyed_ref(self):
        pairs = Pairs.things()
        ref = weakref.KeyedRef(pairs.old, None, "key")
        self.remap(pairs)
        self.assertIs(ref(), pairs.new)
        self.assertEqual(ref.key, "key")

    def test_dead_reference(self):
        ref = weakref.ref(Thing())
        pairs = Pairs.things()
        self.remap(pairs)
        self.assertIsNone(ref())

    def test_key_that_is_a_weak_reference(self):
        # An object like any other; what it refers to is not concerned.
        a, b = Thing("a"), Thing("b")
        pairs = Pairs(Ref(a), Ref(b))
        items = [pairs.old]
        self.remap(pairs)
        self.assertIs(items[0], pairs.new)
        self.assertIs(pairs.old(), a)
        self.assertIs(pairs.new(), b)

    def test_key_that_is_a_weak_reference_to_a_key(self):
        things = Pairs.things()
        pairs = Pairs(Ref(things.old), Ref(things.old))
        pairs.list += things.list
        items = [pairs.old]
        self.remap(pairs)
        self.assertIs(items[0], pairs.new)
        self.assertIs(pairs.old(), things.new)
        self.assertIs(pairs.new(), things.new)

    def test_weak_reference_to_a_weak_reference(self):
        things = Pairs.things()
        inner = Ref(things.old)
        outer = weakref.ref(inner)
        self.remap(things)
        self.assertIs(outer(), inner)
        self.assertIs(outer()(), things.new)

    def test_untracked_and_other_kinds(self):
        def function():
            pass
        for old, new in ((set(), set()), (frozenset([1]), Thing()),
                         (function, len), (types.ModuleType("m"), Thing()),
                         (Thing(), Owner().method), (Thing(), Owner)):
            with self.subTest(old=old):
                pairs = Pairs(old, new)
                old = new = None
                ref = weakref.ref(pairs.old)
                gc.remap(pairs.list)
                self.assertIs(ref(), pairs.new)
        function = None

    def test_repr(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        self.remap(pairs)
        self.assertIn(hex(id(pairs.new)), repr(ref))

    def test_equality(self):
        pairs = Pairs(Key(1), Key(2))
        ref = weakref.ref(pairs.old)
        other = Key(2)
        self.assertNotEqual(ref, weakref.ref(other))
        self.remap(pairs)
        self.assertEqual(ref, weakref.ref(other))
        self.assertEqual(hash(ref), hash(other))

    def test_hash_that_was_remembered(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        self.assertEqual(hash(ref), hash(pairs.old))
        self.remap(pairs)
        self.assertEqual(hash(ref), hash(pairs.new))

    def test_unhashable_new_object_in_no_table(self):
        pairs = Pairs(Thing(), set())
        ref = weakref.ref(pairs.old)
        hash(ref)
        self.remap(pairs)
        self.assertIs(ref(), pairs.new)
        self.assertRaises(TypeError, hash, ref)

    def test_instance_that_changes_its_class(self):
        class A:
            pass

        class B:
            pass
        obj = A()
        ref = weakref.ref(obj)
        pairs = Pairs(A, B)
        A = B = None
        gc.remap(pairs.list)
        self.assertIs(ref(), obj)
        self.assertIs(type(ref()), pairs.new)

    def test_class_of_a_weak_reference(self):
        class One(weakref.ref):
            pass

        class Two(weakref.ref):
            pass
        things = Pairs.things()
        ref = One(things.old)
        pairs = Pairs(One, Two)
        pairs.list += things.list
        One = Two = None
        gc.remap(pairs.list)
        self.assertIs(type(ref), pairs.new)
        self.assertIs(ref(), things.new)

    def test_class_of_a_weak_reference_and_rollback(self):
        class One(weakref.ref):
            pass

        class Two(weakref.ref):
            pass
        things = Pairs.things()
        table = failing_table(things)
        ref = One(things.old)
        pairs = Pairs(One, Two)
        pairs.list += things.list
        One = Two = None
        self.refused(pairs, ZeroDivisionError)
        self.assertIs(type(ref), pairs.old)
        self.assertIs(ref(), things.old)

    def test_class_that_is_weakly_referenced(self):
        class A:
            pass

        class B:
            pass
        ref = weakref.ref(A)
        pairs = Pairs(A, B)
        A = B = None
        gc.remap(pairs.list)
        self.assertIs(ref(), pairs.new)

    def test_callback_that_is_replaced(self):
        # An ordinary field, whoever visits it: only the referent is weak.
        pairs = Pairs.things()
        log = []
        ref = weakref.ref(pairs.old, log.append)
        callback = ref.__callback__
        self.remap(pairs)
        self.assertIs(ref.__callback__, callback)

    def test_strict(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        self.remap(pairs, strict=True)
        self.assertIs(ref(), pairs.new)


class ProxyTests(RemapTestCase):

    def test_proxy(self):
        pairs = Pairs.things()
        proxy = weakref.proxy(pairs.old)
        result = self.remap(pairs)
        self.assertEqual(proxy.name, "new0")
        proxy.name = "changed"
        self.assertEqual(pairs.new.name, "changed")
        self.assertIs(proxy.__repr__.__self__, pairs.new)
        self.assertEqual(result.references, 1)

    def test_callable_proxy(self):
        pairs = Pairs(Callable(), Callable())
        proxy = weakref.proxy(pairs.old)
        self.assertIs(type(proxy), weakref.CallableProxyType)
        self.remap(pairs)
        self.assertEqual(proxy(), "called")
        self.assertIs(type(proxy), weakref.CallableProxyType)

    def test_becomes_callable(self):
        pairs = Pairs(Thing(), Callable())
        proxy = weakref.proxy(pairs.old)
        with_callback = weakref.proxy(pairs.old, ignore)
        self.assertFalse(callable(proxy))
        self.remap(pairs)
        self.assertEqual((proxy(), with_callback()), ("called", "called"))
        self.assertIs(weakref.proxy(pairs.new), proxy)

    def test_is_callable_no_more(self):
        pairs = Pairs(Callable(), Thing())
        proxy = weakref.proxy(pairs.old)
        self.remap(pairs)
        self.assertFalse(callable(proxy))
        self.assertEqual(proxy.name, "thing")

    def test_kind_is_restored(self):
        pairs = Pairs(Thing(), Callable())
        table = failing_table(pairs)
        proxy = weakref.proxy(pairs.old)
        self.refused(pairs, ZeroDivisionError)
        self.assertIs(type(proxy), weakref.ProxyType)
        self.assertEqual(proxy.name, "thing")
        del table

    def test_swap(self):
        pairs = Pairs.swap(Callable(), Thing())
        one, two = weakref.proxy(pairs.old), weakref.proxy(pairs.new)
        self.remap(pairs)
        self.assertFalse(callable(one))
        self.assertEqual(two(), "called")

    def test_iterator(self):
        pairs = Pairs(Thing(), (n for n in range(3)))
        proxy = weakref.proxy(pairs.old)
        self.remap(pairs)
        self.assertEqual(list(proxy), [0, 1, 2])


class ListTests(RemapTestCase):
    """The list of the weak references to an object."""

    def some(self, obj, log=None):
        """In the order of the list."""
        basic = [weakref.ref(obj), weakref.proxy(obj)]
        others = [Ref(obj), weakref.ref(obj, ignore),
                  weakref.proxy(obj, ignore), Ref(obj)]
        self.assertEqual([id(r) for r in weakrefs(obj)],
                         [id(r) for r in basic + others[::-1]])
        return basic + others[::-1]

    def assertList(self, obj, expected):
        self.assertEqual([id(r) for r in weakrefs(obj)],
                         [id(r) for r in expected])
        self.assertEqual(weakref.getweakrefcount(obj), len(expected))

    def test_moved(self):
        pairs = Pairs.things()
        refs = self.some(pairs.old)
        self.remap(pairs)
        self.assertList(pairs.new, refs)
        self.assertList(pairs.old, [])

    def test_become_the_shared_ones(self):
        pairs = Pairs.things()
        ref, proxy = weakref.ref(pairs.old), weakref.proxy(pairs.old)
        self.remap(pairs)
        self.assertIs(weakref.ref(pairs.new), ref)
        self.assertIs(weakref.proxy(pairs.new), proxy)

    def test_merged(self):
        pairs = Pairs.things()
        old, new = self.some(pairs.old), self.some(pairs.new)
        self.remap(pairs)
        # The shared ones stay the shared ones.
        self.assertList(pairs.new, new[:2] + old + new[2:])
        self.assertIs(weakref.ref(pairs.new), new[0])
        self.assertIs(weakref.ref(pairs.new), weakref.ref(pairs.new))
        self.assertIs(weakref.proxy(pairs.new), new[1])

    def test_merged_with_no_shared_ones(self):
        pairs = Pairs.things()
        old, new = self.some(pairs.old), Ref(pairs.new)
        self.remap(pairs)
        self.assertList(pairs.new, [*old, new])
        self.assertIs(weakref.ref(pairs.new), old[0])

    def test_merged_with_a_shared_ref(self):
        pairs = Pairs.things()
        old, new = self.some(pairs.old), weakref.ref(pairs.new)
        self.remap(pairs)
        self.assertList(pairs.new, [new, old[1], old[0], *old[2:]])
        self.assertIs(weakref.ref(pairs.new), new)
        self.assertIs(weakref.proxy(pairs.new), old[1])

    def test_merged_with_a_shared_proxy(self):
        pairs = Pairs.things()
        old, new = self.some(pairs.old), weakref.proxy(pairs.new)
        self.remap(pairs)
        self.assertList(pairs.new, [old[0], new, *old[1:]])
        self.assertIs(weakref.ref(pairs.new), old[0])
        self.assertIs(weakref.proxy(pairs.new), new)

    def test_shared_one_dies_after_a_merge(self):
        pairs = Pairs.things()
        old, new = self.some(pairs.old), self.some(pairs.new)
        self.remap(pairs)
        del new[:2]
        self.assertIs(weakref.ref(pairs.new)(), pairs.new)
        self.assertEqual(weakref.proxy(pairs.new).name, "new0")
        del old[:2]
        self.assertIs(weakref.ref(pairs.new), weakref.ref(pairs.new))
        self.assertEqual(weakref.proxy(pairs.new).name, "new0")
        del old[:], new[:]
        self.assertList(pairs.new, [])

    def test_all_die_after_a_merge(self):
        pairs = Pairs.things()
        log = []
        refs = [weakref.ref(obj, callback) for obj in pairs.list[0]
                for callback in (None, log.append)]
        refs += [weakref.proxy(obj) for obj in pairs.list[0]]
        self.remap(pairs)
        pairs.list[0] = None
        self.assertEqual([ref() for ref in refs[:4]], [None] * 4)
        self.assertEqual([id(ref) for ref in log], [id(refs[1]), id(refs[3])])

    def test_swap(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        a, b = self.some(pairs.old), self.some(pairs.new)
        result = self.remap(pairs)
        self.assertList(pairs.old, b)
        self.assertList(pairs.new, a)
        self.assertEqual(result.references, len(a) + len(b))

    def test_swapped_twice(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        a, b = self.some(pairs.old), self.some(pairs.new)
        d = weakref.WeakKeyDictionary({pairs.old: 1, pairs.new: 2})
        for _ in range(2):
            self.remap(pairs)
        self.assertIs(a[0](), pairs.old)
        self.assertIs(b[0](), pairs.new)
        self.assertEqual((d[pairs.old], d[pairs.new]), (1, 2))
        self.assertEqual([id(r) for r in weakrefs(pairs.old)
                          if id(r) in {*map(id, a)}],
                         [id(r) for r in a])

    def test_chain(self):
        pairs = Pairs(Thing("a"), Thing("b"))
        c = Thing("c")
        pairs.list.append((pairs.new, c))
        a, b = self.some(pairs.old), self.some(pairs.new)
        self.remap(pairs)
        self.assertList(pairs.old, [])
        self.assertList(pairs.new, a)
        self.assertList(c, b)

    def test_chain_the_other_way_round(self):
        pairs = Pairs(Thing("b"), Thing("c"))
        a = Thing("a")
        pairs.list.append((a, pairs.old))
        refs = self.some(a)
        b = self.some(pairs.old)
        a = None
        gc.remap(pairs.list)
        self.assertList(pairs.old, refs)
        self.assertList(pairs.new, b)

    def test_cycle_of_three(self):
        a, b, c = (Thing(name) for name in "abc")
        refs = [weakref.ref(obj) for obj in (a, b, c)]
        pairs = Pairs(a, b, b, c, c, a)
        a = b = c = None
        gc.remap(pairs.list)
        self.assertEqual([ref().name for ref in refs], ["b", "c", "a"])

    def test_many_to_one(self):
        new = Thing("new")
        pairs = Pairs(Thing("a"), new, Thing("b"), new)
        refs = [weakref.ref(pairs.old), weakref.ref(pairs.old_at(1))]
        result = self.remap(pairs)
        self.assertEqual(result.references, 2 + 1 - 1)
        self.assertEqual([ref() for ref in refs], [new, new])
        self.assertIs(weakref.ref(new), refs[0])
        self.assertList(new, refs)

    def test_order_after_rollback(self):
        pairs = Pairs.things()
        old, new = self.some(pairs.old), self.some(pairs.new)
        table = failing_table(pairs)
        for _ in range(2):
            self.refused(pairs, ZeroDivisionError)
            self.assertList(pairs.old, old)
            self.assertList(pairs.new, new)
        del table

    def test_order_after_rollback_of_a_swap(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        a, b = self.some(pairs.old), self.some(pairs.new)
        table = failing_table(pairs)
        self.refused(pairs, ZeroDivisionError)
        self.assertList(pairs.old, a)
        self.assertList(pairs.new, b)
        del table

    def test_order_after_rollback_of_what_was_merged(self):
        # Two without a callback, of which one is not the shared one.
        pairs = Pairs.things()
        refs = self.some(pairs.old) + self.some(pairs.new)
        self.remap(pairs)
        back = Pairs(pairs.new, pairs.old)
        before = [id(ref) for ref in weakrefs(pairs.new)]
        self.assertEqual(len(before), len(refs))
        table = failing_table(back)
        self.refused(back, ZeroDivisionError)
        self.assertEqual([id(ref) for ref in weakrefs(pairs.new)], before)
        del table

    def test_very_many(self):
        pairs = Pairs.things()
        refs = [Ref(pairs.old) for _ in range(20_000)]
        table = failing_table(pairs)
        self.refused(pairs, ZeroDivisionError)
        self.assertList(pairs.old, refs[::-1])
        del table
        collect()
        self.remap(pairs)
        self.assertList(pairs.new, refs[::-1])


class TableTests(RemapTestCase):

    def test_weak_key_dictionary(self):
        pairs = Pairs.things()
        others = [Thing(str(n)) for n in range(20)]
        d = weakref.WeakKeyDictionary()
        for n, other in enumerate(others[:10]):
            d[other] = n
        d[pairs.old] = "value"
        for n, other in enumerate(others[10:]):
            d[other] = n + 10
        result = self.remap(pairs, rehashed=1)
        self.assertEqual(result.references, 1)
        self.assertEqual(d[pairs.new], "value")
        self.assertNotIn(pairs.old, d)
        self.assertEqual([*d.values()],
                         [*range(10), "value", *range(10, 20)])
        for n, other in enumerate(others):
            self.assertEqual(d[other], n)
        other = None
        # It still forgets what has died.
        pairs.list[0] = None
        self.assertEqual(len(d), 20)
        self.assertNotIn("value", d.values())

    def test_weak_key_dictionary_and_old_values(self):
        pairs = Pairs.things(2)
        d = weakref.WeakKeyDictionary({pairs.old: pairs.old_at(1)})
        self.remap(pairs)
        self.assertIs(d[pairs.new], pairs.new_at(1))

    def test_weak_key_dictionary_with_both(self):
        pairs = Pairs.things()
        d = weakref.WeakKeyDictionary({pairs.old: 1, pairs.new: 2})
        self.remap(pairs, collisions=1)
        self.assertEqual([*d.items()], [(pairs.new, 2)])
        pairs.list[0] = None
        self.assertEqual(len(d), 0)

    def test_weak_key_dictionary_swap(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        d = weakref.WeakKeyDictionary({pairs.old: 1, pairs.new: 2})
        self.remap(pairs)
        self.assertEqual((d[pairs.new], d[pairs.old]), (1, 2))

    def test_weak_key_dictionary_many_to_one(self):
        new = Key(0)
        pairs = Pairs(Key(1), new, Key(2), new)
        d = weakref.WeakKeyDictionary({pairs.old: "a", pairs.old_at(1): "b"})
        self.remap(pairs, collisions=1)
        self.assertEqual([*d.items()], [(new, "b")])

    def test_weak_key_dictionary_equal_keys(self):
        pairs = Pairs(Key(1), Key(2))
        other = Key(2)
        d = weakref.WeakKeyDictionary({other: "other", pairs.old: "old"})
        self.remap(pairs, collisions=1)
        self.assertEqual([*d.items()], [(other, "old")])
        self.assertIs([*d][0], other)

    def test_weak_value_dictionary(self):
        pairs = Pairs.things()
        d = weakref.WeakValueDictionary(key=pairs.old)
        self.remap(pairs, rehashed=0)
        self.assertIs(d["key"], pairs.new)
        self.assertEqual(len(d), 1)
        pairs.list[0] = (None, pairs.new)
        collect()
        self.assertIs(d["key"], pairs.new)
        pairs.list[0] = None
        self.assertEqual(len(d), 0)

    def test_weak_value_dictionary_with_old_keys(self):
        pairs = Pairs.things()
        d = weakref.WeakValueDictionary()
        d[pairs.old] = pairs.old
        self.remap(pairs)
        self.assertIs(d[pairs.new], pairs.new)
        del d[pairs.new]

    def test_weak_set(self):
        pairs = Pairs.things()
        other = Thing()
        s = weakref.WeakSet([other, pairs.old])
        self.remap(pairs, rehashed=1)
        self.assertIn(pairs.new, s)
        self.assertIn(other, s)
        self.assertNotIn(pairs.old, s)
        self.assertEqual(len(s), 2)
        pairs.list[0] = None
        self.assertEqual([*s], [other])

    def test_weak_set_with_both(self):
        pairs = Pairs.things()
        s = weakref.WeakSet(pairs.list[0])
        self.remap(pairs, collisions=1)
        self.assertEqual([*s], [pairs.new])

    def test_iteration_under_way(self):
        pairs = Pairs.things()
        others = [Thing(str(n)) for n in range(4)]
        d = weakref.WeakKeyDictionary(dict.fromkeys(others))
        d[pairs.old] = None
        names = []
        for key in d.keys():
            names.append(key.name)
            if len(names) == 2:
                key = None
                gc.remap(pairs.list)
        key = None
        self.assertEqual(names, ["0", "1", "2", "3", "new0"])

    def test_dict_and_set_of_weak_references(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        d, s, f = {ref: 1}, {ref}, frozenset([ref])
        self.remap(pairs, rehashed=3)
        self.assertDictSound(d)
        self.assertSetSound(s)
        self.assertSetSound(f)
        self.assertIn(weakref.ref(pairs.new), d)

    def test_deep_in_keys(self):
        pairs = Pairs.things()
        d = {(1, frozenset([(weakref.ref(pairs.old), 2)])): "deep"}
        self.remap(pairs, rehashed=2)
        self.assertDictSound(d)
        self.assertEqual(
            d[1, frozenset([(weakref.ref(pairs.new), 2)])], "deep")

    def test_weak_reference_in_an_lru_cache(self):
        pairs = Pairs.things()
        cached = functools.lru_cache(lambda ref: ref().name)
        ref = weakref.ref(pairs.old)
        self.assertEqual(cached(ref), "old0")
        self.remap(pairs)
        self.assertEqual(cached(ref), "new0")

    def test_instance_that_hashes_what_it_refers_to_weakly(self):
        class Holder:
            def __init__(self, obj):
                self.ref = weakref.ref(obj)

            def __hash__(self):
                return hash(id(self.ref()))

            def __eq__(self, other):
                return self.ref() is other.ref()
        pairs = Pairs.things()
        d = {Holder(pairs.old): 1}
        self.remap(pairs, rehashed=1)
        self.assertDictSound(d)
        self.assertIn(Holder(pairs.new), d)

    def test_subclass_with_a_hash_of_its_own(self):
        pairs = Pairs.things()
        d = {OwnHash(pairs.old): 1}
        self.remap(pairs, rehashed=1)
        self.assertDictSound(d)
        self.assertIn(OwnHash(pairs.new), d)

    def test_unhashable_new_object(self):
        pairs = Pairs(Thing(), set())
        d = weakref.WeakKeyDictionary({pairs.old: 1})
        self.refused(pairs, TypeError, "unhashable")
        self.assertEqual(d[pairs.old], 1)
        self.assertIs(d.keyrefs()[0](), pairs.old)


class ValueHashTests(RemapTestCase):
    """The hash of the referent changes because of what it holds."""

    def test_weak_key_dictionary(self):
        pairs = Pairs.things()
        key = Frozen(pairs.old)
        d = weakref.WeakKeyDictionary({key: 1})
        result = self.remap(pairs, rehashed=1)
        self.assertEqual(result.references, 1)
        self.assertEqual(d[key], 1)
        self.assertEqual(d[Frozen(pairs.new)], 1)

    def test_weak_set(self):
        pairs = Pairs.things()
        keys = [Frozen(pairs.old), Frozen(5)]
        s = weakref.WeakSet(keys)
        self.remap(pairs, rehashed=1)
        for key in keys:
            self.assertIn(key, s)
        key = None
        self.assertIn(Frozen(pairs.new), s)

    def test_become_equal(self):
        pairs = Pairs.things()
        keys = [Frozen(pairs.old), Frozen(pairs.new)]
        d = weakref.WeakKeyDictionary(zip(keys, (1, 2)))
        self.remap(pairs, collisions=1)
        self.assertEqual([*d.items()], [(keys[0], 2)])

    def test_through_a_frozenset(self):
        # The set first, then what is hashed by it, and then the tables.
        pairs = Pairs.things()
        inner = frozenset([pairs.old, 1])
        key = Frozen(inner)
        weak = weakref.WeakKeyDictionary({key: 1})
        weaker = weakref.WeakSet([inner])
        d = {weakref.ref(key): 2}
        self.remap(pairs, rehashed=4)
        self.assertEqual(weak[Frozen(frozenset([1, pairs.new]))], 1)
        self.assertIn(inner, weaker)
        self.assertEqual(d[weakref.ref(key)], 2)

    def test_weak_reference_in_the_key_of_a_weak_reference(self):
        pairs = Pairs.things()
        inner = Frozen(weakref.ref(pairs.old))
        outer = Frozen(weakref.ref(inner))
        d = {outer: 1}
        s = weakref.WeakSet([outer])
        self.remap(pairs, rehashed=2)
        self.assertDictSound(d)
        self.assertIn(outer, s)

    def test_the_hash_is_restored(self):
        pairs = Pairs.things()
        key = Frozen(pairs.old)
        d = weakref.WeakKeyDictionary({key: 1})
        hashed = weakref.ref(key)
        self.assertEqual(hash(hashed), hash(key))
        never = Ref(key)
        table = failing_table(pairs)
        self.refused(pairs, ZeroDivisionError)
        self.assertEqual(hash(hashed), hash(key))
        self.assertEqual(hash(never), hash(key))
        self.assertEqual(d[key], 1)
        del table


class StandardLibraryTests(RemapTestCase):

    def test_weak_method(self):
        pairs = Pairs(Owner(), Owner())
        method = weakref.WeakMethod(pairs.old.method)
        self.remap(pairs)
        self.assertEqual(method()(), (pairs.new, "method"))

    def test_weak_method_of_a_function_that_changes(self):
        owner = Owner()

        def function(self):
            return self, "function"
        pairs = Pairs(Owner.method, function)
        function = None
        try:
            method = weakref.WeakMethod(owner.method)
            gc.remap(pairs.list)
            self.assertEqual(method()(), (owner, "function"))
        finally:
            Owner.method = pairs.old

    def test_weak_methods_in_a_set(self):
        owner = Owner()
        pairs = Pairs(Owner(), Owner())
        s = {weakref.WeakMethod(pairs.old.method),
             weakref.WeakMethod(owner.method)}
        self.remap(pairs, rehashed=1)
        self.assertIn(weakref.WeakMethod(pairs.new.method), s)
        self.assertIn(weakref.WeakMethod(owner.method), s)
        self.assertNotIn(weakref.WeakMethod(pairs.old.method), s)

    def test_weak_methods_become_equal_by_their_function(self):
        class C:
            def one(self):
                pass

            def two(self):
                pass
        obj = C()
        s = {weakref.WeakMethod(obj.one), weakref.WeakMethod(obj.two)}
        pairs = Pairs(C.one, C.two)
        self.assertEqual(len(s), 2)
        result = gc.remap(pairs.list)
        self.assertEqual(result.collisions, 1)
        self.assertEqual(len(s), 1)

    def test_finalize(self):
        pairs = Pairs.things()
        log = []
        finalize = weakref.finalize(pairs.old, log.append, "dead")
        self.remap(pairs)
        self.assertTrue(finalize.alive)
        self.assertIs(finalize.peek()[0], pairs.new)
        pairs.list[0] = (None, pairs.new)
        collect()
        self.assertEqual(log, [])
        pairs.list[0] = None
        self.assertEqual(log, ["dead"])
        self.assertFalse(finalize.alive)

    def test_finalize_detached(self):
        pairs = Pairs.things()
        finalize = weakref.finalize(pairs.old, ignore)
        self.remap(pairs)
        self.assertIs(finalize.detach()[0], pairs.new)
        self.assertFalse(finalize.alive)

    def test_singledispatch(self):
        class Old:
            pass

        class New:
            pass

        @functools.singledispatch
        def generic(arg):
            return "object"

        @generic.register
        def _(arg: Old):
            return "Old"
        del _
        self.assertEqual(generic(Old()), "Old")
        self.assertEqual(generic(5), "object")
        pairs = Pairs(Old, New)
        Old = New = None
        gc.remap(pairs.list)
        self.assertEqual(generic(pairs.new()), "Old")
        self.assertEqual(generic(pairs.old()), "object")
        self.assertEqual(generic(5), "object")

    def test_singledispatch_of_an_abc(self):
        class Old:
            pass

        class New:
            def __iter__(self):
                return iter(())

        @functools.singledispatch
        def generic(arg):
            return "object"

        @generic.register(collections.abc.Iterable)
        def _(arg):
            return "Iterable"
        del _
        self.assertEqual(generic(Old()), "object")
        pairs = Pairs(Old, New)
        Old = New = None
        gc.remap(pairs.list)
        self.assertEqual(generic(pairs.new()), "Iterable")

    def test_thread_local(self):
        pairs = Pairs(threading.local(), threading.local())
        pairs.old.name = "old"
        pairs.new.name = "new"
        ref = weakref.ref(pairs.old)
        names = []

        def run():
            pairs.old.name = pairs.new.name = "thread"
            gc.remap(pairs.list)
            names.append(ref().name)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual(names, ["thread"])
        self.assertIs(ref(), pairs.new)
        self.assertEqual((pairs.old.name, pairs.new.name), ("old", "new"))


class AbstractClassTests(RemapTestCase):

    def setUp(self):
        class Abstract(abc.ABC):
            pass

        class Old:
            pass

        class New:
            pass
        self.abstract = Abstract
        self.pairs = Pairs(Old, New)

    def tearDown(self):
        del self.abstract, self.pairs

    def are(self):
        return [issubclass(cls, self.abstract) for cls in self.pairs.list[0]]

    def instances_are(self):
        return [isinstance(cls(), self.abstract) for cls in self.pairs.list[0]]

    def test_registered(self):
        self.abstract.register(self.pairs.old)
        result = gc.remap(self.pairs.list)
        self.assertEqual(self.are(), [False, True])
        self.assertEqual(self.instances_are(), [False, True])
        self.assertEqual(result.collisions, 0)

    def test_registered_and_known(self):
        self.abstract.register(self.pairs.old)
        self.assertEqual(self.are(), [True, False])
        self.assertEqual(self.instances_are(), [True, False])
        result = gc.remap(self.pairs.list)
        self.assertEqual(self.are(), [False, True])
        self.assertEqual(self.instances_are(), [False, True])
        self.assertEqual(result.collisions, 0)

    def test_known_not_to_be(self):
        self.assertEqual(self.are(), [False, False])
        result = gc.remap(self.pairs.list)
        self.assertEqual(result.references, 0)
        self.assertEqual(self.are(), [False, False])
        self.abstract.register(self.pairs.new)
        self.assertEqual(self.are(), [False, True])

    def test_both_registered(self):
        for cls in self.pairs.list[0]:
            self.abstract.register(cls)
        cls = None
        result = gc.remap(self.pairs.list)
        self.assertEqual(result.collisions, 1)
        self.assertEqual(self.are(), [False, True])

    def test_swap(self):
        self.abstract.register(self.pairs.old)
        self.assertEqual(self.are(), [True, False])
        pairs = Pairs.swap(self.pairs.old, self.pairs.new)
        gc.remap(pairs.list)
        self.assertEqual(
            [issubclass(cls, self.abstract) for cls in pairs.list[0]],
            [False, True])

    def test_rollback(self):
        self.abstract.register(self.pairs.old)
        self.assertEqual(self.are(), [True, False])
        table = failing_table(self.pairs)
        for _ in range(2):
            self.assertRaises(ZeroDivisionError, gc.remap, self.pairs.list)
            self.assertEqual(self.are(), [True, False])
            self.assertEqual(self.instances_are(), [True, False])
        del table

    def test_base_of_a_registered_class(self):
        # It is a subclass of what is registered, and then it is not.
        class Sub(self.pairs.old):
            pass
        self.abstract.register(self.pairs.old)
        self.assertTrue(issubclass(Sub, self.abstract))
        # The registered class goes over, and so does the base of Sub.
        gc.remap(self.pairs.list)
        self.assertEqual(Sub.__bases__, (self.pairs.new,))
        self.assertTrue(issubclass(Sub, self.abstract))

    def test_base_that_is_an_abstract_class(self):
        class Other(abc.ABC):
            pass

        class Sub(self.abstract):
            pass
        self.assertTrue(issubclass(Sub, self.abstract))
        self.assertFalse(issubclass(Sub, Other))
        pairs = Pairs(self.abstract, Other)
        Other = None
        gc.remap(pairs.list)
        self.assertTrue(issubclass(Sub, pairs.new))
        self.assertFalse(issubclass(Sub, pairs.old))

    def test_structural(self):
        class Sized:
            def __len__(self):
                return 0
        pairs = Pairs(self.pairs.old, Sized)
        Sized = None
        self.assertNotIsInstance(pairs.old(), collections.abc.Sized)
        gc.remap(pairs.list)
        self.assertIsInstance(pairs.new(), collections.abc.Sized)
        self.assertNotIsInstance(pairs.old(), collections.abc.Sized)

    def test_token(self):
        token = abc.get_cache_token()
        gc.remap(self.pairs.list)
        self.assertNotEqual(abc.get_cache_token(), token)


class SubclassesTests(RemapTestCase):
    """What __subclasses__() finds is the class itself, not a replacement."""

    def setUp(self):
        class Base:
            pass

        class Second:
            pass
        self.base = Base
        self.second = Second

    def tearDown(self):
        del self.base, self.second

    def make(self, *names, bases=None):
        bases = bases or (self.base, self.second)
        return [type(name, bases, {}) for name in names]

    def assertSubclasses(self, *classes):
        for base in (self.base, self.second):
            self.assertEqual(base.__subclasses__(), list(classes))

    def both(self, held):
        """Pairs of two classes; held: are there other weak references?"""
        old, new = self.make("Old", "New")
        if held:
            self.refs = [weakref.ref(old), weakref.ref(new)]
            self.addCleanup(self.__dict__.pop, "refs", None)
        return Pairs(old, new)

    def test_one_way(self):
        for held in (False, True):
            with self.subTest(held=held):
                pairs = self.both(held)
                result = gc.remap(pairs.list)
                self.assertSubclasses(*pairs.list[0])
                if held:
                    self.assertEqual([ref() for ref in self.refs],
                                     [pairs.new] * 2)
                else:
                    self.assertEqual(result.references, 0)
                pairs = None
                collect()

    def test_the_old_class_dies(self):
        for held in (False, True):
            with self.subTest(held=held):
                pairs = self.both(held)
                gc.remap(pairs.list)
                new = pairs.new
                pairs.list[0] = None
                collect()
                self.assertSubclasses(new)
                new = None
                collect()
                self.assertSubclasses()

    def test_new_references_after_the_old_ones(self):
        pairs = self.both(True)
        gc.remap(pairs.list)
        self.assertIs(weakref.ref(pairs.old)(), pairs.old)
        self.assertIs(weakref.ref(pairs.new), self.refs[1])

    def test_swap(self):
        for held in (False, True):
            with self.subTest(held=held):
                pairs = self.both(held)
                pairs = Pairs.swap(*pairs.list[0])
                for _ in range(3):
                    gc.remap(pairs.list)
                    self.assertSubclasses(*pairs.list[0])
                pairs = None
                collect()
                self.assertSubclasses()

    def test_chain(self):
        a, b, c = self.make("a", "b", "c")
        refs = [weakref.ref(cls) for cls in (a, b, c)]
        pairs = Pairs(a, b, b, c)
        a = b = c = None
        gc.remap(pairs.list)
        self.assertSubclasses(pairs.old, pairs.old_at(1), pairs.new_at(1))
        self.assertEqual(
            [ref() for ref in refs],
            [pairs.old_at(1), pairs.new_at(1), pairs.new_at(1)])

    def test_rollback(self):
        pairs = self.both(True)
        table = failing_table(pairs)
        before = [[id(ref) for ref in weakrefs(cls)] for cls in pairs.list[0]]
        self.refused(pairs, ZeroDivisionError)
        self.assertSubclasses(*pairs.list[0])
        self.assertEqual(
            [[id(ref) for ref in weakrefs(cls)] for cls in pairs.list[0]],
            before)
        del table

    def test_new_class_that_is_no_subclass(self):
        [old] = self.make("Old")
        ref = weakref.ref(old)
        pairs = Pairs(old, type("New", (), {}))
        old = None
        gc.remap(pairs.list)
        self.assertIs(ref(), pairs.new)
        self.assertSubclasses(pairs.old)

    def test_class_replaced_by_an_instance(self):
        [old] = self.make("Old")
        ref = weakref.ref(old)
        pairs = Pairs(old, Thing())
        old = None
        gc.remap(pairs.list)
        self.assertIs(ref(), pairs.new)
        self.assertSubclasses(pairs.old)

    def test_class_replaced_by_what_cannot_be_weakly_referenced(self):
        # No weak reference but those of its bases.
        [old] = self.make("Old")
        pairs = Pairs(old, 5)
        old = None
        gc.remap(pairs.list)
        self.assertSubclasses(pairs.old)

    def test_together_with_the_bases(self):
        # The base goes over, and its subclass is replaced as well.
        class Other(self.second):
            pass
        old, new = self.make("Old", "New", bases=(self.base,))
        refs = [weakref.ref(old), weakref.ref(new), weakref.ref(self.base)]
        pairs = Pairs(old, new, self.base, Other)
        Other = old = new = None
        gc.remap(pairs.list)
        self.assertIs(self.base, pairs.new_at(1))
        self.assertEqual(pairs.old_at(1).__subclasses__(), [])
        self.assertCountEqual(self.base.__subclasses__(),
                              [pairs.old, pairs.new])
        self.assertEqual([ref() for ref in refs],
                         [pairs.new, pairs.new, self.base])

    def test_together_with_the_bases_and_rollback(self):
        class Other(self.second):
            pass
        old, new = self.make("Old", "New", bases=(self.base,))
        refs = [weakref.ref(old), weakref.ref(new), weakref.ref(self.base)]
        pairs = Pairs(old, new, self.base, Other)
        Other = old = new = None
        table = failing_table(pairs)
        self.refused(pairs, ZeroDivisionError)
        self.assertIs(self.base, pairs.old_at(1))
        self.assertCountEqual(self.base.__subclasses__(), pairs.list[0])
        self.assertEqual(pairs.new_at(1).__subclasses__(), [])
        self.assertEqual([ref() for ref in refs],
                         [pairs.old, pairs.new, self.base])
        del table

    def test_attributes_are_inherited_afterwards(self):
        # Slots and caches find the subclasses through the same references.
        pairs = self.both(True)
        gc.remap(pairs.list)
        for cls in pairs.list[0]:
            self.assertRaises(TypeError, len, cls())
        self.base.__len__ = lambda self: 7
        for cls in pairs.list[0]:
            self.assertEqual(len(cls()), 7)
        del self.base.__len__, cls

    def test_one_reference_for_all_bases(self):
        [cls] = self.make("Class")
        self.assertEqual(weakref.getweakrefcount(cls), 1)
        ref = weakref.ref(cls)
        self.assertEqual(weakref.getweakrefcount(cls), 2)
        self.assertIs(weakref.ref(cls), ref)
        self.assertIs(weakrefs(cls)[0], ref)

    def test_it_is_not_redirected_where_python_code_has_it(self):
        [cls] = self.make("Class")
        [ref] = weakrefs(cls)
        pairs = Pairs(cls, Thing())
        cls = None
        gc.remap(pairs.list)
        self.assertIs(ref(), pairs.old)
        self.assertSubclasses(pairs.old)

    def test_class_replaced_by_a_static_type(self):
        class Other:
            pass
        ref = weakref.ref(Other)
        pairs = Pairs(Other, bytearray)
        Other = None
        gc.remap(pairs.list)
        self.assertIs(ref(), bytearray)
        self.assertIs(weakref.ref(bytearray)(), bytearray)
        ref = None
        self.assertNotIn(pairs.old, bytearray.__subclasses__())


class RefusalTests(RemapTestCase):

    def test_new_object_cannot_be_weakly_referenced(self):
        for new in (5, None, fresh_int(), "", (), [], {}, Bare(), object()):
            with self.subTest(new=new):
                pairs = Pairs(Thing(), new)
                ref = weakref.ref(pairs.old)
                reason = self.refused(
                    pairs, TypeError, "cannot replace 'Thing' object at 0x"
                    ".* by a '.*' object: .* weak ref")
                self.assertIn(f"at {id(pairs.old):#x} by a "
                              f"'{type(new).__name__}' object", reason)
                self.assertIs(ref(), pairs.old)

    def test_nothing_is_weak(self):
        pairs = Pairs(Thing(), Bare())
        items = [pairs.old]
        self.remap(pairs)
        self.assertIs(items[0], pairs.new)

    def test_weak_reference_to_itself(self):
        # Its hash would call itself for ever in C.
        thing = Thing()
        pairs = Pairs(thing, Ref(thing))
        thing = None
        self.refused(pairs, TypeError, "hold itself")
        self.assertIs(pairs.new(), pairs.old)

    def test_weak_references_to_each_other(self):
        one, two = Thing("one"), Thing("two")
        a, b = Ref(one), Ref(two)
        pairs = Pairs(one, b, two, a)
        one = two = a = b = None
        self.refused(pairs, TypeError, "hold itself")

    def test_weak_reference_to_a_set_of_it(self):
        thing = Thing()
        new = frozenset([weakref.ref(thing)])
        pairs = Pairs(thing, new)
        thing = new = None
        self.refused(pairs, TypeError, "hold itself")

    def test_proxy_of_a_method_of_it(self):
        # Its attributes would be looked up for ever in C.
        pairs = Pairs(Callable(), None)
        proxy = weakref.proxy(pairs.old)
        pairs.list[0] = (pairs.old, types.MethodType(proxy, 5))
        self.refused(pairs, TypeError, "hold itself")
        self.assertEqual(proxy(), "called")

    def test_no_more_weak_references(self):
        pairs = Pairs(Thing(), Bare())
        ref = weakref.ref(pairs.old)
        self.refused(pairs, TypeError)
        del ref
        self.remap(pairs)

    def test_all_reasons(self):
        pairs = Pairs(Thing("one"), 1, Thing("two"), 2, Thing("three"), 3)
        refs = [weakref.ref(pairs.old), weakref.proxy(pairs.old_at(1))]
        with self.assertRaises(TypeError) as caught:
            gc.remap(pairs.list)
        self.assertIn(f"{id(pairs.old):#x}", str(caught.exception))
        [note] = caught.exception.__notes__
        self.assertIn(f"{id(pairs.old_at(1)):#x}", note)
        self.assertIs(refs[0](), pairs.old)
        caught = None

    def test_swap_with_what_cannot_be_weakly_referenced(self):
        pairs = Pairs.swap(Thing(), Bare())
        ref = weakref.ref(pairs.old)
        self.refused(pairs, TypeError)
        self.assertIs(ref(), pairs.old)


class CodeThatRunsTests(RemapTestCase):
    """Python code in the middle of it: __hash__, callbacks, finalizers."""

    def repairing(self, pairs, action, fail=False):
        """A dict whose repair calls the action."""
        class Key:
            armed = False

            def __init__(self, held):
                self.held = held

            def __hash__(self):
                if self.armed:
                    action()
                    if fail:
                        raise ZeroDivisionError
                return 1
        table = {Key(pairs.old): 1}
        Key.armed = True
        return table

    def test_sees_the_new_objects(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        seen = []
        table = self.repairing(pairs, lambda: seen.append(ref().name))
        gc.remap(pairs.list)
        self.assertEqual(set(seen), {"new0"})
        del table

    def test_makes_weak_references(self):
        for fail in (False, True):
            with self.subTest(fail=fail):
                pairs = Pairs.things()
                refs = [Ref(pairs.old), weakref.ref(pairs.old),
                        weakref.proxy(pairs.old)]
                made = []

                def action():
                    for obj in pairs.list[0]:
                        made.extend([weakref.ref(obj), Ref(obj),
                                     weakref.proxy(obj),
                                     weakref.ref(obj, ignore)])
                table = self.repairing(pairs, action, fail)
                if fail:
                    self.assertRaises(ZeroDivisionError, gc.remap, pairs.list)
                else:
                    gc.remap(pairs.list)
                now = pairs.list[0][not fail]
                self.assertIs(refs[0](), now)
                self.assertIs(refs[1](), now)
                self.assertIs(refs[2].__repr__.__self__, now)
                for obj in pairs.list[0]:
                    for ref in weakrefs(obj):
                        self.assertIs(ref.__repr__.__self__
                                      if type(ref) in weakref.ProxyTypes
                                      else ref(), obj)
                    self.assertIs(weakref.ref(obj)(), obj)
                obj = now = ref = action = table = None
                self.assertEqual(
                    [made[1]().name, made[5]().name], ["old0", "new0"])
                made.clear()

    def test_drops_weak_references(self):
        for fail in (False, True):
            with self.subTest(fail=fail):
                pairs = Pairs.things()
                refs = [Ref(obj, ignore) for obj in pairs.list[0]]
                refs += [weakref.ref(obj) for obj in pairs.list[0]]
                kept = Ref(pairs.old)
                table = self.repairing(pairs, refs.clear, fail)
                if fail:
                    self.assertRaises(ZeroDivisionError, gc.remap, pairs.list)
                else:
                    gc.remap(pairs.list)
                self.assertIs(kept(), pairs.list[0][not fail])
                self.assertEqual(
                    [weakref.getweakrefcount(obj) for obj in pairs.list[0]],
                    [int(fail), int(not fail)])
                del table

    def test_hashes_a_reference_before_the_rollback(self):
        pairs = Pairs.things()
        ref = Ref(pairs.old)
        table = self.repairing(pairs, lambda: hash(ref), fail=True)
        self.assertRaises(ZeroDivisionError, gc.remap, pairs.list)
        self.assertEqual(hash(ref), hash(pairs.old))
        del table

    def test_canonical_reference_in_a_remap_that_fails(self):
        for first in True, False:
            pairs = Pairs.things()
            refs = [weakref.ref(pairs.old)] if first else []
            table = self.repairing(
                pairs, lambda: refs.append(weakref.ref(pairs.new)), fail=True)
            self.assertRaises(ZeroDivisionError, gc.remap, pairs.list)
            # There is one for each object, and it goes back.
            self.assertIs(refs[-1](), pairs.list[0][not first])
            self.assertIs(refs[-1], refs[0])
            del table

    def test_remembered_hash_after_the_rollback(self):
        pairs = Pairs.things()
        d = weakref.WeakKeyDictionary({pairs.old: 1})
        s = weakref.WeakSet([pairs.old])
        table = failing_table(pairs)
        self.refused(pairs, ZeroDivisionError)
        self.assertEqual(d[pairs.old], 1)
        self.assertIn(pairs.old, s)
        self.assertNotIn(pairs.new, d)
        del table

    def test_hash_of_the_new_object_raises(self):
        new = FailingHash("new")
        pairs = Pairs(Thing("old"), new)
        d = weakref.WeakKeyDictionary({pairs.old: 1})
        new.failing = True
        new = None
        self.refused(pairs, ZeroDivisionError)
        self.assertEqual(d[pairs.old], 1)
        self.assertEqual(len(d), 1)

    def test_within_a_callback(self):
        pairs = Pairs.things()
        ref = weakref.ref(pairs.old)
        dying = Thing()
        seen = []

        def callback(_):
            gc.remap(pairs.list)
            seen.append(ref().name)
        refs = [weakref.ref(dying, callback), weakref.ref(dying, seen.append)]
        del dying
        self.assertEqual(len(seen), 2)
        self.assertIn("new0", seen)
        self.assertIs(ref(), pairs.new)
        del refs

    def test_within_the_callback_of_the_new_object(self):
        pairs = Pairs.things(2)
        ref = weakref.ref(pairs.old_at(1))
        inner = pairs.list[1:]
        outer = weakref.ref(pairs.old, lambda _: gc.remap(inner))
        gc.remap(pairs.list[:1])
        del pairs.list[0]
        self.assertIsNone(outer())
        self.assertIs(ref(), inner[0][1])

    def test_within_a_finalizer_of_a_key(self):
        class Dying:
            def __del__(self):
                gc.remap([(self, replacement)])
        replacement = Dying.__new__(Thing)
        replacement.name = "replacement"
        obj = Dying()
        refs = [weakref.ref(obj), Ref(obj)]
        del obj
        self.assertEqual([ref() for ref in refs], [replacement] * 2)

    def test_weak_reference_that_is_being_deallocated(self):
        class Attribute:
            def __del__(self):
                gc.remap(pairs.list)
        pairs = Pairs.things()
        ref = Ref(pairs.old)
        other = Ref(pairs.old)
        ref.attribute = Attribute()
        del ref
        self.assertIs(other(), pairs.new)
        self.assertEqual(weakref.getweakrefcount(pairs.old), 0)
        self.assertEqual(weakref.getweakrefcount(pairs.new), 1)

    def test_finalizer_of_a_weak_reference(self):
        class Final(weakref.ref):
            def __del__(self):
                gc.remap(pairs.list)
                names.append(self().name)
        names = []
        pairs = Pairs.things()
        ref = Final(pairs.old)
        del ref
        self.assertEqual(names, ["new0"])


class FixedTests(RemapTestCase):
    """What C code has a weak reference to for a purpose of its own stays."""

    def test_cursors(self):
        connection = sqlite3.connect(":memory:")
        pairs = Pairs(connection.cursor(), Thing())
        pairs.old.execute("select 1")
        ref = weakref.ref(pairs.old)
        gc.remap(pairs.list)
        self.assertIs(ref(), pairs.new)
        # Closes the cursors that it knows.
        connection.close()
        self.assertRaises(sqlite3.ProgrammingError, pairs.old.fetchall)

    def test_blobs(self):
        connection = sqlite3.connect(":memory:")
        connection.execute("create table t(b blob)")
        connection.execute("insert into t values(zeroblob(9))")
        pairs = Pairs(connection.blobopen("t", "b", 1), Thing())
        gc.remap(pairs.list)
        connection.close()
        self.assertRaises(sqlite3.ProgrammingError, pairs.old.read)

    def test_thread_local(self):
        # The end of a thread casts what it finds to a thread-local object.
        pairs = Pairs(threading.local(), Thing())
        ready, go = threading.Event(), threading.Event()

        def run():
            pairs.old.name = "thread"
            ready.set()
            go.wait()
        thread = threading.Thread(target=run)
        thread.start()
        ready.wait()
        ref = weakref.ref(pairs.old)
        gc.remap(pairs.list)
        self.assertIs(ref(), pairs.new)
        go.set()
        thread.join()
        self.assertFalse(hasattr(pairs.old, "name"))

    def test_module_with_static_types(self):
        self.assertEqual(run_script(self, """
            import _datetime, datetime, gc, types, weakref
            class Fake: pass
            pair = [(_datetime, Fake())]
            ref = weakref.ref(_datetime)
            gc.remap(pair)
            assert ref() is pair[0][1]
            print(datetime.timedelta(days=1) / 2,
                  datetime.datetime.fromisoformat("2020-01-02"))
            """), "12:00:00 2020-01-02 00:00:00\n")


@no_leak_check("programs of their own")
class MemoryTests(RemapTestCase):

    def test_no_memory(self):
        try:
            import _testcapi
        except ImportError:
            raise unittest.SkipTest("needs _testcapi")
        del _testcapi
        done = run_script(self, """
            import _testcapi, abc, gc, weakref

            def ignore(_):
                pass

            class Thing:
                def __init__(self, name):
                    self.name = name

            class Abstract(abc.ABC):
                pass

            def attempt(n, swap):
                pair = [(Thing("old"), Thing("new"))]
                class A: pass
                class B: pass
                Abstract.register(A)
                pair.append((A, B))
                del A, B
                if swap:
                    pair += [(b, a) for a, b in pair]
                refs = [weakref.ref(pair[0][0]), weakref.proxy(pair[0][0]),
                        weakref.ref(pair[0][0], ignore)]
                others = [weakref.ref(pair[0][1]), weakref.ref(pair[1][0])]
                d = weakref.WeakKeyDictionary({pair[0][0]: 1})
                s = weakref.WeakSet([pair[0][0]])
                lists = lambda: [[id(r) for r in weakref.getweakrefs(obj)]
                                 for obj in pair[0]]
                before = lists()
                raised = False
                _testcapi.set_nomemory(n, n + 1)
                try:
                    gc.remap(pair)
                except MemoryError:
                    raised = True
                finally:
                    _testcapi.remove_mem_hooks()
                # The result is made when everything is done.
                done = refs[0]() is pair[0][1]
                assert done or raised
                assert done or lists() == before
                assert refs[0]() is refs[2]() is pair[0][done]
                assert refs[1].name == refs[0]().name
                assert d[refs[0]()] == 1 and refs[0]() in s
                assert len(d) == len(s) == 1
                assert issubclass(pair[1][done], Abstract)
                assert not issubclass(pair[1][not done], Abstract)
                return not done

            undone = 0
            for swap in (False, True):
                for n in range(100):
                    undone += attempt(n, swap)
            print(undone)
            """, "-X", "faulthandler")
        self.assertGreater(int(done), 5)


if __name__ == "__main__":
    main()
