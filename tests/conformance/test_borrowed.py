"""gc.remap() and native code up the stack.

C code may use an argument or an item that it has merely borrowed from a stack
or a container.  A remap takes the last references to such an object away: it
must be kept alive until the native frames that were active have returned.
"""

import functools
import gc
import itertools
import operator
import pathlib
import pickle
import subprocess
import sys
import tempfile
import textwrap
import warnings
from xml.etree import ElementTree

from support import Pairs, RemapTestCase, Thing, main, no_leak_check, run_script


class BorrowedTests(RemapTestCase):
    """Native code up the stack uses objects that it has only borrowed; the
    remap takes the last references to them away."""

    def test_items_under_comparison(self):
        class Item:
            def __init__(self, value):
                self.value = value

            def __eq__(self, other):
                if armed:
                    armed.clear()
                    gc.remap([(self, Item(5)), (other, Item(6))])
                    gc.collect()
                return self.value == other.value
        for kind in list, tuple, lambda x: dict(enumerate(x)):
            with self.subTest(kind=kind):
                armed = [True]
                one, two = kind([Item(1), Item(2)]), kind([Item(1), Item(2)])
                # The comparison sees the new objects' values.
                self.assertFalse(one == two)
                self.assertEqual(one[0].value, 5)
                self.assertEqual(two[0].value, 6)

    def test_search(self):
        class Item:
            def __eq__(self, other):
                if armed:
                    armed.clear()
                    gc.remap([(self, Thing("new"))])
                    gc.collect()
                return False
            __hash__ = None
        for kind in list, tuple, lambda x: iter(x):
            for search in (lambda c: 1 in c,
                           lambda c: c.index(1), lambda c: c.count(1)):
                with self.subTest(kind=kind):
                    armed = [True]
                    container = kind([Item(), Item()])
                    try:
                        self.assertFalse(search(container))
                    except (ValueError, AttributeError):
                        pass

    def test_key_under_comparison(self):
        class Item:
            def __init__(self, name):
                self.name = name

            def __hash__(self):
                return 1

            def __eq__(self, other):
                if armed:
                    armed.clear()
                    gc.remap([(self, Item("new"))])
                    gc.collect()
                return False
        for make in (dict.fromkeys, set):
            with self.subTest(make=make):
                armed = []
                table = make([Item("old")])
                armed = [True]
                self.assertFalse(Item("probe") in table)
                self.assertEqual(len(table), 1)
                self.assertIn(list(table)[0].name, ("old", "new"))
                self.assertSetSound(table)

    def test_sort(self):
        class Item:
            def __init__(self, value):
                self.value = value

            def __lt__(self, other):
                if armed:
                    armed.clear()
                    gc.remap([(self, Item(100)), (other, Item(101))])
                    gc.collect()
                return self.value < other.value
        armed = [True]
        items = [Item(i) for i in (3, 1, 2)]
        items.sort()
        # Items that the sort holds where nobody sees them are left behind.
        self.assertEqual(len(items), 3)
        armed = []
        self.assertEqual(len(sorted(items)), 3)

    def test_sort_key(self):
        pairs = Pairs.things()
        items = [pairs.old, 1, 2]

        def key(item):
            if item == 1:
                result.append(gc.remap(pairs.list))
            return str(item)
        result = []
        items.sort(key=key)
        # While it is sorted the list is empty, and its items are out of reach.
        self.assertEqual(result[0].left_behind, (1,))
        self.assertEqual(items, [1, 2, pairs.old])

    def test_key_function_that_replaces_its_argument(self):
        out = run_script(self, '''
            import gc
            class Item:
                def __init__(self, value):
                    self.value = value
                    self.pad = [1] * 20
            class New:
                def __init__(self, value):
                    self.value = value
            def vanish(*olds):
                gc.remap([(old, New(old.value)) for old in olds])
                del olds
                gc.collect()
                return [bytearray(n) for n in range(1, 600)]
            def key(item):
                value = item.value
                vanish(item)
                return value
            def items(n):
                return [Item(i * 7 % n) for i in range(n)]
            for use in (lambda n: sorted(items(n), key=key),
                        lambda n: sorted((x for x in items(n)), key=key),
                        lambda n: sorted(tuple(items(n)), key=key, reverse=True),
                        lambda n: items(n).sort(key=key),
                        lambda n: [min(items(n), key=key)],
                        lambda n: [max(*items(n), key=key)]):
                for n in 2, 3, 10:
                    for item in use(n) or ():
                        # A sort hides the items of its list from a remap.
                        assert type(item) in (Item, New), item
                        assert item.value in range(n)
            print("alive")
            ''')
        self.assertEqual(out, "alive\n")

    def test_reduce_and_map(self):
        def add(a, b):
            if b == 2:
                gc.remap([(holder[0], [10, 20, 30, 40])])
                gc.collect()
            return a + b
        holder = [[1, 2, 3]]
        self.assertEqual(functools.reduce(add, holder[0]), 1 + 2 + 30 + 40)
        holder = [[1, 2, 3]]
        self.assertEqual(list(map(add, holder[0], [2, 1, 1])), [3, 21, 31])

    def test_repr_of_a_container(self):
        class Item:
            def __repr__(self):
                if armed:
                    armed.clear()
                    gc.remap([(self, "new")])
                    gc.collect()
                return "item"
        for kind in list, tuple, lambda x: dict(enumerate(x)):
            with self.subTest(kind=kind):
                armed = [True]
                text = repr(kind([Item(), Item()]))
                self.assertIn("item", text)

    def test_container_under_repr(self):
        class Item:
            def __repr__(self):
                gc.remap([(holder[0], holder[1])])
                gc.collect()
                return "item"
        for make in (list, tuple, lambda x: dict(enumerate(x)),
                     lambda x: dict(zip("abcdef", x))):
            with self.subTest(make=make):
                holder = [make([Item(), 1, 2]), make([3])]
                self.assertIn("item", repr(holder[0]))
                # Nobody believes that the new one is being shown.
                self.assertNotIn("...", repr(holder[0]))

    def test_attribute_of_a_dying_owner(self):
        # The method's own object and class lose their last references.
        class Old:
            def method(self):
                gc.remap([(holder[0], Thing("new"))])
                gc.collect()
                return type(self)
        holder = [Old()]
        self.assertIs(holder[0].method(), Thing)
        self.assertEqual(holder[0].name, "new")

    def test_function_that_removes_itself(self):
        def f(*args):
            gc.remap([(holder[0], print)])
            gc.collect()
            return [i + len(args) for i in range(3)]
        holder = [f]
        del f
        self.assertEqual(list(map(holder[0], [1])), [[1, 2, 3]])
        self.assertIs(holder[0], print)


@no_leak_check("nothing of it happens in this process")
class TakenOverTests(RemapTestCase):
    """Native code borrows a reference from a field, calls Python, and then
    takes over what the field has: that may be another object now."""

    def check(self, kind, use):
        """use(old) calls a method of old, in which it is replaced."""
        pairs = Pairs(kind(), kind())
        pairs.old.pairs = pairs
        control = Pairs(kind(), kind())
        use(pairs.list[0][0])
        self.assertIsNone(pairs.old.pairs)
        gc.collect()
        for side in "old", "new":
            counts = [sys.getrefcount(getattr(p, side))
                      for p in (pairs, control)]
            self.assertEqual(*counts, side)

    class Replaced:
        pairs = None

        def replace(self):
            pairs, self.pairs = self.pairs, None
            if pairs is not None:
                # Not by its own variable.
                del self
                gc.remap(pairs.list)

    def test_sequence_iterator(self):
        class Sequence(self.Replaced):
            def __getitem__(self, index):
                self.replace()
                raise IndexError
        for use in (lambda s: self.assertEqual([*iter(s)], []),
                    lambda s: self.assertEqual([*itertools.starmap(max, s)], []),
                    lambda s: self.assertEqual((*s,), ())):
            self.check(Sequence, use)

    def test_zip_longest(self):
        class Iterator(self.Replaced):
            def __iter__(self):
                return self

            def __next__(self):
                self.replace()
                raise StopIteration

        def held(it):
            tuples = [*itertools.zip_longest("ab", it)]
            self.assertEqual(tuples, [("a", None), ("b", None)])

        def used_again(it):
            for i, item in enumerate(itertools.zip_longest("ab", it)):
                self.assertEqual(item, ("ab"[i], None))
                del item
        self.check(Iterator, held)
        self.check(Iterator, used_again)

    def test_count(self):
        class Number(self.Replaced):
            def __float__(self):
                return 1.5

            def __add__(self, other):
                self.replace()
                return 5
        self.check(Number, lambda n: next(itertools.count(n, 2.5)))

        def twice(n):
            counter = itertools.count(n, 2.5)
            next(counter)
            self.assertEqual(next(counter), 5)
        self.check(Number, twice)

    def test_long_index_of_enumerate(self):
        class Index(int, self.Replaced):
            def __new__(cls):
                return super().__new__(cls, 2 ** 70)

            def __add__(self, other):
                self.replace()
                return 2 ** 71

        def use(index):
            it = enumerate("abc", 2 ** 69)
            first, = [x for x in gc.get_referents(it) if x == 2 ** 69]
            gc.remap([(first, index)])
            del first, index
            next(it)
            self.assertEqual(next(it), (2 ** 71, "b"))
        self.check(Index, use)

    def test_buffer_to_be_made_read_only(self):
        class Buffer(self.Replaced):
            def __buffer__(self, flags):
                self.replace()
                return memoryview(bytearray(b"abc"))
        data = pickle.dumps(pickle.PickleBuffer(b"abc"), protocol=5,
                            buffer_callback=[].append)

        def use(buffer):
            self.assertEqual(bytes(pickle.loads(data, buffers=[buffer])), b"abc")
        self.check(Buffer, use)


class AliveTests(RemapTestCase):
    """Programs of their own, with an allocator that spoils freed memory: most
    of them would read it if the old object were not kept alive."""

    prelude = """
        import collections, functools, gc, operator, types
        class New:
            def __init__(self, name="new"): self.name = name
        armed = []
        def vanish(*olds):
            # All references go away: those of the caller's frame as well.
            if armed:
                armed.clear()
                gc.remap([(old, New()) for old in olds])
                del olds
                gc.collect()
                junk = [bytearray(n) for n in range(1, 600)]
        class Item:
            def __init__(self): self.x = [1] * 10
            def meth(self, other):
                vanish(self, other)
                return NotImplemented
            __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = meth
            __add__ = __radd__ = __mul__ = __rmul__ = __or__ = __ror__ = meth
            __and__ = __rand__ = __mod__ = __rmod__ = __pow__ = meth
            __iadd__ = __divmod__ = __rdivmod__ = __matmul__ = meth
            def __hash__(self): return 1
        def attempt(f, *args):
            armed.append(True)
            try:
                result = f(*args)
            except TypeError:
                pass
            assert not armed, "not reached"
        """

    def run_script(self, source):
        out = run_script(self, textwrap.dedent(self.prelude)
                         + textwrap.dedent(source) + "\nprint('done')\n")
        self.assertEqual(out, "done\n")

    def test_comparison_of_tuples(self):
        self.run_script("""
            for op in (operator.eq, operator.ne, operator.lt, operator.ge):
                attempt(op, (Item(),), (Item(),))
                attempt(op, [Item()], [Item()])
                attempt(op, collections.deque([Item()]),
                        collections.deque([Item()]))
                if op in (operator.eq, operator.ne):
                    attempt(op, {1: Item()}, {1: Item()})
                    attempt(op, types.SimpleNamespace(x=Item()),
                            types.SimpleNamespace(x=Item()))
                attempt(op, slice(Item()), slice(Item()))
            """)

    def test_operators(self):
        self.run_script("""
            for name in ("add", "mul", "or_", "and_", "mod", "pow", "iadd",
                         "matmul", "eq", "lt"):
                op = getattr(operator, name)
                attempt(functools.reduce, op, [Item(), Item()])
                attempt(lambda: list(map(op, [Item()], [Item()])))
                attempt(functools.partial(op, Item(), Item()))
                attempt(functools.partial(op, Item()), Item())
                holder = [Item(), Item()]
                attempt(op, holder[0], holder[1])
                attempt(lambda a, b: op(a, b), Item(), Item())
            attempt(sum, [Item(), Item()], Item())
            attempt(lambda: Item() + Item())
            attempt(lambda: (Item(),) == (Item(),))
            """)

    def test_search(self):
        self.run_script("""
            for kind in (list, tuple, collections.deque):
                attempt(operator.contains, kind([Item()]), Item())
                attempt(operator.countOf, kind([Item()]), Item())
                for name in ("index", "count", "remove"):
                    if hasattr(kind, name):
                        try:
                            attempt(getattr(kind([Item()]), name), Item())
                        except ValueError:
                            pass
            for kind in (dict.fromkeys, set, frozenset):
                attempt(operator.contains, kind([Item()]), Item())
            attempt(lambda: {Item(): 1}.get(Item()))
            attempt(lambda: {Item(): 1} | {Item(): 2})
            attempt(lambda: {Item()} | {Item()})
            attempt(lambda: {Item()} & {Item()})
            """)

    def test_sort_and_extremes(self):
        self.run_script("""
            attempt(max, [Item(), Item()])
            attempt(max, Item(), Item())
            attempt(sorted, [Item(), Item()])
            attempt(lambda: [Item(), Item()].sort())
            attempt(sorted, [(Item(), 1), (Item(), 2)])
            """)

    def test_running_generator(self):
        # Its frame is a part of the object that loses its last reference.
        self.run_script("""
            def generate(value):
                vanish(holder.pop())
                yield value + 1
                yield value + 2
            def loop():
                for x in holder[0]:
                    seen.append(x)
            def consume(f):
                holder.append(generate(1))
                attempt(f, holder[0])
            for f in (list, tuple, sum, lambda g: next(g), iter, lambda g: [*g],
                      lambda g: [x for x in g], lambda g: "".join(map(str, g)),
                      lambda g: list(zip(g, g)), lambda g: dict(enumerate(g))):
                seen, holder = [], []
                if f is not iter:
                    consume(f)
            for i in range(300):
                holder, seen = [], []
                holder.append(generate(1))
                attempt(loop)
            """)

    def test_running_generator_that_is_delegated_to(self):
        self.run_script("""
            def inner(value):
                vanish(holder.pop())
                yield value + 1
            def outer():
                yield from holder[0]
            for i in range(100):
                holder = []
                holder.append(inner(1))
                attempt(list, outer())
            """)

    def test_running_coroutine(self):
        self.run_script("""
            async def inner(value):
                vanish(holder.pop())
                return value + 1
            async def outer():
                return await holder[0]
            def drive():
                c = outer()
                try:
                    c.send(None)
                except StopIteration:
                    pass
                c.close()
            for i in range(100):
                holder = []
                holder.append(inner(1))
                attempt(drive)
            """)

    def test_running_function(self):
        self.run_script("""
            def make():
                def f(x=[1, 2], *, y=[3]):
                    vanish(holder.pop())
                    return [x, y, [i for i in range(3)]]
                return f
            for call in (lambda f: f(), lambda f: list(map(f, [1])),
                         lambda f: functools.partial(f)(),
                         lambda f: sorted([1], key=f),
                         lambda f: property(f).__get__(1),
                         lambda f: types.MethodType(f, 1)(),
                         lambda f: staticmethod(f)(),
                         lambda f: functools.lru_cache(f)(),
                         lambda f: f.__get__(1)(),
                         lambda f: f.__call__(),
                         lambda f: type("C", (), {"__init__": f})):
                holder = [make()]
                if call.__code__.co_names[-1:] != ("type",):
                    attempt(call, holder[0])
                else:
                    holder.clear()
            """)

    def test_methods(self):
        self.run_script("""
            class Old:
                def __init__(self, n=0):
                    self.data = list(range(n))
                    if n:
                        vanish(self)
                def method(self, *args):
                    vanish(self)
                    return 1
                __call__ = __len__ = __index__ = __int__ = method
                __getitem__ = __contains__ = __exit__ = __del__ = method
                __setitem__ = __delitem__ = __getattr__ = method
                def __enter__(self): return self
                def __repr__(self):
                    vanish(self)
                    return "text"
                __str__ = __repr__
                def __format__(self, spec): return repr(self)
                def __bytes__(self):
                    vanish(self)
                    return b"text"
                def __bool__(self):
                    vanish(self)
                    return True
                def __iter__(self):
                    vanish(self)
                    return iter([1])
                def __float__(self):
                    vanish(self)
                    return 1.5
                def __hash__(self):
                    vanish(self)
                    return 7
                @property
                def prop(self):
                    vanish(self)
                    return 1
            del Old.__del__, Old.__getattr__
            for f in (len, repr, str, format, bytes, bool, list, int, float,
                      iter, hash, operator.index, operator.truth,
                      lambda o: o(), lambda o: o[1], lambda o: 1 in o,
                      lambda o: o.prop, lambda o: f"{o}", lambda o: "%s" % o,
                      lambda o: "%s" % (o,), lambda o: [*o], lambda o: (*o,),
                      lambda o: {o: 1}, lambda o: {o}, lambda o: {1: 2}.get(o),
                      lambda o: [1, 2][o], lambda o: not o, lambda o: o and 1,
                      lambda o: print(o, end="", file=open("/dev/null", "w")),
                      lambda o: operator.methodcaller("method")(o),
                      lambda o: operator.attrgetter("prop")(o),
                      lambda o: operator.itemgetter(1)(o),
                      lambda o: functools.partial(o)(),
                      lambda o: list(map(o, [1])), lambda o: max([o, o], key=o),
                      lambda o: "x".join(o) if 0 else o.method(),
                      lambda o: range(o), lambda o: dict.fromkeys(o),
                      lambda o: set(o), lambda o: frozenset([o]),
                      lambda o: (lambda *a: a)(*o), lambda o: repr([o]),
                      lambda o: repr((o,)), lambda o: repr({1: o}),
                      lambda o: repr({o}), lambda o: hash((o,)),
                      lambda o: hash(frozenset([o])), lambda o: any([o]),
                      lambda o: list(filter(None, [o])),
                      lambda o: o.__setitem__(1, 2), lambda o: o[1:2]):
                holder = [Old()]
                attempt(lambda: f(holder[0]))
                attempt(lambda: f(Old()))
            attempt(lambda: Old(5))
            attempt(lambda: list(map(Old, [5])))
            """)

    def test_class_of_a_running_method(self):
        self.run_script("""
            def make():
                class Meta(type):
                    def __call__(cls, *args):
                        return super().__call__(*args)
                class Old(metaclass=Meta):
                    def __init__(self, *args):
                        swap(type(self))
                    def method(self):
                        swap(type(self))
                        return super().__repr__()
                    __repr__ = method
                    def __getattr__(self, name):
                        swap(type(self))
                        raise AttributeError(name)
                    @classmethod
                    def make(cls):
                        swap(cls)
                        return cls
                return Old, Meta
            def swap(cls):
                if armed:
                    armed.clear()
                    gc.remap([(cls, make()[0])])
                    del cls
                    gc.collect()
                    junk = [bytearray(n) for n in range(1, 600)]
            for f in (lambda c: c(), lambda c: list(map(c, [1])),
                      lambda c: c.make(), lambda c: c.__new__(c).method(),
                      lambda c: repr([c.__new__(c)]),
                      lambda c: hasattr(c.__new__(c), "x"),
                      lambda c: functools.partial(c)()):
                holder = [make()[0]]
                attempt(lambda: f(holder[0]))
                attempt(lambda: f(make()[0]))
            """)

    def test_class_under_construction(self):
        self.run_script("""
            class Base:
                def __init_subclass__(cls):
                    vanish(cls)
            attempt(lambda: type("C", (Base,), {"x": 1}))
            class Descriptor:
                def __set_name__(self, owner, name):
                    vanish(self, owner)
            attempt(lambda: type("C", (), {"x": Descriptor()}))
            class Meta(type):
                def mro(cls):
                    try:
                        vanish(cls)
                    except RuntimeError as exc:
                        assert "while a class is made" in str(exc)
                        refused.append(True)
                    return super().mro()
            refused = []
            attempt(lambda: Meta("C", (), {}))
            assert refused
            """)

    def test_finalizer(self):
        self.run_script("""
            class Old:
                def __del__(self):
                    vanish(self)
            def f():
                o = Old()
                del o
            attempt(f)
            class Cycle(Old):
                def __init__(self): self.me = self
            def f():
                Cycle()
                gc.collect()
            attempt(f)
            """)

    def test_frames_of_exceptions(self):
        self.run_script("""
            class Error(Exception):
                def __init__(self, *args):
                    super().__init__(*args)
                    vanish_exception(self)
            def vanish_exception(exc):
                if armed:
                    armed.clear()
                    gc.remap([(exc, ValueError("new"))])
                    del exc
                    gc.collect()
            def f():
                try:
                    raise Error
                except Exception as exc:
                    return repr(exc)
            attempt(f)
            def f():
                try:
                    raise Error("x")
                finally:
                    pass
            try:
                attempt(f)
            except (ValueError, Error):
                pass
            """)

    def test_container_while_it_is_used(self):
        # The container itself goes while C code walks over it.
        self.run_script("""
            class Key:
                def __init__(self, o=None): self.o = o
                def __hash__(self): return 5
                def __eq__(self, other):
                    drop()
                    return False
                def __lt__(self, other):
                    drop()
                    return False
                def __repr__(self):
                    drop()
                    return "key"
                def __del__(self): pass
            def drop():
                if armed:
                    armed.clear()
                    gc.remap([(holder[0], type(holder[0])())])
                    gc.collect()
                    junk = [bytearray(n) for n in range(1, 600)]
            for kind in (list, tuple, set, frozenset, dict.fromkeys,
                         collections.deque, collections.OrderedDict.fromkeys):
                for use in (repr, lambda c: Key() in c, lambda c: c == kind([Key()]),
                            lambda c: list(c) == [Key()], sorted,
                            lambda c: c.count(Key()), lambda c: c.index(Key()),
                            lambda c: c.remove(Key()), lambda c: c.discard(Key()),
                            lambda c: c.pop(Key()), lambda c: c.get(Key()),
                            lambda c: c.setdefault(Key()), lambda c: c.copy() == c,
                            lambda c: c.update({Key(): 1}), lambda c: c.add(Key()),
                            lambda c: c | kind([Key()]), lambda c: c & kind([Key()]),
                            lambda c: c - kind([Key()]), lambda c: c < kind([Key()]),
                            lambda c: c.__setitem__(Key(), 1),
                            lambda c: c.move_to_end(Key())):
                    holder = [kind([Key(), 1.5, "x"])]
                    armed.append(True)
                    try:
                        use(holder[0])
                    except (TypeError, AttributeError, ValueError, KeyError,
                            RuntimeError, IndexError):
                        pass
                    armed.clear()
                    holder = [kind([Key(), 1.5, "x"])]
                    armed.append(True)
                    try:
                        (lambda: use(holder[0]))()
                    except (TypeError, AttributeError, ValueError, KeyError,
                            RuntimeError, IndexError):
                        pass
                    armed.clear()
            """)


@no_leak_check("programs of their own")
class UndoneTests(RemapTestCase):
    """Another thread borrows a replacement, and the change is undone."""

    prelude = """
        import gc, threading
        armed = False
        repairing, finish, undone, ready = [threading.Event() for _ in range(4)]
        class Old: pass
        class New:
            def __del__(self):
                freed.append(undone.is_set())
        class Key:
            def __init__(self, value):
                self.value = value
            def __hash__(self):
                if armed and threading.current_thread() is threading.main_thread():
                    repairing.set()
                    finish.wait()
                    raise ZeroDivisionError
                return 1
        class Waits:
            def __eq__(self, other):
                seen.append(type(other).__name__)
                del other
                finish.set()
                undone.wait()
                return NotImplemented
        def compare():
            ready.set()
            repairing.wait()
            seen.append((Waits(),) == t)
        class First:
            def __eq__(self, other):
                ready.set()
                repairing.wait()
                return True
        old = Old()
        t, two = (old,), (1, old)
        table = {Key(old): 1}
        seen, freed = [], []
        """

    def check(self, target):
        out = run_script(self, textwrap.dedent(self.prelude) + textwrap.dedent(f"""
            thread = threading.Thread(target={target})
            thread.start()
            ready.wait()
            armed = True
            try:
                gc.remap([(old, New())])
            except ZeroDivisionError:
                pass
            armed = False
            gc.collect()
            back = type(t[0]) is Old and next(iter(table)) in table
            undone.set()
            thread.join()
            gc.collect()
            # Not before, and not never.
            print(back, seen, freed)
            """))
        self.assertEqual(out, "True ['New', False] [True]\n")

    def test_call_that_begins_in_the_repair(self):
        self.check("compare")

    def test_call_that_is_under_way(self):
        self.check("lambda: seen.append((First(), Waits()) == two)")


class ReleasedTests(RemapTestCase):
    """Nothing is kept longer than until a call has returned."""

    prelude = """
        import gc, sys
        class Dies:
            alive = 0
            def __init__(self):
                Dies.alive += 1
            def __del__(self):
                Dies.alive -= 1
        def remap():
            box = [Dies()]
            gc.remap([(box[0], 5.5)])
        def go(label, kept=0):
            for i in range(3):
                remap()
                gc.collect()
            if Dies.alive != kept:
                print(label, Dies.alive)
        """

    def check(self, source):
        out = run_script(self, textwrap.dedent(self.prelude)
                         + textwrap.dedent(source))
        self.assertEqual(out, "")

    def test_call_that_is_made_again(self):
        self.check("""
            import asyncio, queue, threading
            async def main():
                for i in range(5):
                    remap()
                    await asyncio.sleep(0)
                    gc.collect()
                    await asyncio.sleep(0)
                    gc.collect()
                    if Dies.alive:
                        print("asyncio", Dies.alive)
            asyncio.run(main())
            def work():
                while (job := jobs.get()) is not None:
                    job()
            def job():
                done.release()
            jobs, done = queue.SimpleQueue(), threading.Semaphore(0)
            worker = threading.Thread(target=work)
            worker.start()
            for i in range(3):
                jobs.put(job)
                done.acquire()
                remap()
            jobs.put(job)
            done.acquire()
            gc.collect()
            # It may not yet wait again.
            if Dies.alive > 1:
                print("worker", Dies.alive)
            jobs.put(None)
            worker.join()
            go("after")
            """)

    def test_code_that_exec_runs(self):
        # As `python -m`, debuggers and consoles do, for as long as the program.
        source = """
            import functools, operator
            def nested():
                code = compile("go('nested')", "x", "exec")
                exec(code, globals())
            code = compile("go('exec()'); nested()", "x", "exec")
            exec(code)
            exec(code, globals=globals(), locals={})
            go("after")
            # Other C code is between them, or Python code where nobody knows it.
            for i, call in enumerate((
                    lambda: list(map(exec, [kept], [globals()])),
                    lambda: operator.call(exec, kept, globals()),
                    lambda: functools.partial(exec, kept, globals())(),
                    lambda: exec(*[kept]),
                    lambda: exec("go('source', 3)"))):
                kept = compile(f"go({i}, 3)", "x", "exec")
                call()
                go(f"after {i}")
            class Finalizes:
                def __del__(self):
                    go("finalizer", 3)
            def f():
                x = Finalizes()
            exec(f.__code__)
            go("after the finalizer")
            """
        self.check(source)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "program.py")
            path.write_text(textwrap.dedent(self.prelude)
                            + textwrap.dedent(source))
            out = subprocess.run([sys.executable, "-B", "-s", "-m", "program"],
                                 cwd=directory, text=True, capture_output=True)
            self.assertEqual((out.stdout, out.stderr, out.returncode), ("", "", 0))

    def test_many_for_one_call(self):
        self.check("""
            def many(_):
                for i in range(1000):
                    remap()
                if Dies.alive != 1000:
                    print("many", Dies.alive)
            list(map(many, [1]))
            gc.collect()
            if Dies.alive:
                print("after", Dies.alive)
            """)


class KeptTests(RemapTestCase):
    """What is kept for C code is not left behind."""

    def test_swaps_below_native_code(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        items = [pairs.old]
        results = list(map(lambda turn: gc.remap(pairs.list, strict=True),
                           range(4)))
        self.assertEqual({r.left_behind for r in results}, {(0, 0)})
        self.assertIs(items[0], pairs.list[0][0])
        gc.collect()


class Function(Thing):

    def __call__(self, *args):
        return self


class Text(str):
    pass


class Iterator(Thing):

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


class StoredAfterwardsTests(RemapTestCase):
    """Native code borrows a reference from a container or a field, runs Python
    code, in which it is replaced, and stores what it has borrowed.  That is the
    new object, or it was counted."""

    def setUp(self):
        self.strict = None

    def replace(self, holder, key, new):
        """What the Python code does, once."""
        if self.strict is None:
            self.strict = "refused"
            try:
                gc.remap([(holder[key], new)], strict=True)
            except RuntimeError:
                return
            self.strict = "passed"

    def check(self, stored, holder, key):
        """The holder has the old object if the remap was refused."""
        self.assertIsNotNone(self.strict)
        same = stored is holder[key]
        # An assertion that fails says what both are.
        self.assertTrue(same, (self.strict, stored, holder[key]))

    def finalizer(self, base, *replace):
        """A class of objects that do it as they go."""
        class Dies(base):
            def __del__(dying):
                self.replace(*replace)
        return Dies

    # --- ElementTree ---

    def test_stack_of_a_tree_builder(self):
        class Node:
            def __init__(node, tag, attrib=None):
                node.tag = tag
                node.children = []

            def append(node, child):
                node.children.append(child)
                if child.tag == "b":
                    self.replace(holder, 0, Node("new"))
        holder = []

        def factory(tag, attrib):
            node = Node(tag)
            if tag == "a":
                holder.append(node)
            return node
        builder = ElementTree.TreeBuilder(factory)
        builder.start("a", {})
        for tag in "bc":
            builder.start(tag, {})
            builder.end(tag)
        self.check(builder.end("a"), holder, 0)
        self.assertEqual(holder[0].children[-1].tag, "c")
        self.check(builder.close(), holder, 0)

    def test_text_for_an_element(self):
        class Node:
            found = None

            @property
            def text(node):
                self.replace(holder, 0, Node())

            @text.setter
            def text(node, text):
                node.found = text
        holder = [Node()]
        builder = ElementTree.TreeBuilder(lambda tag, attrib: holder[0])
        builder.start("a", {})
        builder.data("text")
        builder.end("a")
        self.assertIsNotNone(self.strict)
        self.assertEqual(holder[0].found, "text", self.strict)

    def test_setstate_of_an_element(self):
        # Each is replaced as the tag of before goes.
        for key, old, new in (("text", Thing("old"), Thing("new")),
                              ("tail", Thing("old"), Thing("new")),
                              ("attrib", {1: "old"}, {2: "new"}),
                              ("_children", [ElementTree.Element("old")],
                               [ElementTree.Element("new")])):
            with self.subTest(key):
                self.strict = None
                state = dict(tag="tag", text=None, tail=None, attrib={},
                             _children=[])
                state[key] = old
                del old
                Dies = self.finalizer(Thing, state, key, new)
                element = ElementTree.Element(Dies())
                element.__setstate__(state)
                if key == "_children":
                    self.check(element[0], state[key], 0)
                else:
                    self.check(getattr(element, key), state, key)

    def test_init_of_a_tree_builder(self):
        holder = {"pi_factory": Function()}
        builder = ElementTree.TreeBuilder(
            self.finalizer(Function, holder, "pi_factory", Function())())
        builder.__init__(None, **holder)
        self.check(builder.pi("a"), holder, "pi_factory")

    def test_target_of_a_parser(self):
        class Target:
            @property
            def start_ns(target):
                self.replace(holder, "target", Target())
                raise AttributeError

            def close(target):
                return target
        holder = {"target": Target()}
        parser = ElementTree.XMLParser(**holder)
        parser.feed("<a/>")
        self.check(parser.close(), holder, "target")

    def test_tag_of_a_new_element(self):
        class Attributes(dict):
            def __iter__(attributes):
                return iter(())

            def keys(attributes):
                self.replace(holder, 0, Thing("new"))
                return ()
        for make in (lambda *args: ElementTree.Element(*args),
                     lambda *args: ElementTree.SubElement(
                         ElementTree.Element("parent"), *args)):
            with self.subTest(make=make):
                self.strict = None
                holder = (Thing("old"), Attributes(a=1))
                self.check(make(*holder).tag, holder, 0)

    # --- Exceptions ---

    def test_os_error(self):
        class Number:
            def __index__(number):
                self.replace(holder, 1, Thing("new"))
                return 5
        holder = (11, Thing("old"), Number())
        self.check(BlockingIOError(*holder).strerror, holder, 1)

    def test_number_of_an_os_error(self):
        class Number(int):
            def __hash__(number):
                self.replace(holder, key, Thing("new"))
                return int(number)
        for key, name in (1, "strerror"), (2, "filename"), (4, "filename2"):
            with self.subTest(name):
                self.strict = None
                holder = [Number(2), "", "", 0, ""]
                holder[key] = Thing("old")
                holder = tuple(holder)
                self.check(getattr(OSError(*holder), name), holder, key)

    def test_exception_group(self):
        class Exceptions:
            def __getitem__(exceptions, index):
                if index:
                    raise IndexError
                self.replace(holder, 0, Text("new"))
                return ValueError()

            def __len__(exceptions):
                return 1
        holder = (Text("old"), Exceptions())
        self.check(ExceptionGroup(*holder).message, holder, 0)

    def test_init_of_an_import_error(self):
        for key in "path", "name_from":
            with self.subTest(key):
                self.strict = None
                holder = {"name": "new", key: Thing("old")}
                Dies = self.finalizer(Thing, holder, key, Thing("new"))
                error = ImportError(name=Dies())
                error.__init__(**holder)
                self.check(getattr(error, key), holder, key)

    def test_init_of_an_attribute_error(self):
        holder = {"name": "new", "obj": Thing("old")}
        Dies = self.finalizer(Thing, holder, "obj", Thing("new"))
        error = AttributeError(name=Dies())
        error.__init__(**holder)
        self.check(error.obj, holder, "obj")

    # --- Others ---

    def test_setstate_of_a_partial(self):
        class Arguments(tuple):
            def __iter__(arguments):
                self.replace(state, key, new)
                return iter(())
        for key, old, new in ((0, Function(), Function()),
                              (2, {"a": 1}, {"a": 2}),
                              (3, {"a": 1}, {"a": 2})):
            with self.subTest(key):
                self.strict = None
                state = [Function(), Arguments(), {}, {}]
                state[key] = old
                del old
                state = tuple(state)
                partial = functools.partial(print)
                partial.__setstate__(state)
                self.check((partial.func, None, partial.keywords,
                            partial.__dict__)[key], state, key)

    def setstate(self, iterator, state, key):
        """gc.get_referents() says what it has stored."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            iterator.__setstate__(state)
        found = any(x is state[key] for x in gc.get_referents(iterator))
        self.assertIsNotNone(self.strict)
        self.assertTrue(found, self.strict)

    def test_setstate_of_groupby(self):
        for key in 1, 2:
            with self.subTest(key):
                self.strict = None
                state = [1, 2, 3]
                state[key] = Thing("old")
                state = tuple(state)
                Dies = self.finalizer(Thing, state, key, Thing("new"))
                iterator = itertools.groupby([])
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    iterator.__setstate__((Dies(), 1, 2))
                self.setstate(iterator, state, key)

    def test_setstate_of_chain(self):
        state = (iter([1]), iter([2]))
        Dies = self.finalizer(Iterator, state, 1, iter([3]))
        self.setstate(itertools.chain.from_iterable(Dies()), state, 1)

    def test_setstate_with_a_number(self):
        class Number:
            def __index__(number):
                self.replace(state, 0, new)
                return 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old, new = [itertools.tee([i], 1)[0].__reduce__()[2][0]
                        for i in range(2)]
        state = (old, Number())
        del old
        self.setstate(itertools.tee([2], 1)[0], state, 0)

        self.strict = None
        new = ["new"]
        state = (["old"], Number())
        self.setstate(itertools.cycle([1]), state, 0)

    def test_union(self):
        class Argument:
            def __init__(argument, name):
                argument.name = name

            def __hash__(argument):
                return 1

            def __eq__(argument, other):
                if armed:
                    self.replace(*replace)
                return argument is other
        armed = False
        one, two = list[Argument("one")] | int, list[Argument("two")] | str
        holder = [two.__args__[0]]
        replace = holder, 0, list[Argument("new")]
        armed = True
        union = one | two
        armed = False
        self.check(union.__args__[2], holder, 0)

        self.strict = None
        holder = [list[Argument("one")]]
        replace = holder, 0, list[Argument("new")]
        armed = True
        union = holder[0] | two
        armed = False
        self.check(union.__args__[0], holder, 0)

    def test_arguments_of_a_methodcaller(self):
        class Other:
            def __getattr__(other, name):
                self.replace(holder, 0, Thing("new"))
                return stored.append
        stored = []
        holder = [Thing("old")]
        operator.methodcaller("store", holder[0])(Other())
        self.check(stored[0], holder, 0)


if __name__ == "__main__":
    main()
