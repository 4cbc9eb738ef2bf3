"""gc.remap() and what the types of the C modules derive from references:
indices, C functions, tables keyed by address."""

import _json
import _pickle
import cProfile
import csv
import ctypes
import datetime
import decimal
import gc
import importlib.util
import io
import itertools
import json
import operator
import pickle
import queue
import struct
import sys
import tracemalloc
import types
import typing
import warnings
import xml.etree.ElementTree as ET
import zoneinfo

from support import (Pairs, RemapTestCase, Thing, fresh_int, fresh_str,
                     main, no_leak_check, run_script)


def fresh_bytes(data):
    return bytes(bytearray(data))


class ItertoolsTests(RemapTestCase):

    def test_iterator_and_function(self):
        make = {
            itertools.dropwhile: "func", itertools.takewhile: "func",
            itertools.filterfalse: "func", itertools.starmap: "func",
        }
        for kind in make:
            with self.subTest(kind.__name__):
                pairs = Pairs(lambda *args: False, lambda *args: True)
                it = kind(pairs.old, [(1,), (2,)])
                self.remap(pairs)
                list(it)
                it = None

    def test_iterator_must_be_one(self):
        for make in (
            lambda it: itertools.batched(it, 2), itertools.pairwise,
            itertools.groupby, lambda it: itertools.tee(it)[0],
            itertools.cycle, lambda it: itertools.dropwhile(Thing, it),
            lambda it: itertools.islice(it, 4), itertools.chain,
            itertools.chain.from_iterable, itertools.accumulate,
            lambda it: itertools.compress(it, [1, 1]),
            lambda it: itertools.compress([1, 1], it),
        ):
            with self.subTest(make=make):
                pairs = Pairs(iter([(1, 2)]), Thing())
                if make is itertools.chain:
                    it = make([], [1])
                    pairs = Pairs(gc.get_referents(it)[-1], 5)
                else:
                    it = make(pairs.old)
                self.refused(pairs, TypeError, "must be an iterator")
                pairs = Pairs(pairs.old, iter([]))
                self.remap(pairs)
                self.assertIn(pairs.new, list(self.reachable(it)))
                it = None

    @staticmethod
    def reachable(obj):
        for held in gc.get_referents(obj):
            yield held
            if type(held).__module__ == "itertools":
                yield from gc.get_referents(held)

    def test_pool_of_combinations(self):
        for kind in (itertools.combinations, itertools.permutations,
                     itertools.combinations_with_replacement):
            with self.subTest(kind.__name__):
                pairs = Pairs((Thing(), 2, 3), (Thing(), 5, 6))
                it = kind(pairs.old, 2)
                next(it)
                self.remap(pairs)
                self.assertEqual(next(it)[1], 6 if kind is not
                                 itertools.combinations_with_replacement
                                 else 5)
                for other in (
                        (Thing(),), (Thing(), 2, 3, 4), [1, 2, 3], Thing()):
                    self.refused(Pairs(pairs.new, other), TypeError,
                                 "pool of .* must be a tuple of the same size")
                it = other = None

    def test_result_that_is_used_again(self):
        """Of another size, it stays."""
        it = itertools.pairwise([1, 2, 3])
        result, = [x for x in gc.get_referents(it) if type(x) is tuple]
        pairs = Pairs(result, (7, 8, 9))
        result = None
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(list(it), [(1, 2), (2, 3)])

    def test_pools_of_product(self):
        for other in ((), (Thing(),), [4, 5], Thing(), 5):
            with self.subTest(other=other):
                pairs = Pairs((1, 2, Thing()), other)
                it = itertools.product(pairs.old, pairs.old)
                for _ in range(6):
                    next(it)
                self.remap(pairs)
                if isinstance(other, tuple):
                    left = len(list(it))
                    self.assertLessEqual(left, 3)
                else:
                    with self.assertRaisesRegex(TypeError, "must be a tuple"):
                        next(it)
                    self.assertEqual(list(it), [])
                it = None

    def test_product_state(self):
        pairs = Pairs((1, 2, Thing()), [])
        it = itertools.product(pairs.old)
        self.remap(pairs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with self.assertRaises(TypeError):
                it.__setstate__((1,))

    def test_items_of_zip_longest(self):
        pairs = Pairs(iter([1]), Thing())
        it = itertools.zip_longest([1, 2], pairs.old)
        self.remap(pairs)
        with self.assertRaisesRegex(TypeError, "not an iterator"):
            next(it)

    def test_iterators_of_zip_longest_stay(self):
        """It takes them out of its tuple when they are exhausted."""
        it = itertools.zip_longest([1], [1, 2], [1, 2, 3])
        iterators, = [x for x in gc.get_referents(it) if type(x) is tuple
                      and x[0] is not None]
        pairs = Pairs(iterators, (iter([7]), iter([8]), iter([9])))
        iterators = None
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(len(list(it)), 3)
        self.assertEqual(len(list(zip(*pairs.new))), 1)

    def test_saved_of_cycle(self):
        it = itertools.cycle([1, 2, 3])
        for _ in range(5):
            next(it)
        saved, = [x for x in gc.get_referents(it) if type(x) is list]
        pairs = Pairs(saved, [Thing()])
        saved = None
        self.remap(pairs)
        self.assertIs(next(it), pairs.new[0])
        self.assertIs(next(it), pairs.new[0])
        pairs.new.clear()
        self.assertEqual(list(it), [])

    def test_step_of_count(self):
        class Int(int):
            pass
        pairs = Pairs(Int(1), 5)
        it = itertools.count(0, pairs.old)
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(list(itertools.islice(it, 3)), [0, 1, 2])
        pairs = Pairs(fresh_int(), 5)
        it = itertools.count(0, pairs.old)
        self.remap(pairs)
        self.assertEqual(list(itertools.islice(it, 3)), [0, 5, 10])

    def test_current_group(self):
        pairs = Pairs.swap(itertools.groupby("aab"), itertools.groupby("xxy"))
        groups = [next(pairs.old)[1], next(pairs.new)[1]]
        self.remap(pairs)
        self.assertEqual([[*group] for group in groups], [[], []])
        self.assertEqual([[key, *group] for key, group in pairs.old],
                         [["b", "b"]])
        self.assertEqual([[key, *group] for key, group in pairs.new],
                         [["y", "y"]])

    def test_groupby(self):
        pairs = Pairs(itertools.groupby([1, 1, 2]), itertools.groupby([5, 5]))
        next(pairs.new)
        group = next(pairs.old)[1]
        self.refused(Pairs(pairs.old, Thing()), TypeError,
                     "parent of .* must be a groupby object")
        self.remap(pairs)
        self.assertEqual(list(group), [])

    def test_tee(self):
        a, b = itertools.tee(iter(range(5)))
        next(a)
        data, = gc.get_referents(b)[-1:]
        other, = itertools.tee(iter("abc"), 1)
        shorter, = gc.get_referents(other)[-1:]
        self.refused(Pairs(data, shorter), TypeError, "read as far")
        self.refused(Pairs(data, Thing()), TypeError, "read as far")
        next(other)
        pairs = Pairs(data, shorter)
        data = shorter = None
        self.remap(pairs)
        self.assertEqual(list(a), ["b", "c"])
        self.assertEqual(list(b), ["a", "b", "c"])

    def test_tee_at_work(self):
        run_script(self, """
            import gc, itertools

            class It:
                def __iter__(self):
                    return self
                def __next__(self):
                    try:
                        gc.remap([(data, other)])
                    except TypeError:
                        refused.append(1)
                    return 5

            refused = []
            a, = itertools.tee(It(), 1)
            b, = itertools.tee(iter("abc"), 1)
            def data_of(it):
                return gc.get_referents(it)[-1]
            class Holder: pass
            data = data_of(a); other = data_of(b)
            for _ in range(100):
                next(a, None)
            assert refused
            list(b)
            gc.collect()
        """)


class OperatorTests(RemapTestCase):

    def test_index_of_itemgetter(self):
        """It is an index into tuples only while the item is an int."""
        items = tuple(range(5000))
        pairs = Pairs(int("1000"), int("2000"))
        get = operator.itemgetter(pairs.old)
        self.assertEqual(get(items), 1000)
        self.remap(pairs)
        self.assertEqual(get(items), 2000)
        pairs = Pairs(pairs.new, slice(3, 5))
        self.remap(pairs)
        self.assertEqual(get(items), (3, 4))
        pairs = Pairs(pairs.new, fresh_int())
        self.remap(pairs)
        with self.assertRaises(IndexError):
            get(items)

    def test_index_of_itemgetter_after_an_error(self):
        class Bad:
            def __hash__(self):
                raise ZeroDivisionError
        items = tuple(range(5000))
        pairs = Pairs(int("1000"), int("2000"), Thing(), Bad())
        get = operator.itemgetter(pairs.old)
        d = {pairs.old_at(1): 1}
        self.refused(pairs, ZeroDivisionError)
        self.assertEqual(get(items), 1000)
        d = None

    def test_items(self):
        pairs = Pairs.things()
        get = operator.itemgetter(pairs.old, 1)
        self.remap(pairs)
        self.assertEqual(get({pairs.new: 5, 1: 6}), (5, 6))
        items, = [x for x in gc.get_referents(get) if type(x) is tuple]
        for other in ((1,), [1, 2], Thing()):
            self.refused(Pairs(items, other), TypeError,
                         "item of .* must be a tuple of the same size")
        items = other = None

    def test_attributes(self):
        get = operator.attrgetter("real.imag", "imag")
        names, = [x for x in gc.get_referents(get) if type(x) is tuple]
        chain = names[0]
        self.refused(Pairs(names, ("real",)), TypeError, "of the same size")
        self.remap(Pairs(chain, 5), references=None)
        names = chain = None
        with self.assertRaises(TypeError):
            get(1)

    def test_arguments_of_methodcaller(self):
        """They are not kept from one call to the next."""
        class Method:
            def method(self, *args, **kwargs):
                return args, kwargs
        pairs = Pairs.things(2)
        call = operator.methodcaller("method", pairs.old)
        named = operator.methodcaller("method", 1, key=pairs.old_at(1))
        for _ in range(2):
            self.assertEqual(call(Method()), ((pairs.old,), {}))
            self.assertEqual(named(Method()),
                             ((1,), {"key": pairs.old_at(1)}))
        self.remap(pairs)
        for _ in range(2):
            self.assertEqual(call(Method()), ((pairs.new,), {}))
            self.assertEqual(named(Method()),
                             ((1,), {"key": pairs.new_at(1)}))

    def test_many_arguments_of_methodcaller(self):
        class Method:
            def method(self, *args):
                return args
        for count in range(12):
            call = operator.methodcaller("method", *range(count))
            self.assertEqual(call(Method()), tuple(range(count)))

    def test_name_and_keywords_of_methodcaller(self):
        class Str(str):
            pass
        pairs = Pairs(Str("upper"), Str("lower"), Str("key"), 5)
        call = operator.methodcaller(pairs.old)
        self.refused(Pairs(pairs.old, Thing()), TypeError, "name of .* must be str")
        named = operator.methodcaller("method", **{pairs.old_at(1): 1})
        self.remap(pairs)
        self.assertEqual(call("Abc"), "abc")
        with self.assertRaises(TypeError):
            repr(named)
        class Method:
            def method(self, *args, **kwargs):
                return args, kwargs
        with self.assertRaisesRegex(TypeError, "keywords must be strings"):
            named(Method())

    def test_freed_argument(self):
        run_script(self, """
            import gc, operator
            class Method:
                def method(self, arg, key):
                    return arg, key
            class Thing: pass
            old, new = Thing(), Thing()
            calls = [operator.methodcaller("method", old, old),
                     operator.methodcaller("method", old, key=old)]
            for call in calls:
                call(Method())
            gc.remap([(old, new)])
            junk = [Thing() for _ in range(100)]
            for call in calls:
                assert call(Method()) == (new, new)
        """)


class StructTests(RemapTestCase):

    def test_format_stays_with_its_codes(self):
        pairs = Pairs(fresh_bytes(b"<ii"), fresh_bytes(b"<iii"))
        s = struct.Struct(pairs.old)
        self.remap(pairs, left_behind=(1,))
        self.assertEqual((s.format, s.size), ("<ii", 8))
        pairs = Pairs(pairs.old, fresh_bytes(b"<ii"))
        self.remap(pairs)

    def test_iterator(self):
        pairs = Pairs(struct.Struct("<i"), struct.Struct("<f"))
        it = pairs.old.iter_unpack(bytearray(12))
        next(it)
        self.refused(Pairs(pairs.old, struct.Struct("<ii")), TypeError,
                     "so of .* must be a Struct of the same size")
        self.refused(Pairs(pairs.old, Thing()), TypeError, "of the same size")
        self.remap(pairs)
        self.assertEqual(list(it), [(0.0,), (0.0,)])

    def test_buffer_stays(self):
        pairs = Pairs(bytearray(12), bytearray(1))
        it = struct.iter_unpack("<i", pairs.old)
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(len(list(it)), 3)

    def test_cache(self):
        struct._clearcache()
        struct.pack("<3i5b", 1, 2, 3, 4, 5, 6, 7, 8)
        cached, = [x for x in gc.get_objects() if type(x) is struct.Struct
                   and x.format == "<3i5b"]
        self.remap(Pairs(cached, Thing()), references=None)
        cached = None
        self.assertEqual(struct.calcsize("<3i5b"), 17)
        self.assertEqual(len(struct.pack("<3i5b", 1, 2, 3, 4, 5, 6, 7, 8)), 17)
        struct._clearcache()


class JSONTests(RemapTestCase):

    def encoder(self, markers, encode):
        return _json.make_encoder(markers, str, encode, None, ": ", ", ",
                                  False, False, True)

    def test_c_function_of_the_encoder(self):
        """It follows the encoder, there and back."""
        pairs = Pairs(Thing(), lambda text: "'new'")
        pairs.list[0] = (_json.encode_basestring, pairs.new)
        names = dict(vars(_json))
        encode = self.encoder({}, pairs.old)
        self.assertEqual(encode(["\xe4"], 0), ('["\xe4"]',))
        others = [d for d in gc.get_referrers(pairs.old)
                  if isinstance(d, dict)]
        gc.remap(pairs.list)
        try:
            self.assertEqual(encode(["a"], 0), ("['new']",))
        finally:
            gc.remap([(pairs.new, pairs.old)])
        self.assertEqual(encode(["\xe4"], 0), ('["\xe4"]',))
        self.assertIs(vars(_json)["encode_basestring"],
                      names["encode_basestring"])
        others = names = None

    def test_fields(self):
        markers, encode = {}, self.encoder
        pairs = Pairs(markers, [], fresh_str("::"), Thing())
        made = _json.make_encoder(pairs.old, str, str, None, pairs.old_at(1),
                                  ",", False, False, True)
        markers = None
        self.refused(Pairs(pairs.old, []), TypeError, "markers of .* must be dict")
        self.refused(Pairs(pairs.old_at(1), 5), TypeError,
                     "key_separator of .* must be str")
        self.remap(Pairs(pairs.old_at(1), fresh_str("=>")), references=None)
        self.assertEqual(made({"a": 1}, 0), ("{a=>1}",))

    def test_while_encoding(self):
        class Odd:
            pass
        pairs = Pairs(Odd(), Odd())
        def default(obj):
            gc.remap(pairs.list)
            return "x"
        text = json.dumps([pairs.old, [pairs.old]], default=default)
        self.assertEqual(text, '["x", ["x"]]')


class CSVTests(RemapTestCase):

    def test_dialect(self):
        pairs = Pairs(csv.reader([], delimiter=";").dialect,
                      csv.reader([], delimiter=",").dialect)
        reader = csv.reader(iter(["a;b,c"] * 2), pairs.old)
        out = io.StringIO()
        writer = csv.writer(out, pairs.old)
        self.assertEqual(next(reader), ["a", "b,c"])
        for other in (Thing(), "excel", csv.excel):
            self.refused(Pairs(pairs.old, other), TypeError,
                         "dialect of .* must be a Dialect")
        self.remap(pairs)
        self.assertEqual(next(reader), ["a;b", "c"])
        writer.writerow([1, 2])
        self.assertEqual(out.getvalue(), "1,2\r\n")
        other = None

    def test_line_terminator(self):
        pairs = Pairs(fresh_str("\r\n\r\n"), fresh_str("\n!"))
        out = io.StringIO()
        writer = csv.writer(out, lineterminator=pairs.old)
        self.refused(Pairs(pairs.old, 5), TypeError, "must be str")
        self.remap(pairs)
        writer.writerow("ab")
        self.assertEqual(out.getvalue(), "a,b\n!")


class Pickled:
    """Equal if the name is."""

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return self.name == other.name

    __hash__ = None


class PicklerMemoTests(RemapTestCase):
    """The memo is a table keyed by address."""

    def memo(self, pickler):
        return {id(x): n for n, x in pickler.memo.copy().values()}

    def test_found_under_the_new_address(self):
        for count in (1, 5, 100):
            with self.subTest(count=count):
                pairs = Pairs()
                pairs.list = [(Pickled(f"old{i}"), Pickled(f"new{i}"))
                              for i in range(count)]
                out = io.BytesIO()
                pickler = _pickle.Pickler(out)
                pickler.dump([pairs.old_at(i) for i in range(count)])
                numbers = self.memo(pickler)
                old_numbers = [numbers[id(old)] for old, new in pairs.list]
                gc.remap(pairs.list)
                numbers = self.memo(pickler)
                self.assertEqual([numbers[id(new)] for old, new in pairs.list],
                                 old_numbers)
                size = out.tell()
                pickler.dump([new for old, new in pairs.list])
                self.assertLess(out.tell() - size, 25 + 3 * count)
                unpickler = _pickle.Unpickler(io.BytesIO(out.getvalue()))
                first, second = unpickler.load(), unpickler.load()
                self.assertTrue(all(map(operator.is_, first, second)))
                self.assertEqual(len(first), count)
                first = second = old = new = None
                pickler = unpickler = numbers = None

    def test_swap(self):
        pairs = Pairs.swap(Pickled("a"), Pickled("b"))
        pickler = _pickle.Pickler(io.BytesIO())
        pickler.dump([pairs.old, pairs.new])
        before = self.memo(pickler)
        gc.remap(pairs.list)
        after = self.memo(pickler)
        self.assertEqual(before[id(pairs.old)], after[id(pairs.new)])
        self.assertEqual(before[id(pairs.new)], after[id(pairs.old)])

    def test_both_in_the_memo(self):
        """The numbers of later objects do not change."""
        pairs = Pairs(Pickled("a"), Pickled("b"))
        out = io.BytesIO()
        pickler = _pickle.Pickler(out)
        pickler.dump([pairs.old, pairs.new])
        size = len(pickler.memo.copy())
        late = max(n for n, x in pickler.memo.copy().values()
                   if x is pairs.new)
        result = gc.remap(pairs.list)
        self.assertEqual(result.collisions, 1)
        self.assertEqual(len(pickler.memo.copy()), size)
        self.assertEqual(self.memo(pickler)[id(pairs.new)], late)
        other = Pickled("c")
        pickler.dump([pairs.new, other, other])
        unpickler = _pickle.Unpickler(io.BytesIO(out.getvalue()))
        first, second = unpickler.load(), unpickler.load()
        self.assertIs(second[0], first[1])
        self.assertIs(second[1], second[2])
        self.assertEqual(second[1].name, "c")
        other = first = second = None

    def test_after_an_error(self):
        class Bad:
            def __hash__(self):
                raise ZeroDivisionError
        pairs = Pairs(Pickled("a"), Pickled("b"), Thing(), Bad(),
                      Pickled("c"), Pickled("d"))
        d = {pairs.old_at(1): 1}
        pickler = _pickle.Pickler(io.BytesIO())
        pickler.dump([pairs.old, pairs.new, pairs.old_at(2)])
        before = self.memo(pickler)
        self.refused(pairs, ZeroDivisionError)
        self.assertEqual(self.memo(pickler), before)
        d = None

    def test_while_pickling(self):
        run_script(self, """
            import gc, io, pickle
            class Thing:
                def __init__(self, name):
                    self.name = name
            class Remaps:
                def __reduce__(self):
                    gc.remap([(things[i], Thing(i)) for i in range(0, 50, 2)])
                    gc.remap([(things[1], things[3])])
                    return str, ()
            things = [Thing(i) for i in range(50)]
            everything = [things, Remaps(), list(things), Remaps(), things,
                          {"a": things}, Remaps()]
            text = pickle.dumps(everything)
            loaded = pickle.loads(text)
            assert len(loaded[0]) == len(loaded[2]) == 50
            things = everything = None
            gc.collect()
        """)

    def test_used_before_it_is_repaired(self):
        run_script(self, """
            import _pickle, gc, io

            class Thing:
                pass

            class Uses:
                def __hash__(self):
                    for i in range(10):
                        pickler.dump([new for old, new in pairs])
                        pickler.dump([Thing() for _ in range(20 * i)])
                        pickler.dump([old for old, new in pairs])
                    if fails:
                        1 / 0
                    return 5

            for fails in range(2):
                pairs = [(Thing(), Thing()) for _ in range(20)]
                pickler = _pickle.Pickler(io.BytesIO())
                pickler.dump([old for old, new in pairs])
                uses = [(Thing(), Uses()) for _ in range(2)]
                keyed = [{old: 1} for old, new in uses]
                for _ in range(3):
                    try:
                        gc.remap(uses + pairs)
                    except ZeroDivisionError:
                        assert fails
                    pickler.dump([Thing() for _ in range(500)])
                gc.remap([(new, old) for old, new in pairs])
                pickler.memo.copy()
                pickler.dump([Thing() for _ in range(1500)])
                pickler.dump(pairs)
                uses = keyed = pairs = pickler = None
                gc.collect()
        """)

    def test_proxy(self):
        pickler, other = (_pickle.Pickler(io.BytesIO()) for _ in range(2))
        other.dump([[]])
        pairs = Pairs(pickler, other)
        pickler = other = None
        proxy = pairs.old.memo
        self.refused(Pairs(pairs.old, Thing()), TypeError,
                     "pickler of .* must be a Pickler")
        self.remap(pairs)
        self.assertEqual(len(proxy.copy()), 2)

    def test_unpickler(self):
        class File(io.BytesIO):
            pass
        file = File(pickle.dumps([Pickled("a")], 3) + pickle.dumps("x", 0))
        unpickler = _pickle.Unpickler(file)
        unpickler.load()
        old, = [x for x in unpickler.memo.copy().values()
                if isinstance(x, Pickled)]
        pairs = Pairs(old, 5)
        old = None
        self.remap(pairs)
        self.assertIn(5, unpickler.memo.copy().values())
        stack, = [x for x in gc.get_referents(unpickler)
                  if type(x).__name__ == "Pdata"]
        pairs = Pairs(stack, Thing())
        stack = None
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(unpickler.load(), "x")


    def test_stack_of_an_unpickler(self):
        class Unpickler(_pickle.Unpickler):
            def persistent_load(unpickler, name):
                old, = [x for x in unpickler.memo.copy().values()
                        if isinstance(x, Pickled)]
                pairs = [[old, Pickled("new")]]
                del old
                result = gc.remap(pairs)
                self.assertEqual(result.left_behind, (1,))
                return pairs[0][1]

        class Pickler(_pickle.Pickler):
            def persistent_id(self, value):
                return value if value is marker else None
        marker = "marker"
        file = io.BytesIO()
        once = Pickled("old")
        Pickler(file).dump([once, marker, once])
        file.seek(0)
        first, new, third = Unpickler(file).load()
        self.assertEqual(first.name, "old")
        self.assertIs(third, new)


class QueueTests(RemapTestCase):

    def test_around_the_end(self):
        q = queue.SimpleQueue()
        for i in range(6):
            q.put(i)
        for i in range(6):
            q.get()
        pairs = Pairs.things(7)
        for old, new in pairs.list:
            q.put(old)
        old = new = None
        self.remap(pairs)
        for i in range(7):
            self.assertIs(q.get(), pairs.new_at(i))


class Zone(datetime.tzinfo):

    def __init__(self, hours):
        self.hours = hours

    def utcoffset(self, _):
        return datetime.timedelta(hours=self.hours)

    def dst(self, _):
        return None


class ByOffset(datetime.tzinfo):
    """Hashed by its offset, which it has in something."""

    def __init__(self, held):
        self.held = held

    def offset(self):
        return self.held if isinstance(self.held, datetime.timedelta) \
            else [*self.held][0]

    def utcoffset(self, moment):
        return self.offset()

    def __hash__(self):
        return hash(self.held)

    def __eq__(self, other):
        return self.held == other.held


class Sub(datetime.datetime):
    pass


class DatetimeTests(RemapTestCase):
    """The collector does not know a datetime, whose tzinfo may be anybody's."""

    def zones(self):
        return Pairs(Zone(1), Zone(5))

    def test_tzinfo(self):
        class Sub(datetime.datetime):
            pass
        for kind in (datetime.datetime, Sub):
            for make in (lambda x: [x], lambda x: (x,), lambda x: {"a": (x,)}):
                with self.subTest(kind=kind):
                    pairs = self.zones()
                    holder = make(kind(2020, 1, 1, tzinfo=pairs.old))
                    self.remap(pairs)
                    when = holder
                    while type(when) is not kind:
                        when = [*(when.values() if type(when) is dict
                                  else when)][0]
                    self.assertIs(when.tzinfo, pairs.new)
                    self.assertEqual(when, kind(2020, 1, 1, tzinfo=pairs.new))

    def test_tzinfo_of_a_time(self):
        pairs = self.zones()
        holder = [datetime.time(3, tzinfo=pairs.old)]
        self.remap(pairs)
        self.assertIs(holder[0].tzinfo, pairs.new)

    def test_hash(self):
        pairs = self.zones()
        moments = [datetime.datetime(2020, 1, 1, 12, tzinfo=pairs.old),
                   datetime.time(12, tzinfo=pairs.old)]
        table = {moment: "value" for moment in moments}
        frozen = frozenset(moments)
        nested = {(moments[0],): 1}
        hash(frozen)
        # Three tables, and what two moments know of their own hash.
        self.remap(pairs, rehashed=3 + 2)
        for moment, kind, args in zip(moments, (datetime.datetime, datetime.time),
                                      ((2020, 1, 1, 12), (12,))):
            equal = kind(*args, tzinfo=pairs.new)
            self.assertEqual(hash(moment), hash(equal))
            self.assertEqual(table[equal], "value")
            self.assertIn(equal, frozen)
            self.assertNotIn(kind(*args, tzinfo=Zone(1)), table)
        self.assertEqual(frozen, frozenset(moments))
        self.assertEqual(hash(frozen), hash(frozenset(moments)))
        self.assertIn((moments[0],), nested)

    def moments(self, zone):
        return [datetime.datetime(2020, 1, 1, 12, tzinfo=zone),
                datetime.time(12, tzinfo=zone), Sub(2020, 1, 1, 12, tzinfo=zone)]

    def check_found(self, zone, moments, table, nested):
        for moment, equal in zip(moments, self.moments(zone)):
            self.assertEqual(moment, equal)
            self.assertEqual(hash(moment), hash(equal))
            self.assertIn(equal, table)
            self.assertIn((equal, 1), nested)

    def test_hash_of_a_tzinfo_that_stays(self):
        for nest in (lambda x: x, lambda x: (x,), lambda x: frozenset([x])):
            with self.subTest(nest=nest(None)):
                pairs = Pairs(datetime.timedelta(hours=1),
                              datetime.timedelta(hours=5))
                zone = ByOffset(nest(pairs.old))
                moments = self.moments(zone)
                table, nested = set(moments), {(x, 1): None for x in moments}
                zones = {zone}
                result = gc.remap(pairs.list)
                self.assertIs(zone.offset(), pairs.new)
                self.assertIn(ByOffset(nest(pairs.new)), zones)
                self.check_found(zone, moments, table, nested)
                # Three tables, and what three moments know of their own hash.
                self.assertGreaterEqual(result.rehashed, 3 + 3)

    def test_hash_of_a_tzinfo_whose_class_is_replaced(self):
        class Later(ByOffset):
            def utcoffset(self, moment):
                return super().utcoffset(moment) + datetime.timedelta(hours=2)

            def __hash__(self):
                return ~super().__hash__()
        pairs = Pairs(type("Old", (ByOffset,), {}), Later)
        zone = pairs.old(datetime.timedelta(hours=1))
        moments = self.moments(zone)
        table, nested = set(moments), {(x, 1): None for x in moments}
        gc.remap(pairs.list)
        self.assertIs(type(zone), Later)
        self.check_found(zone, moments, table, nested)

    def test_class_of_a_tzinfo_that_is_hashed_by_identity(self):
        def zone_class(hours):
            class Zone(datetime.tzinfo):
                def utcoffset(self, moment):
                    return datetime.timedelta(hours=hours)
            return Zone
        for how in "remap", "assignment":
            with self.subTest(how):
                pairs = Pairs(zone_class(1), zone_class(5))
                zone = pairs.old()
                moment = datetime.datetime(2020, 1, 1, tzinfo=zone)
                table = {moment: 1}
                if how == "remap":
                    gc.remap(pairs.list)
                else:
                    zone.__class__ = pairs.new
                self.assertIs(type(zone), pairs.new)
                # It keeps the hash that it knows, so it is found itself.
                self.assertIn(moment, table)
                again = datetime.datetime(2020, 1, 1, tzinfo=zone)
                self.assertEqual(again, moment)
                self.assertNotIn(again, table)

    def test_hash_of_a_tzinfo_is_undone(self):
        class Raises(datetime.timedelta):
            def __hash__(self):
                if armed:
                    raise ZeroDivisionError
                return super().__hash__()
        armed = []
        pairs = Pairs(datetime.timedelta(hours=1), Raises(hours=5))
        zone = ByOffset(pairs.old)
        moments = self.moments(zone)
        table, nested = set(moments), {(x, 1): None for x in moments}
        hashes = [*map(hash, moments)]
        # Found after the others: that of a moment is known by then.
        fails = {(moments[0], pairs.old): None}
        armed.append(None)
        with self.assertRaises(ZeroDivisionError):
            gc.remap(pairs.list)
        self.assertEqual([*map(hash, moments)], hashes)
        self.check_found(zone, moments, table, nested)
        self.assertIn((moments[0], datetime.timedelta(hours=1)), fails)

    def test_moments_that_become_equal(self):
        pairs = self.zones()
        d = {datetime.datetime(2020, 1, 1, 12, tzinfo=pairs.old): 1,
             datetime.datetime(2020, 1, 1, 12, tzinfo=pairs.new): 2}
        gc.remap(pairs.list)
        self.assertEqual([*d.values()], [2])

    def test_undone(self):
        class Raises(Zone):
            def utcoffset(self, _):
                raise ZeroDivisionError
        pairs = Pairs(Zone(1), Raises(5))
        moment = datetime.datetime(2020, 1, 1, tzinfo=pairs.old)
        table = {moment}
        with self.assertRaises(ZeroDivisionError):
            gc.remap(pairs.list)
        self.assertIs(moment.tzinfo, pairs.old)
        self.assertIn(datetime.datetime(2020, 1, 1, tzinfo=Zone(1)), table)

    def test_it_must_be_one(self):
        for new in (None, Thing(), Zone):
            pairs = Pairs(Zone(1), new)
            moment = datetime.datetime(2020, 1, 1, tzinfo=pairs.old)
            self.refused(pairs, TypeError,
                         "tzinfo of .*datetime.* must be datetime.tzinfo")
            self.assertIs(moment.tzinfo, pairs.old)

    def test_its_class_must_be_one(self):
        class Old(datetime.tzinfo):
            def utcoffset(self, moment):
                return datetime.timedelta(0)

        class New: pass

        class Below(Old): pass
        moments = [datetime.datetime(2000, 1, 1, tzinfo=zone)
                   for zone in (Old(), Below())]
        with self.assertRaisesRegex(TypeError, "layout"):
            gc.remap([[Old, New]])
        self.assertEqual(*[moment.utcoffset() for moment in moments])

        class New(datetime.tzinfo):
            def utcoffset(self, moment):
                return datetime.timedelta(hours=1)
        gc.remap([[Old, New]])
        for moment in moments:
            self.assertEqual(moment.utcoffset(), datetime.timedelta(hours=1))

    def test_zones_of_the_library(self):
        pairs = Pairs(zoneinfo.ZoneInfo.no_cache("Europe/Paris"),
                      datetime.timezone(datetime.timedelta(hours=9)))
        moment = datetime.datetime(2020, 1, 1, tzinfo=pairs.old)
        self.remap(pairs)
        self.assertEqual(moment.utcoffset(), datetime.timedelta(hours=9))


class DecimalTests(RemapTestCase):

    def test_current_context(self):
        pairs = Pairs(decimal.Context(prec=5), decimal.Context(prec=7))
        with decimal.localcontext():
            decimal.setcontext(pairs.old)
            if self.reached(pairs):
                self.assertIs(decimal.getcontext(), pairs.new)
                self.assertEqual(str(decimal.Decimal(1) / 3), "0.3333333")
            decimal.setcontext(decimal.Context())

    def test_current_context_must_be_one(self):
        run_script(self, """
            import contextvars, decimal, gc
            decimal.setcontext(decimal.Context())
            gc.remap([(decimal.getcontext(), [1, 2])])
            for var, value in contextvars.copy_context().items():
                if isinstance(value, decimal.Context):
                    var.set([1, 2])     # could not be reached
            tried = 0
            for f in (lambda: decimal.Decimal(1) / 3,
                      lambda: decimal.Decimal("1.5"),
                      decimal.getcontext, decimal.localcontext):
                try:
                    f()
                except TypeError as e:
                    assert "must be a Context" in str(e), e
                    tried += 1
            assert tried >= 3, tried
            decimal.setcontext(decimal.Context())
            assert decimal.Decimal(1) / 2
        """)

    def test_classes_of_signals(self):
        module = sys.modules["_decimal"]
        signals, = [t for t in gc.get_referents(module)
                    if type(t) is tuple and decimal.Inexact in t]
        pair = [[signals, None]]
        del signals
        for new in (), pair[0][0][::-1]:
            pair[0][1] = new
            result = gc.remap(pair)
            self.assertGreaterEqual(result.left_behind[0], 1)
            self.assertIn(decimal.Inexact, decimal.getcontext().flags)
            self.assertIn(decimal.Inexact, [*decimal.getcontext().flags])

    def test_signals_stay_with_their_context(self):
        context = decimal.Context()
        pairs = Pairs(context.flags, {})
        self.remap(pairs, left_behind=(1,))
        self.assertIs(context.flags, pairs.old)

    def test_manager(self):
        manager = decimal.localcontext()
        local = manager.__enter__()
        manager.__exit__(None, None, None)
        pairs = Pairs(local, Thing())
        local = None
        self.refused(pairs, TypeError, "local of .* must be a Context")

    def test_templates(self):
        pairs = Pairs(decimal.BasicContext, Thing())
        self.refused(pairs, TypeError, "basic_context_template of .* must be")


class CacheTests(RemapTestCase):
    """What a C module files under a key that comes to be another one."""

    def test_struct(self):
        for make in fresh_str, lambda text: fresh_bytes(text.encode()):
            with self.subTest(make=make):
                struct._clearcache()
                old = make("<3i")
                self.assertEqual(struct.calcsize(old), 12)
                pairs = Pairs(old, make("<3q"))
                del old
                gc.remap(pairs.list)
                self.assertEqual(struct.calcsize(pairs.new), 24)
                self.assertEqual(len(struct.pack(pairs.new, 1, 2, 3)), 24)
        struct._clearcache()

    def test_names_of_hash_functions(self):
        print(run_script(self, """
            import gc, hmac, _hashlib
            names = "openssl_sha512", "openssl_sha256"
            gc.remap([[getattr(_hashlib, name) for name in names]])
            for name in names:
                made = hmac.new(b"key", b"text", getattr(_hashlib, name))
                assert (made.name, made.digest_size) == ("hmac-sha256", 32)
            """), end="")

    def test_key_of_a_zone(self):
        old, new = fresh_str("Europe/Berlin"), fresh_str("Asia/Tokyo")
        for cls in zoneinfo.ZoneInfo, type("Z", (zoneinfo.ZoneInfo,), {}):
            with self.subTest(cls=cls):
                cls.clear_cache()
                zone = cls(old)
                self.refused(Pairs(old, new), TypeError,
                             "must be the key of its zone")
                self.refused(Pairs(old, 5), TypeError,
                             "must be the key of its zone")
                same = fresh_str("Europe/Berlin")
                gc.remap([(old, same)])
                self.assertIs(zone.key, same)
                gc.remap([(same, old)])
                self.assertIs(cls("Europe/Berlin"), zone)
                cls.clear_cache()

    def test_offsets_of_zones(self):
        when = datetime.datetime(2020, 1, 1)
        zoneinfo.ZoneInfo.clear_cache()
        offset = zoneinfo.ZoneInfo("Europe/Berlin").utcoffset(when)
        one = datetime.timedelta(hours=1)
        for new in datetime.timedelta(hours=5), 5:
            pairs = Pairs(offset, new)
            gc.remap(pairs.list)
            self.assertEqual(
                zoneinfo.ZoneInfo.no_cache("Europe/Paris").utcoffset(when), one)
            gc.remap([(new, offset)] if new != 5 else [])

    def test_names_that_a_parser_has_met(self):
        # An entry of the parser's own dict, like any other.
        parser = ET.XMLPullParser(["start"])
        parser.feed("<root><item/>")
        old = [e.tag for _, e in parser.read_events()][1]
        new = fresh_str("entry")
        pairs = Pairs(old, new)
        del old
        gc.remap(pairs.list)
        parser.feed("<item/><other/></root>")
        self.assertEqual([e.tag for _, e in parser.read_events()],
                         ["entry", "other"])


class ModuleStateTests(RemapTestCase):
    """What a module has made is of the types in its state, and not of those in
    the state of another module of the same definition."""

    uses = {
        "_collections": ("x = deque('ab')", "x + x; x.copy(); iter(x)"),
        "itertools": ("import copy; x = groupby('ab'); y = tee('abc')",
                      "list(next(x)[1]); tee(y[0]); copy.copy(y[1])"),
        "_functools": ("x = partial(max, 1); y = cmp_to_key(lambda a, b: 0)",
                       "x(2); partial(x, 3)(4); y(1) < y(2)"),
        "_operator": ("import copy; x = attrgetter('a')", "copy.copy(x)"),
        "_decimal": ("x = Decimal(1)", "x == x; x + x; getcontext()"),
        "_struct": ("x = Struct('i')", "x.pack(1); [*x.iter_unpack(b'1234')]"),
        "array": ("x = array('i', [1])", "x + x; x[:] = x; iter(x)"),
        "_elementtree": ("x = Element('a'); SubElement(x, 'b')",
                         "[*x.iter()]; x.append(Element('c')); x[:]"),
        "_asyncio": ("import asyncio; loop = asyncio.new_event_loop(); x = Future(loop=loop)",
                     "x.set_result(1); repr(x); loop.close()"),
        "_sqlite3": ("x = connect(':memory:')",
                     "[*x.execute('select 1')]; x.cursor(); x.close()"),
        "_ctypes": ("import ctypes; x = ctypes.c_int(1); y = (ctypes.c_int * 2)(1, 2)",
                    "x.value; y[:]; ctypes.pointer(x)[0]"),
        "_zoneinfo": ("x = ZoneInfo('UTC')", "repr(x); ZoneInfo('UTC')"),
        "_datetime": ("x = datetime(2000, 1, 1)",
                      "x.isocalendar(); x - x; "
                      "datetime.fromisoformat('2000-01-01T00:00:00+01:00')"),
        "_pickle": ("import io; x = Pickler(io.BytesIO())",
                    "x.dump([1]); x.memo = x.memo"),
        "_io": ("import os; x = open(os.devnull); y = BytesIO(b'ab')",
                "x.read(); x.close(); y.getbuffer().release(); open(1, 'wb', "
                "closefd=False).close()"),
        "_csv": ("import io; x = writer(io.StringIO())", "x.writerow([1]); reader(['a'])"),
        "_random": ("x = Random()", "x.random(); x.getstate()"),
        "_queue": ("x = SimpleQueue()", "x.put(1); x.get()"),
        "_thread": ("import gc; x = RLock(); y = _local()",
                    "x.acquire(); y.a = 1; allocate_lock().acquire(); "
                    "y.a; start_new_thread(gc.collect, ())"),
        "_sre": ("import re; x = re.compile('a(b)')",
                 "x.scanner('ab').match().group(); x.sub('', 'ab')"),
        "_hashlib": ("x = openssl_sha256()", "x.copy(); new('md5')"),
        "zlib": ("x = compressobj()", "x.copy(); decompressobj()"),
        "pyexpat": ("x = ParserCreate()", "x.Parse('<a/>', True)"),
        "_abc": ("import abc; x = abc.ABCMeta('A', (), {})",
                 "x.register(int); isinstance(1, x)"),
        "posix": ("x = stat('/')", "[*scandir('/')]; stat('/'); x.st_mode"),
        "time": ("x = gmtime(0)", "localtime(); asctime(x)"),
        "_socket": ("x = socket()", "x.close(); socket().close()"),
        "_ssl": ("x = _SSLContext(PROTOCOL_TLS_CLIENT)",
                 "x._wrap_bio(MemoryBIO(), MemoryBIO(), False)"),
        "select": ("x = poll()", "x.register(0); poll()"),
        "_contextvars": ("x = ContextVar('x')", "x.set(1); copy_context()"),
        "_typing": ("import typing", "typing.TypeVar('T'); typing.List[int]"),
        "_weakref": ("x = {1}", "ref(x); proxy(x); getweakrefcount(x)"),
        "_bisect": ("x = [1]", "bisect_left(x, 1); insort_left(x, 2)"),
        "_heapq": ("x = [1]", "heappush(x, 0)"),
        "_json": ("import json", "json.dumps({'a': [1]}); json.loads('[1, {}]')"),
        "_lsprof": ("x = Profiler()", "x.enable(); x.disable(); x.getstats()"),
        "mmap": ("x = mmap(-1, 10)", "x[:1]; x.close()"),
        "unicodedata": ("x = ucd_3_2_0", "x.name('a'); normalize('NFC', 'a')"),
        "_multibytecodec": (
            "import codecs, io; x = codecs.getincrementalencoder('gbk')()",
            "x.encode('a'); codecs.lookup('gbk').streamreader(io.BytesIO())"),
        "_lzma": ("x = LZMACompressor()", "x.compress(b'a'); x.flush()"),
        "_bz2": ("x = BZ2Compressor()", "x.compress(b'a'); x.flush()"),
        "binascii": ("x = hexlify(b'a')", "a2b_hex(x); crc32(x)"),
        "_locale": ("x = localeconv()", "localeconv(); setlocale(LC_ALL)"),
        "signal": ("x = getsignal(SIGINT)", "signal(SIGINT, x)"),
        "atexit": ("register(int)", "register(str); unregister(int)"),
        "gc": ("x = get_count()", "collect(); get_objects()"),
    }

    def check_module(self, name):
        make, use = self.uses[name]
        for state in "executed", "not executed", "executed in part":
            with self.subTest(module=name, state=state):
                out = run_script(self, f"""
                    import collections, copyreg, gc, importlib.util, numbers, sys
                    import {name} as module
                    spec = importlib.util.find_spec({name!r})
                    other = importlib.util.module_from_spec(spec)
                    if {state!r} != "not executed":
                        there = dict(sys.modules)
                        if {state!r} == "executed in part":
                            for each in "numbers", "collections", "copyreg":
                                sys.modules[each] = None
                        try:
                            spec.loader.exec_module(other)
                        except Exception as error:
                            pass
                        sys.modules.update(there)
                    space = dict(vars(module))
                    exec({make!r}, space)
                    pair = [[module, other]]
                    del module, other
                    gc.remap(pair)
                    exec({use!r}, space)
                    gc.collect()
                    """)
                self.assertEqual(out, "")

    @no_leak_check("starts processes")
    def test_modules(self):
        for name in self.uses:
            if importlib.util.find_spec(name):
                self.check_module(name)


class FoundOutOnceTests(RemapTestCase):
    """What a C module has found out when something was set."""

    def test_converters_of_arguments(self):
        # The function that from_param was is what has been looked up.
        class A(ctypes.c_int):
            @classmethod
            def from_param(cls, value):
                return ctypes.c_int(1)

        class B(ctypes.c_int):
            @classmethod
            def from_param(cls, value):
                return ctypes.c_int(2)
        function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x)
        function.argtypes = [A]
        pairs = Pairs(A, B)
        del A, B
        gc.remap(pairs.list)
        self.assertEqual([*function.argtypes], [pairs.new])
        self.assertEqual(function(0), 1)
        function.argtypes = function.argtypes
        self.assertEqual(function(0), 2)

    def test_adapter_of_a_builtin_type(self):
        # As by storing into sqlite3.adapters: register_adapter() alone makes
        # the module look for adapters of int.
        print(run_script(self, """
            import gc, sqlite3
            class Number: pass
            sqlite3.register_adapter(Number, lambda x: "adapted")
            gc.remap({Number: int})
            assert (int, sqlite3.PrepareProtocol) in sqlite3.adapters
            with sqlite3.connect(":memory:") as con:
                get = lambda x: con.execute("select ?", (x,)).fetchone()[0]
                assert get(5) == 5
                sqlite3.register_adapter(complex, str)
                assert get(5) == 5
                sqlite3.register_adapter(float, str)
                assert get(5) == "adapted"
            """), end="")

    def test_file_of_faulthandler(self):
        # The module writes to its file descriptor.
        print(run_script(self, """
            import faulthandler, gc, tempfile
            with (tempfile.TemporaryFile() as old, tempfile.TemporaryFile()
                  as new):
                faulthandler.enable(old)
                pair = [[old, new]]
                del old
                result = gc.remap(pair)
                assert result.left_behind == (1,), result
                assert "file of 'module' object" in repr(result), result
                faulthandler.disable()
            """), end="")

    def test_call_of_an_alias(self):
        # With and without vectorcall.
        class Callable:
            def __call__(self, *args):
                return "instance", args

        def function(*args):
            return "function", args
        for old, new in ((function, Callable()), (Callable(), function)):
            alias = types.GenericAlias(old, int)
            self.assertEqual(alias(1), old(1))
            pairs = Pairs(old, new)
            del old
            self.remap(pairs, references=None)
            self.assertEqual(alias(1), new(1))


class RecordsByAddressTests(RemapTestCase):

    def test_pointer_type_without_a_target(self):
        # Filed under the id() of the class.
        out = run_script(self, """
            import ctypes, gc
            old = ctypes.POINTER("no such target")
            class New(old.__base__): pass
            class Target(ctypes.Structure): pass
            gc.remap([[old, New]])
            assert old is New
            try:
                ctypes.SetPointerType(New, Target)
            except RuntimeError as error:
                print(error)
            """)
        self.assertIn("What's this", out)

    def test_code_that_is_being_profiled(self):
        f = eval("lambda: 1")
        pairs = Pairs(f.__code__, eval("lambda: 2").__code__)
        profile = cProfile.Profile()
        with profile:
            f()
            # The profile, which no traversal knows of, keeps the old code.
            self.remap(pairs, left_behind=(1,))
            f(), f()
        calls = {id(entry.code): entry.callcount for entry in profile.getstats()}
        self.assertEqual(calls[id(pairs.old)], 1)
        self.assertEqual(calls[id(pairs.new)], 2)

    def test_where_an_object_was_allocated(self):
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        pairs = Pairs(Thing("old"),
                      Thing("new"))
        holder = [pairs.old]

        def line(obj):
            return tracemalloc.get_object_traceback(obj)[0].lineno

        old, new = map(line, pairs.list[0])
        self.remap(pairs)
        self.assertEqual(new, old + 1)
        self.assertEqual(line(holder[0]), new)


class TypingTests(RemapTestCase):

    def test_type_variable(self):
        pairs = Pairs.things(4)
        var = typing.TypeVar("T", bound=pairs.old, default=pairs.old_at(1))
        alias = typing.TypeAliasType("A", pairs.old_at(2))
        spec = typing.ParamSpec("P", bound=pairs.old_at(3))
        self.remap(pairs)
        self.assertIs(var.__bound__, pairs.new)
        self.assertIs(var.__default__, pairs.new_at(1))
        self.assertIs(alias.__value__, pairs.new_at(2))
        self.assertIs(spec.__bound__, pairs.new_at(3))

    def test_parameters_of_an_alias(self):
        var = typing.TypeVar("T")
        pairs = Pairs((var,), (typing.TypeVar("S"),))
        alias = typing.TypeAliasType("A", list, type_params=pairs.old)
        self.refused(Pairs(pairs.old, [var]), TypeError,
                     "type_params of .* must be tuple")
        self.remap(pairs)
        self.assertIs(alias.__parameters__, pairs.new)


if __name__ == "__main__":
    main()
