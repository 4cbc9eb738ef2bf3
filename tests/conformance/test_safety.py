"""No program in pure Python may crash the interpreter with gc.remap().

Each case is a program of its own: what it must not do is die.
"""

import os
import subprocess
import sys
import textwrap

from support import RemapTestCase, main, no_leak_check, run_script


@no_leak_check("nothing of it happens in this process")
class SafetyTestCase(RemapTestCase):

    prelude = """
        import collections, functools, gc, itertools, operator, types
        class O: pass
        def remap(*pairs):
            try:
                return gc.remap(list(pairs))
            except (TypeError, ValueError, RuntimeError, RecursionError) as e:
                return e
        def attempt(f, *args):
            try:
                return f(*args)
            except Exception as e:
                return e
        def junk():
            gc.collect()
            return [bytearray(n) for n in range(1, 3000)]
        """

    def check(self, source):
        out = run_script(self, textwrap.dedent(self.prelude)
                         + textwrap.dedent(source) + "\nprint('alive')\n")
        self.assertEqual(out, "alive\n")


class SafetyTests(SafetyTestCase):

    def test_values_of_the_namespace_of_a_builtin_type(self):
        self.check("""
            def look():
                for i in range(50):
                    r = dict.__doc__, {}.__doc__, {}.get
                return r
            look()
            doc = vars(dict)["__doc__"]
            result = remap(({}.__doc__, "".join(["new", " doc"])))
            # Built-in types are immutable.
            assert result.left_behind == (1,), result
            junk()
            assert doc == "new doc"
            assert look()[0] == look()[1] == vars(dict)["__doc__"] != doc
            """)

    def test_values_of_the_namespace_of_an_immutable_type(self):
        self.check("""
            import array, collections
            for cls in collections.deque, array.array:
                assert cls.__flags__ & 1 << 8
                for name in "__len__", "append":
                    slot = vars(cls)[name]
                    result = remap((slot, lambda self, x=1: 77))
                    assert result.left_behind[0] >= 1, result
                    assert vars(cls)[name] is not slot     # exempt, as a pair
                o = cls("i") if cls is array.array else cls()
                o.append(1)
                class Sub(cls): pass
                assert len(o) == o.__len__() == 1 and not len(Sub("i"[:cls is
                    array.array]))
            """)

    def test_module_through_which_a_traceback_finds_the_source(self):
        self.check('''
            import io, sys
            sys.stderr, sys.modules["traceback"] = io.StringIO(), None
            remap((io, [1]))
            assert sys.modules["io"] == [1]
            try:
                exec(compile("1 / 0", "no_such_file.py", "exec"))
            except ZeroDivisionError as e:
                sys.excepthook(ZeroDivisionError, e, e.__traceback__)
            assert "no_such_file.py" in sys.stderr.getvalue()
            ''')

    def test_module_that_cannot_be_executed(self):
        self.check('''
            import array, sys
            remap((array, []), (sys.modules["collections.abc"], []))
            del sys.modules["array"]
            try:
                import array
            except AttributeError:
                pass
            else:
                assert False
            # A class of which one more reference is released than it has.
            for i in range(3):
                gc.collect()
            ''')

    def test_methods_of_a_builtin_type(self):
        self.check("""
            def use():
                for i in range(50):
                    l = [1, 2]
                    r = l.append(3), l.copy(), len(l)
                return r
            use()
            for name in "append", "copy", "__len__", "__iter__":
                old = [vars(list)[name]]
                new = [vars(list)["pop"]]
                result = remap((old[0], new[0]))
                assert result.left_behind >= (1,), result
                assert old[0] is new[0] is not vars(list)[name]
                junk()
                assert use() == (None, [1, 2, 3], 3)
            """)

    def test_tables_of_the_compiler(self):
        self.check("""
            import ast, textwrap, warnings
            def compiled(tree, *pairs):
                pairs = [*pairs]
                def show(*args):
                    if pairs:
                        remap(*pairs)
                        pairs.clear()
                warnings.showwarning = show
                warnings.simplefilter("always")
                namespace = {}
                exec(compile(tree, "x", "exec"), namespace)
                assert not pairs
                return namespace
            # Two constants become one.
            tree = ast.parse("a = 1.5; b = 2.5; c = 3.5; [1() for i in ()]; d = 4.5")
            values = [float(f"1.7{i}") for i in range(4)]
            for at, value in zip((0, 1, 2, 4), values):
                tree.body[at].value.value = value
            namespace = compiled(tree, (values[0], values[1]), (values[2], 5))
            assert {*"abcd"} < {*namespace}
            # Two arguments get one name, or something else than one.
            for new in 5, "other", None:
                tree = ast.parse(textwrap.dedent('''
                    1()
                    def f(a, b): return a, b
                    '''))
                tree.body[0] = ast.If(ast.Constant(0), [tree.body[0]], [])
                ast.fix_missing_locations(tree)
                names = ["".join(["na", f"me{i}"]) for i in range(2)]
                f = tree.body[1]
                for arg, item, name in zip(f.args.args, f.body[0].value.elts, names):
                    arg.arg = item.id = name
                f = compiled(tree, (names[0], new or names[1]))["f"]
                assert f(1, 2) == (1, 2)
                assert f.__code__.co_varnames == ("name0", "name1")
            # Names of a class, a pattern and a comprehension.
            tree = ast.parse(textwrap.dedent('''
                class C:
                    def m(self, *, k=lambda: 1()): self.attribute = [1() for x in ()]
                match 1:
                    case [x, *y] | [1.5, x, *y] if 1(): pass
                def f():
                    global g
                    g = [1() for x in ()]
                '''))
            strings = []
            for node in ast.walk(tree):
                for field, value in ast.iter_fields(node):
                    if type(value) is str:
                        strings.append("".join([value[:1], value[1:], "_"]))
                        setattr(node, field, strings[-1])
            namespace = compiled(tree, *[(s, i) for i, s in enumerate(strings)])
            assert namespace["C_"].m_.__kwdefaults__
            # What is going to be a constant of code is not found by the collector.
            shown, found = [], []
            def show(*args):
                shown.append(args)
                for x in gc.get_objects():
                    if type(x) is tuple and x == ("alp" + "ha", "be" + "ta"):
                        found.append(remap((x, 5)))
            warnings.showwarning = show
            namespace = {"f": lambda **kwargs: kwargs}
            exec(compile(textwrap.dedent('''
                def g():
                    return f(alpha=3, beta=4)
                    (lambda: 1())
                '''), "x", "exec"), namespace)
            assert shown and not found
            assert namespace["g"]() == {"alpha": 3, "beta": 4}
            # A program may have these lists when the compiler is done with them.
            import _symtable
            entry = _symtable.symtable("def f(a): pass", "x", "exec")
            assert gc.is_tracked(entry.varnames) and gc.is_tracked(entry.children)
            """)

    def test_what_counts_items_before_it_calls(self):
        self.check("""
            import ast, marshal, warnings
            class Item:
                def __init__(self, value):
                    self.value = value
                def __hash__(self):
                    return self.value
                def __eq__(self, other):
                    return self.value == other.value
                def __buffer__(self, flags):
                    if pairs:
                        remap(*pairs)
                        pairs.clear()
                    return memoryview(b"x")
            for swapped in [(2, 3), (1, 0)], [(0, 1), (1, 2), (2, 3)], [(3, 0)]:
                items = [Item(i * 7 + 3) for i in range(4)]
                pairs = [(items[a], items[b]) for a, b in swapped]
                attempt(marshal.dumps, frozenset(items))
                assert not pairs
            # The fields of a node that are still to be set.
            for new in "name", 5:
                names = ["".join(["na", f"me{i}"]) for i in range(40)]
                pairs = [(name, new) for name in names]
                class Meta(type):
                    @property
                    def _field_types(cls):
                        if pairs:
                            remap(*pairs)
                            pairs.clear()
                        return {}
                class Node(ast.AST, metaclass=Meta):
                    _fields = (*names,)
                warnings.simplefilter("ignore")
                attempt(Node)
                assert not pairs
            # The names of keyword arguments.
            names = ["".join(["fo", f"o{i}"]) for i in range(3)]
            def show(*args):
                remap(*[(name, i) for i, name in enumerate(names)])
                names.clear()
            warnings.showwarning = show
            warnings.simplefilter("always")
            class Node(ast.AST):
                _fields = ()
            e = attempt(lambda: Node(**{name: [] for name in names}))
            assert type(e) is TypeError and not names, e
            """)

    def test_tuple_that_holds_itself(self):
        self.check("""
            for make in (lambda x: (x, 1), lambda x: slice(x, 1),
                         lambda x: (slice(1, (x, 2)), 3),
                         lambda x: frozenset([x]), lambda x: (frozenset([x]),),
                         lambda x: types.MappingProxyType({1: x}),
                         lambda x: [x], lambda x: {1: x}):
                o = O()
                t = make(o)
                remap((o, t))
                for f in (hash, repr, len, list, lambda t: t == t,
                          lambda t: t == make(t), lambda t: t < t,
                          lambda t: t in {t: 1}, lambda t: {t},
                          lambda t: t == make(1)):
                    attempt(f, t)
                del o, t
                junk()
            """)

    def test_tuple_that_holds_itself_as_a_key(self):
        self.check("""
            for make in (lambda x: (x, 1), lambda x: slice(x, 1),
                         lambda x: frozenset([x])):
                o = O()
                t = make(o)
                d = {t: 1, 2: 3}
                remap((o, t))
                attempt(lambda: d[t])
                attempt(lambda: list(d))
                d.clear()
                del o, t
            """)

    def test_instance_hashed_by_value_that_holds_itself(self):
        self.check("""
            class V:
                def __init__(self, v): self.v = v
                def __hash__(self): return hash(self.v)
                def __eq__(self, other): return self.v == other.v
            o = O()
            v = V((o, 1))
            d = {v: 1, 2: 3}
            r = remap((o, v))
            assert isinstance(r, RecursionError), r
            assert v.v[0] is o and d[v] == 1
            """)

    def test_tuple_of_tuples_of_a_product(self):
        self.check("""
            for other in ((), (1,), [1, 2, 3], 5, {1: 2}):
                a = tuple([1, 2, 3])
                it = itertools.product(a, [4, 5])
                next(it)
                remap((a, other))
                del a
                junk()
                attempt(list, it)
            """)

    def test_pools_of_itertools(self):
        self.check("""
            for make in (itertools.combinations, itertools.permutations,
                         itertools.combinations_with_replacement):
                for other in ((), (1,), [1, 2, 3], 5):
                    a = tuple([1, 2, 3])
                    it = make(a, 2)
                    next(it)
                    remap((a, other))
                    del a
                    junk()
                    attempt(list, it)
            for make in (itertools.chain, itertools.cycle, itertools.accumulate,
                         itertools.pairwise, itertools.groupby, itertools.tee,
                         lambda i: itertools.islice(i, 3),
                         lambda i: itertools.zip_longest(i, [1]),
                         lambda i: itertools.takewhile(bool, i),
                         lambda i: itertools.dropwhile(bool, i),
                         lambda i: itertools.filterfalse(bool, i),
                         lambda i: itertools.starmap(max, i),
                         lambda i: itertools.compress(i, i),
                         lambda i: itertools.batched(i, 2)):
                for other in ((), [1], 5, O()):
                    a = iter([(1, 2), (2, 3), (3, 4)])
                    it = make(a)
                    attempt(next, it)
                    remap((a, other))
                    del a
                    junk()
                    if isinstance(it, tuple):
                        it = it[0]
                    attempt(list, itertools.islice(it, 10))
            """)

    # The unpatched interpreter dies of some objects that hold themselves, if
    # __init__() or __setstate__() is called once more: classmethod,
    # staticmethod, property, partial, chain.  Those are not tried here.

    def test_iterator_that_walks_over_itself(self):
        self.check("""
            for make in (lambda i: filter(None, i), lambda i: map(repr, i),
                         lambda i: zip(i), lambda i: enumerate(i),
                         lambda i: reversed([i]), lambda i: iter([i]),
                         lambda i: (x for x in i),
                         lambda i: itertools.islice(i, 9)):
                it = iter([1, 2, 3])
                f = make(it)
                remap((it, f))
                attempt(next, f)
                attempt(next, f)
                del it, f
            """)

    def test_method_of_itself(self):
        self.check("""
            for function in True, False:
                def g(*args): pass
                f = types.MethodType(g, 1) if function else g.__get__(O())
                remap((g if function else f.__self__, f))
                for use in (lambda: f(), lambda: f.name, lambda: repr(f),
                            lambda: hash(f), lambda: f == f,
                            lambda: f.__doc__, lambda: f.__name__,
                            lambda: f.__get__(1), lambda: f.__get__(1, int)(),
                            lambda: f.__reduce__()):
                    attempt(use)
                del f, g
            """)

    def test_two_methods_of_each_other(self):
        self.check("""
            def g(*args): pass
            a = types.MethodType(g, 1)
            b = types.MethodType(a, 1)
            remap((g, b))
            for use in (lambda: b(), lambda: b.name, lambda: repr(b),
                        lambda: hash(b)):
                attempt(use)
            """)

    def test_lru_cache(self):
        self.check("""
            for maxsize in (1, 2, 4, 16, None):
                for n in range(10):
                    @functools.lru_cache(maxsize=maxsize)
                    def f(*a, **k): return a
                    objs = [O() for _ in range(8)]
                    for i in range(4):
                        f(objs[i]); f(objs[i], 1); f(k=objs[i])
                    remap((objs[2], objs[5]), (objs[3], objs[0]))
                    for _ in range(5):
                        for o in objs:
                            assert f(o) == (o,)
                            assert f(o, 1) == (o, 1)
                            f(k=o)
                    remap((objs[1], objs[6]), (objs[6], objs[1]))
                    for _ in range(5):
                        for o in objs:
                            assert f(o) == (o,)
                            f(o, 1)
                    f.cache_clear()
                    gc.collect()
            """)

    def test_inner_parts_that_only_the_collector_shows(self):
        self.check("""
            @functools.lru_cache(maxsize=4)
            def cached(x): return x
            for i in range(6): cached(i)
            od = collections.OrderedDict([(1, 2), (3, 4)])
            local = __import__("threading").local()
            local.x = 1
            class C: x = 1
            c = C()
            c.a = 1
            def f(x=1):
                def g(): return x
                return g
            g = (i for i in [1, 2])
            next(g)
            subjects = [cached, od, local, C, c, f, f(), g, zip([1], [2]),
                        itertools.product([1], [2]), functools.partial(f, 1),
                        operator.itemgetter(1, 2), iter(od), od.items(),
                        map(f, [1]), types.SimpleNamespace(a=1), super(C, c),
                        list[int], memoryview(b"abc")]
            for subject in subjects:
                for deep in False, True:
                    parts = gc.get_referents(subject)
                    if deep:
                        parts = [q for p in parts
                                 if isinstance(p, (tuple, dict, list))
                                 for q in gc.get_referents(p)]
                    for i, part in enumerate(parts):
                        if (isinstance(part, (types.ModuleType, str, int,
                                              types.CodeType))
                                or callable(part) or part is globals()):
                            continue
                        remap((part, (5, (), {}, [1])[i % 4]))
                        attempt(lambda: subject())
                        attempt(lambda: next(subject))
                        attempt(lambda: repr(subject))
                        attempt(lambda: list(itertools.islice(subject, 3)))
                        attempt(lambda: [cached(i) for i in range(8)])
            """)

    def test_links_of_an_lru_cache(self):
        self.check("""
            for other in (5, O(), memoryview(b"abc"), ()):
                @functools.lru_cache(maxsize=2)
                def f(x): return x
                f(1); f(2)
                for d in gc.get_referents(f):
                    if type(d) is dict and 1 in d and 2 in d:
                        links = list(d.values())
                        del d
                        remap((links[0], other))
                        break
                links.clear()
                junk()
                for i in range(10):
                    attempt(f, (i + 1) % 4)
            """)

    def test_random_remaps(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "random_remaps.py")
        for seed in range(20):
            with self.subTest(seed=seed):
                done = subprocess.run(
                    [sys.executable, "-I", "-X", "dev", script, str(seed),
                     "600"], capture_output=True, text=True, timeout=300)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, "^alive: ")


class FoundOutMeanwhileTests(SafetyTestCase):
    """C code that asks Python code for what it will know from then on, and is
    told it of an object that has been replaced by the time it stores it."""

    def test_hash_of_a_weak_reference(self):
        self.check("""
            import weakref
            class Key:
                to = None
                def __init__(self, value): self.value = value
                def __eq__(self, other): return self.value == other.value
                def __hash__(self):
                    result, to, self.to = hash(self.value), self.to, None
                    if to: remap((self, to))
                    return result
            class Reference(weakref.ref): pass
            a, b = Key(1), Key(2)
            reference = weakref.ref(a)
            a.to = b
            hash(reference)
            assert a is b is reference()
            assert {Reference(b): 1}[reference] == 1
            """)

    def test_hash_of_a_moment(self):
        self.check("""
            import datetime
            class Zone(datetime.tzinfo):
                to = None
                def __init__(self, hours): self.hours = hours
                def dst(self, moment): return None
                def utcoffset(self, moment):
                    hours, to, self.to = self.hours, self.to, None
                    if to: remap((self, to))
                    return datetime.timedelta(hours=hours)
            for make in (lambda zone: datetime.datetime(2026, 1, 1, 12, tzinfo=zone),
                         lambda zone: datetime.time(12, tzinfo=zone)):
                a, b = Zone(1), Zone(2)
                moment = make(a)
                a.to = b
                hash(moment)
                assert moment.tzinfo is b
                assert {make(b): 1}[moment] == 1
            """)

    def test_parameters_of_an_alias(self):
        self.check("""
            import typing
            class Argument:
                to = None
                @property
                def __parameters__(self):
                    to, self.to = self.to, None
                    if to: remap((self, to))
                    return ()
            for make in (lambda x: list[x]), (lambda x: list[x] | None):
                for ask in (lambda a: a.__parameters__), (lambda a: attempt(lambda: a[int])):
                    T = typing.TypeVar("T")
                    x = Argument()
                    alias = make(x)
                    x.to = T
                    ask(alias)
                    assert alias == make(T)
                    assert alias.__parameters__ == (T,)
                    assert alias[int] == make(int)
            """)

    def test_whether_the_raw_file_is_one(self):
        self.check("""
            import io
            class Raw(io.RawIOBase):
                def readable(self): return True
                def writable(self): return True
                def seekable(self): return True
                def tell(self): return 0
                def readall(self): return b""
                def write(self, data): return len(data)
            class Last(io.FileIO):
                def __del__(self):
                    if pairs:
                        remap(*pairs)
                        pairs.clear()
            for kind in io.BufferedReader, io.BufferedWriter, io.BufferedRandom:
                pairs = []
                f = kind(Last("/dev/zero", "r+"))
                raw = io.FileIO("/dev/zero", "r+")
                other = Raw()
                pairs.append((raw, other))
                attempt(f.__init__, raw)
                assert not pairs and raw is other is f.raw
                other.close()
                assert f.closed
                if kind is io.BufferedWriter:
                    e = attempt(f.write, b"x")
                else:
                    e = attempt(f.read)
                assert type(e) is ValueError, e
            """)

    def test_where_the_raw_file_stands(self):
        self.check("""
            import io
            class Raw(io.RawIOBase):
                to = None
                def __init__(self, data, at): self.data, self.at = data, at
                def readable(self): return True
                def seekable(self): return True
                def tell(self):
                    at, to, self.to = self.at, self.to, None
                    if to: remap((self, to))
                    return at
                def seek(self, offset, whence=0):
                    self.at = offset + (0, self.at, len(self.data))[whence]
                    return Raw.tell(self)
                def readinto(self, b):
                    data = self.data[self.at:self.at + len(b)]
                    b[:len(data)] = data
                    self.at += len(data)
                    return len(data)
            for act in (lambda: f.tell()), (lambda: f.seek(30)):
                first, second = Raw(bytes(200), 100), Raw(bytes(range(200)), 50)
                f = io.BufferedReader(first)
                first.to = second
                act()
                assert f.raw is second
                f.read(1)
                f.seek(101)
                assert f.read(1) == b"e", f.tell()
            """)

    def test_buffer_of_a_text_stream_that_is_being_made(self):
        self.check("""
            import codecs, io, sys
            utf8 = codecs.lookup("utf-8")
            def decoder(errors="strict"):
                result.append(remap((f, g)))
                return utf8.incrementaldecoder(errors)
            def search(name):
                if name == "remapping":
                    return codecs.CodecInfo(
                        utf8.encode, utf8.decode, utf8.streamreader,
                        utf8.streamwriter, utf8.incrementalencoder, decoder)
            codecs.register(search)
            result = []
            f, g = open("/dev/zero", "rb"), open("/dev/null", "rb")
            raws = [f.raw, g.raw]
            t = io.TextIOWrapper(f, "remapping")
            assert t.buffer is g
            raws[0].close()
            assert t.read() == ""
            raws[1].close()
            del t
            f = g = None
            junk()
            # Of the list, the variable, and the call.
            assert [sys.getrefcount(raw) for raw in raws] == [3, 3]
            """)

    def test_pair_of_an_iterator_that_is_used_again(self):
        self.check("""
            import sys
            class Last:
                def __del__(self):
                    results.append(remap((self, other)))
            other, results = O(), []
            d = collections.OrderedDict(a=Last(), b=2)
            for items in d.items(), {"a": None, "b": 2}.items():
                count = sys.getrefcount(other)
                it = iter(items)
                next(it)
                d["a"] = None       # the pair has the last reference
                assert next(it) == ("b", 2)
                del it
                junk()
                assert sys.getrefcount(other) == count
            assert type(results[0]) is gc.RemapResult, results
            """)

    def test_generator_of_an_awaitable_that_is_closed(self):
        self.check("""
            async def second():
                try:
                    yield 1
                finally:
                    finished.append(True)
            async def first():
                try:
                    awaitable.send(None)
                except ValueError:
                    remap((a, b))
                return
                yield
            finished = []
            a, b = first(), second()
            attempt(b.asend(None).send, None)
            awaitable = a.asend(None)
            e = attempt(awaitable.send, None)
            assert type(e) is StopAsyncIteration, e
            attempt(b.aclose().send, None)
            assert finished and b.ag_frame is None
            """)

    def test_thread_local_that_dies(self):
        self.check("""
            import _thread, weakref
            class Local(_thread._local):
                def __init__(self, *args): pass
            for replaced in "args", "item", "class", None:
                class Other(_thread._local):
                    def __init__(self, *args): pass
                x = O()
                local = Local(x)
                [args] = [o for o in gc.get_referents(local)
                          if type(o) is tuple and o and o[0] is x]
                def callback(reference):
                    if replaced:
                        done.append(remap({"args": (args, (O(),)), "item": (x, O()),
                                           "class": (Local, Other)}[replaced]))
                    gc.collect()
                    junk()
                done = []
                reference = weakref.ref(local, callback)
                del local
                assert len(done) == bool(replaced), done
                junk()
            """)


class CheckedBeforeTests(SafetyTestCase):
    """C code that has looked at the items of a tuple, and calls Python code
    before it uses them."""

    def test_sorted_tuples(self):
        for old, new in (("float(i) + 0.25", "f'x{i}'"), ("f'key {i}'", "10 ** 9 + i"),
                         ("1000 + i", "float(i)"), ("1000 + i", "10 ** 30 + i"),
                         ("f'key {i}'", "f'\u20ac {i}'")):
            with self.subTest(old=old, new=new):
                self.check(f"""
                    class Second:
                        def __init__(self, n): self.n = n
                        def __lt__(self, other):
                            if not done:
                                done.append(remap(*pairs))
                            return self.n < other.n
                    done = []
                    pairs = [({old}, {new}) for i in range(40)]
                    keys = [old for old, new in pairs] * 2
                    l = [(keys[i], Second(i)) for i in range(80)]
                    l.sort()
                    assert done[0].left_behind == (0,) * 40, done
                    assert sorted(x.n for _, x in l) == [*range(80)]
                    if type(pairs[0][1]) is not str:
                        assert all(k is pairs[x.n % 40][1] for k, x in l), l
                    """)

    def test_descriptors_that_a_program_inherits(self):
        # What is closed are those between them.
        self.check("""
            import os
            from multiprocessing.util import spawnv_passfds
            kept = [os.dup2(0, fd) for fd in (300, 400)]
            other = os.dup2(0, 500)
            class Argument:
                def __fspath__(self):
                    remap((kept[0], other))
                    return "x"
            try:
                spawnv_passfds(b"/bin/false", ["false", Argument()], kept)
            except ValueError as exc:
                assert "fds_to_keep" in str(exc)
            else:
                raise AssertionError("started")
            assert sorted(kept) == [400, 500], kept
            """)

    def test_constants_that_are_compared(self):
        # A frozenset of constants gets smaller, or its items move.
        self.check("""
            class Item:
                def __hash__(self):
                    global calls
                    calls -= 1
                    if not calls:
                        done.append(remap(*pairs))
                    return 5
            def f(): pass
            done = []
            for n, merged, last in itertools.product((3, 20), (0, 1), (1, 2, 3)):
                calls = 0
                xs = [10 ** 20 + i for i in range(n)]
                pairs = [(x, xs[0] if merged else 10 ** 30 + i * 7919)
                         for i, x in enumerate(xs) if i]
                constants = (frozenset([frozenset([Item()]), *xs]), None)
                codes = [f.__code__.replace(co_consts=constants) for i in (1, 2)]
                del constants, xs
                calls = last
                codes[0] == codes[1]
                pairs.clear()
                junk()
            assert len(done) > 3, done
            assert all(type(x) is gc.RemapResult for x in done), done
            """)

    def test_constants_that_are_interned(self):
        # The frozenset that gets an interned string is not there any more.
        self.check("""
            import sys
            class Item:
                def __hash__(self):
                    if pairs:
                        pairs[:] = pairs[0][0][0], frozenset([1, 2])
                        remap((pairs[0], pairs[1]))
                        done.append(pairs[1])
                        pairs.clear()
                    return 5
            def f(): pass
            done, pairs = [], []
            name = sys.intern("some_name")
            for i in range(10):
                constants = (frozenset([Item(), "".join(["some", "_name"])]),)
                pairs.append((constants, None))
                code = f.__code__.replace(co_consts=constants)
                assert len(done) == 1
                assert constants[0] is done[0]
                del code, constants
                junk()
                assert sys.getrefcount(done.pop()) == 1
            """)

    def test_constants_that_are_merged(self):
        # The compiler hashes an object that was put among them meanwhile.
        self.check("""
            import ast, sys, warnings
            class Item:
                def __hash__(self):
                    global calls
                    calls += counting
                    if calls == last:
                        assert not isinstance(remap(*pairs), Exception)
                        pairs.clear()
                    return 5
            def show(*args):
                global counting
                assert not isinstance(remap((x, Item())), Exception)
                counting = True
            def of(*items):
                return items
            warnings.showwarning = show
            warnings.simplefilter("always")
            for kind in "tuple", "moved", "merged":
                for last in range(1, 100):
                    calls, counting, x = 0, False, int("1" + "0" * 20)
                    if kind == "tuple":
                        constants = [of(of(x, *range(1000, 1030)), i) for i in (7, 8)]
                        new = of("other", 12345678901234)
                        pairs = [(constants[1][0], new)]
                    else:
                        xs = [10 ** 21 + i for i in range(20)]
                        constants = [frozenset([x, *xs])]
                        new = 10 ** 30
                        pairs = [(x, xs[0] if kind == "merged" else new + i * 7919)
                                 for i, x in enumerate(xs) if i]
                        del xs
                    tree = ast.fix_missing_locations(ast.Module([ast.Expr(
                        ast.Compare(ast.Constant(1000), [ast.Is()],
                                    [ast.Constant(1001)])),
                        *[ast.Assign([ast.Name("a", ast.Store())], ast.Constant(c))
                          for c in constants]], []))
                    compile(tree, "x", "exec")
                    counting = False
                    through = bool(pairs)
                    pairs.clear()
                    del constants, tree
                    if kind == "tuple":
                        assert sys.getrefcount(new) == 2, (last, sys.getrefcount(new))
                    gc.collect()
                    if through:
                        break
                assert 1 < last < 99, (kind, last)
                junk()
            """)

    def test_arguments_of_unicode_errors(self):
        # An exception that is being initialized is known to the collector.
        self.check("""
            import sys
            class Text(str): pass
            class Bytes(bytes): pass
            class Buffer(bytearray): pass
            class Index:
                def __index__(self):
                    assert not isinstance(remap(*pairs), Exception)
                    return 1
            i = Index()
            for make, kind, *values in (
                (lambda x: UnicodeEncodeError("ascii", x, i, 2, "r"), Text, "a", "b"),
                (lambda x: UnicodeEncodeError(x, "text", i, 2, "r"), Text, "a", "b"),
                (lambda x: UnicodeDecodeError("ascii", x, i, 2, "r"), Bytes, b"a", b"b"),
                (lambda x: UnicodeDecodeError("ascii", x, i, 2, "r"), Buffer, b"a", b"b"),
                (lambda x: UnicodeDecodeError(x, b"data", i, 2, "r"), Text, "a", "b"),
                (lambda x: UnicodeTranslateError(x, i, 2, "r"), Text, "a", "b"),
            ):
                pairs = [(kind(values[0]), kind(values[1]))]
                e = make(pairs[0][0])
                assert any(x is pairs[0][1] for x in e.args)
                str(e)
                e = x = None
                junk()
                # Of the pair, and the call.
                assert [sys.getrefcount(pairs[0][n]) for n in (0, 1)] == [2, 2]
            """)

    mro = """
        class Evil:
            def __hash__(self): return hash("wanted")
            def __eq__(self, other):
                if armed and other == "wanted":
                    armed.clear()
                    C.__bases__ = (N,)
                    remap((A, 5), (B, 6))
                return False
        class N: pass
        class B: wanted = 1
        armed = []
        import warnings
        warnings.simplefilter("ignore", RuntimeWarning)
        """

    def test_mro_in_a_lookup(self):
        self.check(textwrap.dedent(self.mro) + textwrap.dedent("""
            class A(B): pass
            C = type("C", (A,), {Evil(): 1})
            armed.append(True)
            assert type(attempt(lambda: C.wanted)) is AttributeError
            assert not armed and (A, B) == (5, 6)
            """))

    def test_mro_in_super(self):
        self.check(textwrap.dedent(self.mro) + textwrap.dedent("""
            A = type("A", (B,), {Evil(): 1})
            class C(A):
                def f(self): return super().wanted
            c = C()
            armed.append(True)
            assert type(attempt(c.f)) is AttributeError
            assert not armed and (A, B) == (5, 6)
            """))

    def test_bases_that_are_put_back(self):
        self.check("""
            class Meta(type):
                def mro(cls):
                    if armed:
                        armed.clear()
                        results.append(remap((A, 5), (D, 7)))
                        raise ValueError
                    return type.mro(cls)
            armed, results = [], []
            class A(metaclass=Meta): pass
            class N(metaclass=Meta): pass
            class C(A): pass
            class D(C): pass
            armed.append(True)
            assert type(attempt(setattr, C, "__bases__", (N,))) is ValueError
            assert type(results[0]) is RuntimeError, results
            assert C.__bases__ == (A,) and D.__mro__ == (D, C, A, object)
            """)


    slots = """
        def fresh(text): return "".join([text[:2], text[2:]])
        class Evil(str):
            __hash__ = str.__hash__
            def __eq__(self, other):
                if armed:
                    armed.clear()
                    pairs = [(fresh, new) for fresh, new in zip(names[1:], news)]
                    results.append(remap(*pairs))
                return False
        armed, results = [True], []
        """

    def test_names_of_slots(self):
        for names, news in (("['slota', 'slotb', 'slotc']", "[10 ** 20, 10 ** 21]"),
                            ("['slota', '__dict__']", "['zztop']"),
                            ("['slota', 'zztop']", "['__dict__']"),
                            ("['slota'] + ['__weakref__']", "[None]")):
            for kind in "tuple", "list", "iter":
                with self.subTest(names=names, kind=kind):
                    self.check(textwrap.dedent(self.slots) + textwrap.dedent(f"""
                        names = [fresh(name) for name in {names}]
                        news = {news}
                        X = type("X", (), {{Evil("slota"): 1,
                                           "__slots__": {kind}(names)}})
                        assert results and not armed
                        x = X()
                        for name in {names}:
                            if not name.startswith("__"):
                                setattr(x, name, 1)
                                assert getattr(x, name) == 1
                        assert hasattr(x, "__dict__") == ("__dict__" in {names})
                        """))

    def test_names_that_are_sorted(self):
        self.check(textwrap.dedent(self.slots) + textwrap.dedent("""
            class Name(Evil):
                def __lt__(self, other):
                    less = str.__lt__(self, other)
                    self == other
                    return less
            names = [Name(x) for x in ("slotc", "slotb", "slota")]
            news = [5, 6]
            X = type("X", (), {"__slots__": tuple(names)})
            assert results and not armed
            X().slota = X().slotb = X().slotc = 1
            """))

    def test_names_that_members_point_to(self):
        self.check("""
            def fresh(text): return "".join([text[:2], text[2:]])
            pairs = [(fresh("name_of_a_slot"), fresh("another_name"))]
            X = type("X", (), {"__slots__": (pairs[0][0],)})
            x = X()
            # The name of the type's own is not a program's reference.
            result = gc.remap(pairs)
            assert result.left_behind == (1,), result
            pairs.clear()
            junk()
            error = attempt(delattr, x, "name_of_a_slot")
            assert str(error) == "name_of_a_slot", error
            Y = type("Y", (), {"__slots__": ["name_of_a_slot"]})
            x.__class__ = Y
            """)

    def test_arguments_of_aliases_that_are_shown(self):
        self.check("""
            class P:
                def __repr__(self):
                    results.append(remap((alias.__args__, (int,))))
                    return "P"
            for alias, shown in ((list[P(), int, str], "list[P, int, str]"),
                                 (list[P()] | int | str, "list[P] | int | str")):
                results = []
                args = alias.__args__
                assert repr(alias) == shown, repr(alias)
                del args
                assert results[0].references >= 1, results
                junk()
            """)

    def test_list_of_what_is_shown(self):
        self.check("""
            repr([0])
            lists = [x["Py_Repr"] for x in gc.get_objects()
                     if type(x) is dict and "Py_Repr" in x]
            remap((lists[0], {"a": 1, "b": 2}))
            cycle = []
            cycle.append(cycle)
            assert repr([1]) == "[1]" and repr(cycle) == "[[...]]"
            """)

    def test_names_of_keywords(self):
        self.check("""
            import os
            class Index:
                def __index__(self):
                    results.append(remap((names[0], 7.5)))
                    return 999999
            names, results = ["".join(["opt", "ions"])], []
            arguments = {"pid": Index(), names[0]: 0}
            error = attempt(lambda: os.wait4(**arguments))
            assert type(error) is TypeError, error
            assert results[0].references, results
            """)

    def test_type_parameters_of_an_alias(self):
        self.check("""
            import sys
            import typing   # by C code in the middle, otherwise: thousands of remaps
            def outer():
                type A[T] = list[T]
                return A
            def function():
                def f[T](x): return T
                return f
            def cls():
                class C[T]: pass
                return C
            def callback(code, offset):
                for o in gc.get_objects():
                    if (type(o) is tuple and len(o) == 1
                            and type(o[0]).__name__ == "TypeVar"):
                        pairs = [(o, new)]
                        del o
                        results.append(remap(*pairs))
                        break
            monitoring = sys.monitoring
            monitoring.use_tool_id(3, "test")
            monitoring.register_callback(3, monitoring.events.INSTRUCTION, callback)
            for make in outer, function, cls:
                for new in 5.5, [1], "s":
                    results = []
                    monitoring.set_events(3, monitoring.events.INSTRUCTION)
                    made = attempt(make)
                    monitoring.set_events(3, 0)
                    assert results
                    attempt(lambda: made.__type_params__)
                    attempt(lambda: made.__parameters__)
                    attempt(lambda: made[int])
            """)


class InstructionTests(SafetyTestCase):
    """gc.remap() between two instructions of a function, where what the first
    has made for the second is on the stack."""

    at = """
        import dis, sys
        monitoring = sys.monitoring
        monitoring.use_tool_id(3, "test")
        def at_each_instruction(function, action):
            \"""Call a function; action(opname) may call gc.remap().\"""
            code = function.__code__
            names = {i.offset: i.opname for i in dis.get_instructions(code)}
            event = monitoring.events.INSTRUCTION
            monitoring.register_callback(
                3, event, lambda code, offset: action(names[offset]))
            gc.collect()
            gc.disable()
            monitoring.set_local_events(3, code, event)
            try:
                return attempt(function)
            finally:
                monitoring.set_local_events(3, code, 0)
                gc.enable()
        def young(kind):
            return [x for x in gc.get_objects(generation=0) if type(x) is kind]
        """

    def check(self, source):
        super().check(textwrap.dedent(self.at) + textwrap.dedent(source))

    def test_cells_of_a_function(self):
        self.check("""
            def function():
                x = [1]
                return lambda: x
            def is_closure(t):
                return (len(t) == 1 and type(t[0]) is types.CellType
                        and t[0].cell_contents == [1])
            for new in (), (5.5,), (types.CellType(2), types.CellType(3)):
                def action(opname):
                    for t in young(tuple):
                        if is_closure(t):
                            results.append(remap((t, new)))
                results = []
                made = at_each_instruction(function, action)
                # Refused, or kept as an operand of the instruction.
                assert results and "as many cells" in str(results[0]), results
                assert all("as many cells" in str(r) or r.left_behind[0]
                           for r in results), results
                assert made() == [1]
            other = (types.CellType([2]),)
            def action(opname):
                for t in young(tuple):
                    if opname == "MAKE_FUNCTION" and is_closure(t):
                        results.append(remap((t, other)))
            made = at_each_instruction(function, action)
            assert made() == [2]
            """)

    unwinding = """
        class Final:
            def __del__(self):
                action()
        def use(*args): pass
        class Context:
            def __enter__(self): return self
            def __exit__(self, *args): return False
        def handled():
            try: use(Final(), pairs[0][0], use, pairs[0][0], 1 / 0)
            except ZeroDivisionError: pass
        def not_handled():
            use(Final(), pairs[0][0], use, pairs[0][0], 1 / 0)
        def in_a_context():
            with Context():
                use(Final(), pairs[0][0], use, pairs[0][0], 1 / 0)
        def in_a_finally():
            for x in [Final(), pairs[0][0]]:
                try: use(x, pairs[0][0], Final(), [1 / 0])
                finally: use(x)
        def generator():
            yield use(Final(), pairs[0][0], use, pairs[0][0], 1 / 0)
        def in_a_generator():
            next(generator())
        async def coroutine():
            async with Never():
                use(Final(), pairs[0][0], use, pairs[0][0], 1 / 0)
        class Never:
            async def __aenter__(self): pass
            async def __aexit__(self, *args): return False
        def in_a_coroutine():
            coroutine().send(None)
        functions = [handled, not_handled, in_a_context, in_a_finally,
                     in_a_generator, in_a_coroutine]
        class Old: pass
        def check(function):
            # Each reference is changed once: those of the list, and no other one
            # is left when the function has returned.
            global pairs, action
            for n in range(3):
                results = []
                pairs = [(Old(), O())]
                keep = [pairs[0][0]] * 5
                action = lambda: results.append(gc.remap(pairs))
                attempt(function)
                action = lambda: None
                junk()
                assert results
                del results
                gc.collect()
                gc.remap([])
                new = pairs[0][1]
                assert keep == [new] * 5
                assert sys.getrefcount(new) == 5 + 1 + 2, sys.getrefcount(new)
                old = pairs[0][0]
                assert sys.getrefcount(old) == 1 + 2, sys.getrefcount(old)
                del new, old
        """

    def test_finalizer_while_the_stack_is_popped(self):
        self.check(textwrap.dedent(self.unwinding) + textwrap.dedent("""
            for function in functions:
                check(function)
            """))

    def test_events_of_exceptions(self):
        self.check(textwrap.dedent(self.unwinding) + textwrap.dedent("""
            class Final: pass
            events = monitoring.events
            busy = []
            def callback(*args):
                if not busy:
                    busy.append(True)
                    action()
                    busy.clear()
            seen = 0
            for event in (events.RAISE, events.RERAISE, events.EXCEPTION_HANDLED,
                          events.PY_UNWIND, events.PY_THROW):
                monitoring.register_callback(3, event, callback)
                for function in functions:
                    monitoring.set_events(3, event)
                    try:
                        check(function)
                        seen += 1
                    except AssertionError as error:
                        # Such an event does not come about there.
                        if error.args: raise
                    finally:
                        monitoring.set_events(3, 0)
            assert seen > 10, seen
            """))

    def test_annotations_of_a_function(self):
        self.check("""
            def function():
                def g(a: int, *, b: str) -> list: pass
                return g
            for new in (1, 2, 3), ("a",), (5.5, 1, [1], 2), ():
                def action(opname):
                    for t in young(tuple):
                        if len(t) == 6 and t[0] == "a":
                            results.append(remap((t, new)))
                results = []
                made = at_each_instruction(function, action)
                assert results
                attempt(lambda: made.__annotations__)
            """)

    def test_exceptions_of_a_star(self):
        self.check("""
            def raised(exc):
                try:
                    raise exc
                except BaseException as e:
                    return e
            def function():
                try:
                    raise groups[0]
                except* TypeError:
                    raise OSError(5)
                except* ValueError:
                    raise OSError(6)
            for make in (lambda: ValueError(3), lambda: raised(ValueError(3)),
                         KeyboardInterrupt, lambda: ExceptionGroup("n", [TypeError()]),
                         lambda: raised(ExceptionGroup("n", [TypeError()])),
                         lambda: 5):
                def action(opname):
                    if opname in ("LIST_APPEND", "CALL_INTRINSIC_2", "RERAISE"):
                        new = make()
                        results.append(remap((groups[0], new)))
                        if groups[0] is not new:
                            groups[0] = ExceptionGroup("g", [ValueError()])
                groups = [ExceptionGroup(
                    "g", [ValueError(1), TypeError(2), KeyError(3)])]
                results = []
                made = at_each_instruction(function, action)
                assert results
                repr(made)
            """)


class CircleTests(SafetyTestCase):
    """What C code follows without a look back leads to no circle."""

    circles = """
        import csv, io, traceback
        from itertools import *
        def f(): pass
        def circle(make, *uses):
            # Two of them on something, and then on each other.
            base = make.base()
            one = make(base)
            two = make(one)
            pairs = [[base, two]]
            del base, two
            refused = isinstance(remap(*pairs), TypeError)
            for use in uses:
                attempt(use, one)
            assert refused, (make, uses)
        def of(base):
            def decorate(make):
                make.base = base
                return make
            return decorate
        """

    def check(self, source):
        super().check(textwrap.dedent(self.circles) + textwrap.dedent(source))

    def test_iterators(self):
        self.check("""
            for make in (
                    chain, chain.from_iterable, cycle, accumulate, pairwise,
                    groupby, enumerate, zip, csv.reader, zip_longest,
                    lambda i: islice(i, 5), lambda i: map(abs, i),
                    lambda i: takewhile(bool, i), lambda i: starmap(max, i),
                    lambda i: dropwhile(bool, i), lambda i: batched(i, 2),
                    lambda i: filter(None, i), lambda i: filterfalse(None, i),
                    lambda i: compress(i, repeat(1)),
                    lambda i: compress(repeat(1), i)):
                circle(of(lambda: iter([1, 2, 3]))(lambda i: make(i)), next)
            """)

    def test_instance_methods(self):
        self.check("""
            instancemethod, = [t for t in object.__subclasses__()
                               if t.__name__ == "instancemethod"]
            for make in (lambda f: instancemethod(f),
                         lambda f: instancemethod(types.MethodType(f, 1)),
                         lambda f: types.MethodType(instancemethod(f), 1)):
                circle(of(lambda: lambda: 1)(lambda f: make(f)), repr,
                       lambda m: m.__name__, lambda m: hasattr(m, "zork"),
                       lambda m: m(), lambda m: m.__get__(1, int)())
            """)

    def test_mapping_proxies(self):
        self.check("""
            circle(of(dict)(lambda d: types.MappingProxyType(d)), len,
                   hash, repr, iter, lambda m: m["a"], lambda m: m | {},
                   lambda m: m == {}, lambda m: "a" in m)
            """)

    def test_struct_sequences(self):
        self.check("""
            import os, sqlite3, time
            cursor = sqlite3.connect(":memory:").execute("select 1 as a")
            class Row(sqlite3.Row): pass
            for make in (lambda x: time.struct_time((x,) * 9),
                         lambda x: slice(time.struct_time((x,) * 9)),
                         lambda x: (os.stat_result((x,) * 10),),
                         lambda x: sqlite3.Row(cursor, (x,)),
                         lambda x: Row(cursor, (x,))):
                circle(of(object)(lambda x: make(x)), hash, lambda x: {x: 1},
                       lambda x: x == x)
            """)

    def test_functions_on_functions(self):
        self.check("""
            class Partial(functools.partial): pass
            class Property(property): pass
            def base():
                return lambda *args: args
            for make in (functools.partial, Partial, staticmethod, classmethod,
                         property, Property):
                circle(of(base)(lambda f: make(f)), repr, hash,
                       lambda f: f(), lambda f: f.__isabstractmethod__,
                       lambda f: f.__name__, lambda f: f.__doc__)
            """)

    def test_streams(self):
        self.check("""
            circle(of(lambda: io.BytesIO(b"abc"))(lambda b: io.BufferedReader(b)),
                   lambda b: b.read(1), lambda b: b.closed, repr)
            import codecs
            circle(of(io.BytesIO)(lambda b: codecs.getreader("euc_jp")(b)),
                   lambda r: r.read(1), lambda r: r.missing, repr)
            circle(of(io.BytesIO)(lambda b: codecs.getwriter("euc_jp")(b)),
                   lambda w: w.missing, repr)
            """)

    def test_nodes_of_the_tree_of_a_context(self):
        self.check("""
            import contextvars
            context, var = contextvars.Context(), contextvars.ContextVar("v")
            class Held: pass
            pairs = [[Held(), None]]
            context.run(var.set, pairs[0][0])
            tree, = [x for x in gc.get_referents(context)
                     if type(x).__name__ == "hamt"]
            pairs[0][1], = gc.get_referents(tree)
            assert isinstance(remap(*pairs), TypeError)
            assert context[var] is pairs[0][0]
            """)

    def test_code(self):
        self.check("""
            import marshal
            def outer():
                def inner(): pass
                return inner
            pairs = [[outer().__code__, outer.__code__]]
            assert isinstance(remap(*pairs), TypeError)
            hash(outer.__code__), outer.__code__ == outer.__code__.replace()
            marshal.dumps(outer.__code__)
            """)

    def test_tracebacks_and_groups_of_exceptions(self):
        self.check("""
            def raised():
                try:
                    1 / 0
                except ZeroDivisionError as e:
                    return e.__traceback__
            last = raised()
            between = types.TracebackType(last, last.tb_frame, 0, 1)
            first = types.TracebackType(between, last.tb_frame, 0, 1)
            assert isinstance(remap((last, first)), TypeError)
            traceback.format_tb(first)
            error = ValueError()
            group = ExceptionGroup("a", [ExceptionGroup("b", [error])])
            assert isinstance(remap((error, group)), TypeError)
            traceback.format_exception(group)
            """)

    def test_frames_that_have_returned(self):
        self.check("""
            import sys
            def g(): return sys._getframe()
            def f(): return g()
            def h(): return f()
            def h_in(): return h()
            def frames():
                # A frame would keep those above it alive, where it is met.
                names = {"f", "g", "h", "h_in"}
                return sum(type(x) is types.FrameType and x.f_code.co_name in names
                           for x in gc.get_objects())
            for back in (lambda x: x.f_back.f_back,
                         lambda x: x.f_back.f_back.f_back):
                top = h_in()
                pairs = [[back(top), top]]
                assert isinstance(remap(*pairs), TypeError)
                pairs = [[back(top), top.f_back], [top, h_in()]]
                assert isinstance(remap(*pairs), TypeError)
                # One of another call is in order.
                pairs = [[back(top), h_in()]]
                assert not isinstance(remap(*pairs), TypeError)
                traceback.extract_stack(top)
            del top, pairs
            gc.collect()
            assert not frames(), frames()
            """)

    def test_circles_that_a_program_can_make(self):
        self.check("""
            error = ValueError()
            group = ExceptionGroup("a", [KeyError()])
            other = LookupError()
            group.__cause__, other.__cause__ = other, error
            pairs = [[error, group]]
            del error
            assert not isinstance(remap(*pairs), TypeError)
            traceback.format_exception(group)
            for make in (lambda x: [x], lambda x: {1: x}, lambda x: vars(x),
                         lambda x: types.SimpleNamespace(x=x)):
                o = O()
                holder = make(o)
                pairs = [[o, holder]]
                del o
                assert not isinstance(remap(*pairs), TypeError), make
                attempt(repr, holder)
            """)


class InterpreterTests(SafetyTestCase):
    """What the interpreter takes for granted."""

    def test_constants(self):
        self.check("""
            def call(): return dict(alpha=1, beta=2)
            def define():
                def inner(a=1000, b=2000): return a, b
                return inner()
            class P:
                __match_args__ = ("x", "y")
                x, y = 1, 2
            def match(value):
                match value:
                    case P(x=1, y=2): return 1
                    case {"alpha": 1, "beta": 2}: return 2
            for function, args in (
                    (call, ()), (define, ()), (match, (P(),)),
                    (match, ({"alpha": 1, "beta": 2},))):
                for n in range(50):
                    function(*args)
                for at, constant in enumerate(function.__code__.co_consts):
                    if type(constant) is not tuple:
                        continue
                    del constant
                    for new in (3.5, [1], ("a", "b", "c"), ("a",), (1, 2.5),
                                collections.namedtuple("N", "a b")("x", "y")):
                        pairs = [[function.__code__.co_consts[at], new]]
                        expected = attempt(function, *args)
                        done = remap(*pairs)
                        junk()
                        now = attempt(function, *args)
                        if isinstance(done, TypeError):
                            assert str(now) == str(expected)
            """)

    def test_fresh_constants(self):
        # Not yet untracked by a collection.
        self.check("""
            gc.disable()
            space = {}
            exec("def f(): return dict(alpha=1, beta=2)", space)
            pairs = [[space["f"].__code__.co_consts[-1], 3.5]]
            assert isinstance(remap(*pairs), TypeError), remap(*pairs)
            space["f"]()
            """)

    def test_rollback_after_a_move_to_a_typed_field(self):
        self.check("""
            class H:
                armed = None
                def __init__(self, v): self.v = v
                def __hash__(self):
                    if H.armed:
                        H.armed()
                        raise ZeroDivisionError
                    return hash(self.v)
            new = (1, 2, 3)
            def f(a=1): return a
            def move_from_doc():
                f.__defaults__ = new if f.__doc__ is new else None
                f.__doc__ = None
            def move_from_module():
                del f.__module__
                f.__defaults__ = new
            for name, move in (("__doc__", move_from_doc),
                               ("__module__", move_from_module)):
                f.__defaults__ = (7,) if name == "__doc__" else None
                o = [O()]
                setattr(f, name, o[0])
                table = {H(o[0]): 1}
                H.armed = move
                assert isinstance(attempt(gc.remap, [(o[0], new)]),
                                  ZeroDivisionError)
                H.armed = None
                assert type(f.__defaults__) is tuple
                f()
            """)

    def test_rollback_of_a_frame_that_is_another_now(self):
        self.check("""
            import threading
            class It:
                def __iter__(self): return self
                def __next__(self): return 1
            it, old = It(), [1]
            go, inloop, end = (threading.Event() for _ in range(3))
            def first(a, x):
                go.wait()
            def second():
                for _ in it:
                    inloop.set()
                    if end.wait(): break
            def work(x):
                first(None, x.pop())
                second()
            thread = threading.Thread(target=work, args=([old],))
            thread.start()
            class H:
                armed = False
                def __init__(self, v): self.v = v
                def __hash__(self):
                    if H.armed:
                        go.set()
                        inloop.wait()
                        raise ZeroDivisionError
                    return 1
            table = {H(old): 1}
            H.armed = True
            pairs = [(old, it)]
            assert isinstance(attempt(gc.remap, pairs), ZeroDivisionError)
            end.set()
            thread.join()
            """)

    def test_finalizer_at_the_start(self):
        # What an earlier call has kept is released by the next.
        self.check("""
            text = ["foo_bar", "_baz_qux"]
            key = "".join(text)
            space = {}
            class Old:
                def __del__(self):
                    sys.intern(key)
                    exec("def f():\\n for i in range(9): %s" % key, space)
            import sys
            box = [Old()]
            sorted([1], key=lambda v: gc.remap([(box[0], 1.5)]).visited)
            box.clear()
            done = remap((key, 3.25))
            assert isinstance(done, TypeError) or "f" not in space, done
            if "f" in space:
                attempt(space["f"])
            """)

    def test_names_of_classes_are_told_without_python_code(self):
        self.check("""
            class Key:
                def __hash__(self): return hash("__module__")
                def __eq__(self, other):
                    called.append(other)
                    return False
            called = []
            class A: __slots__ = ()
            class B: __slots__ = ()
            D = type("D", (A,), {Key(): 1, "__module__": "m"})
            class S(A): __slots__ = ()
            called.clear()
            remap((A, B))
            assert not called, called
            """)

    def test_instruction_on_the_stack(self):
        # A coroutine goes on at an instruction that is an int on its stack.
        self.check("""
            @types.coroutine
            def pause(): yield 1
            class Manager:
                async def __aenter__(self): pass
                async def __aexit__(self, *error): await pause()
            async def work():
                async with Manager(): 1 / 0
            for new in (10 ** 23, 2 ** 61 - 1, -1, True):
                coroutine = work()
                coroutine.send(None)
                ints = [x for x in gc.get_referents(coroutine)
                        if type(x) is int]
                for old in ints:
                    remap((old, new))
                attempt(coroutine.send, None)
            """)

    def test_attributes_of_the_thread(self):
        self.check("""
            class Key:
                def __hash__(self): return hash("Py_Repr")
                def __eq__(self, other):
                    called.append(other)
                    return False
            called = []
            old, new = O(), O()
            class Holder:
                def __repr__(self): return "x"
            repr([Holder()])
            for d in gc.get_objects():
                if type(d) is dict and "Py_Repr" in d:
                    items = list(d.items())
                    d.clear()
                    d[Key()] = 1
                    d.update(items)
            called.clear()
            remap((old, new))
            assert not called, called
            """)

    def test_end_of_the_interpreter(self):
        self.check("""
            import sys
            class Last:
                gc, modules = gc, sys.modules
                def __del__(self):
                    self.gc.remap([(self.modules, {})])
                    [{} for i in range(100)]
            sys.modules["last"] = types.ModuleType("last")
            sys.modules["last"].value = Last()
            """)

    def test_daemon_in_the_middle_at_the_end(self):
        self.check("""
            import threading, time
            class Slow:
                def __hash__(self):
                    time.sleep(0)
                    return 1
            def loop():
                pairs = [(O(), O())]
                pairs.append(pairs[0][::-1])
                slow = {(Slow(), pairs[0][0]): 1}
                while True:
                    attempt(gc.remap, pairs)
            for n in range(3):
                threading.Thread(target=loop, daemon=True).start()
            time.sleep(0.05)
            """)

    def test_table_that_becomes_one_of_strings(self):
        self.check("""
            class Key:
                action = None
                def __init__(self, v): self.v = v
                def __hash__(self):
                    if Key.action:
                        action, Key.action = Key.action, None
                        action()
                    return hash(self.v)
                def __eq__(self, other): return self.v == other.v
            for make in dict, collections.OrderedDict, collections.Counter:
                for n in (0, 1, 10, 100):
                    old = O()
                    tables = [make({Key((old, i)): i for i in range(5)})
                              for _ in range(3)]
                    def action():
                        for table in tables[1:]:
                            table.clear()
                            table.update({f"key {i}": i for i in range(n)})
                    Key.action = action
                    pairs = [(old, O())]
                    del old
                    attempt(gc.remap, pairs)
                    for table in tables:
                        for key in table:
                            attempt(lambda: table[key])
            """)

    def test_fork_in_the_middle(self):
        self.check("""
            import os, threading, warnings
            warnings.simplefilter("ignore")
            begun, done = threading.Event(), threading.Event()
            class H:
                armed = False
                def __init__(self, v): self.v = v
                def __hash__(self):
                    if H.armed:
                        begun.set()
                        done.wait()
                    return hash(self.v)
            def fork():
                begun.wait()
                pid = os.fork()
                if pid == 0:
                    gc.collect()
                    changed = gc.remap([([], 1)])
                    os._exit(0)
                status.append(os.waitpid(pid, 0)[1])
                done.set()
            status = []
            thread = threading.Thread(target=fork)
            thread.start()
            o = O()
            table = {H(o): 1}
            H.armed = True
            gc.remap([(o, O())])
            thread.join()
            assert status == [0], status
            """)


class DirectCallTests(SafetyTestCase):
    """gc.remap() called by C code, which goes on with what it borrowed."""

    def test_callers(self):
        self.check("""
            class Eq:
                __eq__ = gc.remap
                __hash__ = None
            for call in (lambda it: list(map(gc.remap, it)),
                         lambda it: sorted(it, key=gc.remap),
                         lambda it: list(filter(gc.remap, it)),
                         lambda it: functools.reduce(
                             lambda a, b: gc.remap(b), it, None),
                         lambda it: list(zip(map(gc.remap, it))),
                         lambda it: next(map(gc.remap, enumerate(it)))):
                base = iter([[], []])
                holder = [base]
                pairs = [[base, iter([])]]
                del base
                inner = itertools.chain([pairs], holder[0])
                attempt(call, inner)
                junk()
                attempt(next, inner)
            class X: pass
            for use in (lambda x: x == [(x, 1)], lambda x: [x].index([(x, 1)])):
                x = X()
                x.__class__ = type("Y", (), {"__eq__": gc.remap})
                attempt(use, x)
                junk()
            """)

    def test_no_frame_below(self):
        # C functions that the interpreter calls, and that no frame has called.
        prelude = """
            import _thread, atexit, threading, time
            class X:
                def __eq__(self, other):
                    del other
                    if ys:
                        gc.remap([(ys.pop(), 5.5)])
                        remapped.set()
                        moved.wait()
                        gc.collect()
                        self.junk = [object() for i in range(1000)]
                    return NotImplemented
            class Y:
                __slots__ = ()
                def __eq__(self, other):
                    seen.append(type(self).__name__)
                    return True
            def operands():
                y = Y()
                ys.append(y)
                return (X(),), (y,)
            remapped, moved = threading.Event(), threading.Event()
            ys, seen = [], []
            """
        out = run_script(self, textwrap.dedent(self.prelude)
                         + textwrap.dedent(prelude) + textwrap.dedent("""
            atexit.register(lambda: print(seen))
            atexit.register(operator.eq, *operands())
            moved.set()
            """))
        self.assertEqual(out, "['Y']\n")
        self.check(textwrap.dedent(prelude) + textwrap.dedent("""
            box = [operands()]
            _thread.start_new_thread(operator.eq, box.pop())
            remapped.wait()
            moved.set()
            while not seen:
                time.sleep(0.001)
            assert seen == ["Y"], seen
            """))

    # What C code goes on with is gone unless it is kept: each of these makes the
    # caller look like one that has called the function above it directly.
    borrowing = '''
        class New: pass
        class Y:
            def __eq__(self, other): return True
        def vanish(box):
            pair = [[box.pop(), New()]]
            result = remap(*pair)
            assert result.left_behind is not None, result
            del pair
            gc.collect()
            junk()
        def vanish_if(args):
            if args and type(args[0]) is Y:
                box = [*args]
                del args
                vanish(box)
            return NotImplemented
        '''

    def check_borrowing(self, source):
        self.check(textwrap.dedent(self.borrowing) + textwrap.dedent(source))

    def test_arguments_made_by_c_code(self):
        self.check_borrowing('''
            class M:
                def __call__(self, *a): return vanish_if(a)
                __eq__ = meth = __call__
            m = M()
            m(*map(operator.eq, [(m,)], [(Y(),)]))
            method = m.meth
            method(*map(operator.eq, [(m,)], [(Y(),)]))
            class C:
                def __init__(self, *a): return vanish_if(a) if a else None
                __eq__ = __init__
            attempt(lambda: C(*map(operator.eq, [(C(),)], [(Y(),)])))
            ''')

    def test_method_that_is_not_the_one_that_is_called(self):
        self.check_borrowing('''
            class B:
                def __call__(self, *a): return vanish_if(a)
                __eq__ = __call__
            class M(B):
                __call__ = operator.eq
            class P(functools.partial, B): pass
            for m in M(), P(operator.eq):
                m((m,), (Y(),))
            class B:
                def __init__(self, *a): return vanish_if(a)
                __eq__ = __init__
            class C(B):
                __init__ = operator.eq
            attempt(lambda: C((C.__new__(C),), (Y(),)))
            ''')

    def test_code_that_is_executed_by_something_else(self):
        self.check_borrowing('''
            class X:
                def __eq__(*a):
                    if a:
                        box = [a[0]]
                        del a
                        vanish(box)
                    return NotImplemented
            class K(str):
                __hash__ = str.__hash__
                __eq__ = (X(),).__contains__
            attempt(exec, X.__eq__.__code__, {K("__builtins__"): 1})
            ''')

    def test_code_that_exec_runs(self):
        # Nothing is kept for the frame that calls exec(); for others it is.
        self.check_borrowing('''
            code = compile("box and vanish(box)", "x", "exec")
            nothing = compile("0", "x", "exec")
            box = []
            class X:
                def __eq__(*a):
                    if type(a[-1]) is Y:
                        box.append(a[-1])
                        del a
                        exec(code, globals())
                    return NotImplemented
            def compare():
                for i in range(3):
                    exec(nothing, {})
                    assert (X(),) == (Y(),)
            compare()
            exec(compile("compare(); assert (X(),) == (Y(),)", "x", "exec"))
            class E:
                __eq__ = functools.partial(exec, code)
            def call_by_c_code():
                namespace = {"box": [Y()], "vanish": vanish}
                for calls in (map(exec, [code], [namespace]),
                              itertools.starmap(exec, [(code, namespace)])):
                    for _ in calls:
                        junk()
                attempt(operator.eq, (E(), Y()), (namespace, Y()))
            call_by_c_code()
            class Key(str):
                __hash__ = str.__hash__
                def __eq__(self, other):
                    if other == "__builtins__":
                        keys = [self]
                        del self
                        vanish(keys)
                    return NotImplemented
            def look_up_builtins():
                exec(nothing, {Key("__builtins__"): 1})
            attempt(look_up_builtins)
            def f(a, *, b): pass
            def miss_arguments():
                exec(f.__code__)
            attempt(miss_arguments)
            ''')

    def test_argument_of_an_event(self):
        self.check_borrowing('''
            import sys
            monitoring, E = sys.monitoring, sys.monitoring.events
            class A:
                def __init__(self, *a): vanish(box)
            class M:
                def __call__(self, code=None, at=None, callable=None, arg=None):
                    if vanishing is code is None or vanishing and callable is self:
                        vanish(box)
            for tool in 3, 4:
                monitoring.use_tool_id(tool, f"tool {tool}")
            m = M()
            look = lambda code, at, callable, arg: seen.append(type(arg).__name__)
            def run(f):
                f(*arguments)
            for tool in 3, 4:
                monitoring.set_local_events(tool, run.__code__, E.CALL)
            for f, vanishing, callback in (A, None, look), (m, None, look), (m, 1, m):
                monitoring.register_callback(3, E.C_RETURN, look)
                monitoring.register_callback(3, E.CALL, look)
                monitoring.register_callback(4, E.CALL, callback)
                arguments = Y(),
                box = [*arguments]
                seen = []
                run(f)
                assert {*seen} <= {"Y", "New"} and len(seen) >= 1, seen
            ''')

    def test_exception_thrown_through_generators(self):
        self.check_borrowing('''
            class V(Exception):
                def __lt__(self, other):
                    del self, other
                    gc.collect()
                    junk()
                    return NotImplemented
            class Sub:
                def __iter__(self): return self
                def __next__(self): return 1
                def throw(self, exception):
                    box = [exception]
                    del exception
                    vanish(box)
                    return NotImplemented
            def inner(): yield from Sub()
            def middle(): yield from inner()
            def outer(): yield from middle()
            for make in inner, middle, outer:
                generator = make()
                next(generator)
                class W(V):
                    __gt__ = generator.throw
                attempt(operator.lt, (V(),), (W(),))
            ''')

    def test_names_of_arguments_at_the_bottom(self):
        self.check_borrowing('''
            import _thread, atexit, threading
            def name():
                class X:
                    def __eq__(*a):
                        if len(a) == 2 and a[1] == "p":
                            box = [a[0]]
                            del a
                            vanish(box)
                        return NotImplemented
                class K(str):
                    __hash__ = str.__hash__
                    __eq__ = (X(),).__contains__
                return K("q")
            def f(p=1, **kwargs): done.set()
            done = threading.Event()
            atexit.register(f, **{name(): 1})
            _thread.start_new_thread(f, (), {name(): 1})
            done.wait()
            ''')

    def test_finalizer_of_an_argument_of_remap(self):
        self.check('''
            def numbers():
                box = []
                e = enumerate(map(gc.remap, iter(box.pop, None)))
                box.append([(e, iter([]))])
                return zip(e)
            seen = []
            class Dies:
                __del__ = functools.partial(seen.extend, numbers())
            attempt(lambda: gc.remap(Dies()))
            assert seen[0][0][0] == 0, seen
            ''')

    def test_line_that_is_set_below_c_code(self):
        # Of two calls that have another number of entries on the stack below them,
        # one looks like the other.
        self.check_borrowing('''
            import sys
            def caller(call, x, y, a=0, b=0, cond=0):
                return (print(
                    a,
                    b +
                    b) if cond else call(
                    x,
                    y))
            target = caller.__code__.co_firstlineno + 4
            def work(*args):
                pass
                remap((old.pop(), new.pop()))
            def tracer(frame, event, arg):
                if event == "line" and frame.f_code is work.__code__ and not refused:
                    below = frame.f_back
                    below.f_trace = tracer
                    try:
                        below.f_lineno = target
                    except ValueError as e:
                        refused.append(str(e))
                return tracer
            class P(functools.partial): pass
            for make in (lambda: P(work)), (lambda: types.MethodType(P(work), 1)):
                refused = []
                old, new = [make()], [make()]
                args = [old[0], 1, 2]
                sys.settrace(tracer)
                caller(args.pop(0), args.pop(0), args.pop(0))
                sys.settrace(None)
                assert refused == ["can't jump while the frame is in a call of C code"]
                junk()
            ''')

    def test_code_that_c_code_runs_without_a_frame(self):
        # At the end of the interpreter, by a finalizer.
        script = '''
            import sys, warnings
            warnings.simplefilter("ignore")
            def go():
                if box:
                    vanish(box)
                    print("gone")
            # For as long as the namespace of this script is cleared.
            box = []
            names = {**globals(), "box": box, "print": print,
                     "__builtins__": __builtins__}
            for name in "remap", "junk", "vanish", "go":
                names[name] = type(go)(names[name].__code__, names)
            class Old:
                __getitem__ = functools.partial(%s, %s, names)
            old = Old()
            box.append(old)
            class Dies:
                __del__ = functools.partial(operator.itemgetter({}, {}), old)
            del old
            sys.modules["dies"] = Dies()
            del box, Old
            '''
        script = "".join(map(textwrap.dedent, (self.prelude, self.borrowing, script)))
        for call, code in (("exec", 'compile("go()", "x", "exec")'),
                           ("exec", '"go()"'),
                           ("eval", 'compile("go()", "x", "eval")')):
            with self.subTest(call=call, code=code):
                self.assertEqual(run_script(self, script % (call, code)), "gone\n")

    def test_old_objects_go_when_a_thread_does(self):
        self.check("""
            import _thread
            class Old(O):
                def __call__(self):
                    f()
            def f():
                gc.remap([(box[0], O())])
            for target in f, Old().__call__, functools.partial(f), Old():
                died = []
                class Dying(O):
                    def __del__(self):
                        died.append(1)
                box = [Dying()]
                handle = _thread.start_joinable_thread(target)
                handle.join()
                gc.collect()
                assert type(box[0]) is O and died == [1], (target, died)
            """)

    def test_iterator_of_an_enumeration(self):
        self.check("""
            def lines():
                yield [(it[0], iter("abc"))]
                yield 2
            it = []
            it.append(map(gc.remap, lines()))
            e = zip(it[0])
            attempt(next, e)
            junk()
            attempt(next, e)
            """)

    def test_call_among_the_pairs_of_another(self):
        self.check("""
            def run(make):
                pairs = []
                box = [pairs]
                inner = make(map(gc.remap, iter(box.pop, None)))
                outer = zip(inner, inner)
                pairs.append((inner, iter([O(), O()])))
                del inner, pairs
                attempt(gc.remap, outer)
                junk()
            for make in (enumerate, itertools.accumulate, itertools.pairwise,
                         lambda it: itertools.islice(it, 5),
                         lambda it: itertools.zip_longest(it, it)):
                run(make)
            """)

    def test_another_thread_that_waits_in_c_code(self):
        self.check("""
            import io, os, threading
            r, w = os.pipe()
            stream = open(r)
            lines = enumerate(stream)
            def read():
                found.append(next(lines))
            found = []
            thread = threading.Thread(target=read)
            thread.start()
            while not thread.is_alive(): pass
            import time; time.sleep(0.1)
            pairs = [(stream, iter("xy"))]
            remap(*pairs)
            pairs.clear()
            junk()
            os.write(w, b"hello\\n")
            os.close(w)
            thread.join()
            assert found == [(0, "hello\\n")], found
            """)


class CompiledMeanwhileTests(SafetyTestCase):
    """What code is being made of is not replaced by then, nor is what it trusts."""

    prelude = SafetyTestCase.prelude + """
        import ast, warnings
        def fresh(text):
            return "".join(list(text))
        def parsed(source, name, string):
            tree = ast.parse(source)
            for node in ast.walk(tree):
                for field, value in ast.iter_fields(node):
                    if value == name:
                        setattr(node, field, string)
                    elif isinstance(value, list):
                        value[:] = [string if x == name else x for x in value]
            return tree
        def shown(action):
            warnings.showwarning = action
            warnings.simplefilter("always")
        calls = [
            "enumerate((), name_=1)",
            "int('1', name_=1)",
            "(lambda **names: names)(a=1, name_=2, **{})",
            "(lambda *, name_=1: name_)()",
            "class K: name_ = 1\\nmatch K():\\n  case K(name_=x): pass",
        ]
        """

    def test_names_that_are_not_identifiers(self):
        self.check("""
            for source in calls:
                for new in b"ab", 5, [1]:
                    name = fresh("\\xe9 b")
                    code = compile(parsed(source, "name_", name), "x", "exec")
                    remap((name, new))
                    attempt(exec, code, {})
            """)

    def test_names_that_have_been_put_into_finished_code(self):
        self.check("""
            def names_of(code):
                return next(x for x in code.co_consts if type(x) is tuple and x)
            for source in "enumerate((), ab=1)", "int('1', ab=1)":
                for new in b"ab", 5, [1]:
                    name = fresh("\xe9\xe9")
                    code = compile(source, "x", "exec")
                    remap((names_of(code), (name,)))
                    assert names_of(code) == (name,)
                    assert type(remap((name, new))) is TypeError
                    attempt(exec, code, {})
                    name = fresh("\xe9\xe8")
                    code = code.replace(co_consts=tuple(
                        (name,) if x == names_of(code) else x for x in code.co_consts))
                    assert type(remap((name, new))) is TypeError
                    remap((name, fresh("\xe9\xe7")))
                    attempt(exec, code, {})
            """)

    def test_constants_that_are_a_constant(self):
        self.check("""
            def f(x, y): pass
            def g(): return f(x=1, y=2)
            constants = g.__code__.co_consts
            names = next(x for x in constants if type(x) is tuple)
            other = compile(ast.fix_missing_locations(ast.Expression(
                ast.Constant(constants))), "x", "eval")
            another = f.__code__.replace(co_consts=(None, constants))
            for new in 12345, (names[0], 3), (names[0],):
                assert type(remap((names, new))) is TypeError
                attempt(g)
            """)

    def test_constants_that_have_been_read_before_the_code(self):
        self.check("""
            import io, marshal
            def f(x, y): pass
            def g(): return f(x=1, y=2)
            class File:
                def __init__(self, data): self.file = io.BytesIO(data)
                def read(self, n): return self.file.read(n)
                def readinto(self, buffer):
                    for found in gc.get_objects():
                        if type(found) is tuple and found == ("x", "y"):
                            if found is not names: remap((found, 12345))
                    return self.file.readinto(buffer)
            names = next(x for x in g.__code__.co_consts if type(x) is tuple)
            read = marshal.load(File(marshal.dumps((g.__code__.co_consts, g.__code__))))
            attempt(exec, read[1], {"f": f})
            assert read[1].co_consts == g.__code__.co_consts
            del read
            gc.collect()
            """)

    def test_names_that_are_constants_as_well(self):
        # One tuple or one string would do for both, if it were for the compiler.
        self.check("""
            letters = {"x": "\\xe9", "y": "\\xe8"}
            for use in ("x = 'xx'", "x = ('xx', 'yy')", "x = 'xx', 'yy'; x = ('xx',)",
                        "f = lambda: 'xx'", "f = lambda: ('xx',)",
                        "f = lambda: (1, ('xx',))"):
                for call in ("enumerate((), xx=1)", "int('1', xx=1, yy=1)",
                             "f = lambda: enumerate((), xx=1); f()",
                             "f = lambda: (1, enumerate((), xx=1)); f()",
                             "match K:\\n  case type(xx=1): pass"):
                    for first in use, call:
                        last = call if first is use else use
                        source = f"class K: pass\\n{first}\\n{last}\\n"
                        for letter in "xy":
                            source = source.replace(2 * letter, 2 * letters[letter])
                        code = compile(source, "x", "exec")
                        found = [code]
                        strings = []
                        for x in found:
                            if type(x) is str:
                                strings.append(x)
                            elif type(x) is tuple:
                                found.extend(x)
                            elif hasattr(x, "co_consts"):
                                found.extend(x.co_consts)
                        assert "\\xe9\\xe9" in strings
                        for string in strings:
                            remap((string, b"ab"))
                        attempt(exec, code, {})
            """)

    def test_names_while_a_warning_is_shown(self):
        self.check("""
            for source in calls:
                for new in b"ab", 5, [1]:
                    name = fresh("name_of_an_argument")
                    results = []
                    def show(*args):
                        results.append(remap((name, new)))
                    shown(show)
                    tree = parsed(source + "\\n1 is 2", "name_", name)
                    code = compile(tree, "x", "exec")
                    assert results
                    attempt(exec, code, {})
            """)

    def test_constants_that_are_hashed(self):
        self.check("""
            class Hashed:
                def __hash__(self):
                    if armed:
                        for x in gc.get_objects():
                            if type(x) is tuple and is_names(gc.get_referents(x)):
                                results.append(remap((x, new)))
                    return 3
                def __eq__(self, other):
                    return self is other
            def is_names(items):
                return len(items) == 1 and str(items[0]) == "kwarg_"
            for new in 5, b"ab", [1], {1: 2}:
                armed, results = [], []
                constant, hashed = fresh("will be hashed"), Hashed()
                tree = ast.parse("def g(f):\\n f(kwarg_=1)\\n 1 is 2\\n return 'x'")
                tree.body[0].body[2].value.value = (constant, 1)
                def show(*args):
                    assert not isinstance(remap((constant, hashed)), Exception)
                    armed.append(1)
                shown(show)
                code = compile(tree, "x", "exec")
                assert armed
                armed.clear()
                namespace = {}
                exec(code, namespace)
                assert namespace["g"](lambda **names: 1) == (hashed, 1)
                attempt(namespace["g"], enumerate)
            """)

    def test_constants_of_code_that_is_not_known_yet(self):
        # The function is compiled already, the module is not.
        self.check("""
            import textwrap
            def show(*args):
                for x in gc.get_objects():
                    if type(x) is tuple and len(x) > 2 and "marked" in x:
                        for item in x:
                            if type(item) is tuple:
                                results.append(remap((item, new)))
            source = '''
            def g(f):
                "marked"
                1 in {1.5, 2.5}
                return f(alpha=3, beta=4)
            1 is 2
            '''
            for new in 5, [1], (1, 2):
                results = []
                shown(show)
                namespace = {}
                exec(textwrap.dedent(source), namespace)
                del namespace["__builtins__"]
                assert namespace["g"](lambda **names: names) == {"alpha": 3, "beta": 4}
                assert gc.is_tracked(namespace["g"].__code__.co_consts)
            """)

    def test_code_that_is_unmarshalled(self):
        self.check("""
            import marshal
            source = '''def g(f):
                return f(alpha=3, beta=4)
            '''
            data = compile(source, "x", "exec")
            names = [x for x in data.co_consts[0].co_consts if type(x) is tuple][0]
            shared = marshal.dumps([names, data, {1: data}, names, data])
            data = marshal.dumps([data])
            del names
            gc.collect()
            class File:
                def __init__(self, data):
                    self.data, self.at = data, 0
                def read(self, n=-1):
                    return b""
                def readinto(self, buffer):
                    n = len(buffer)
                    part = self.data[self.at:self.at + n]
                    buffer[:len(part)] = part
                    self.at += n
                    for x in gc.get_objects():
                        if (type(x) is tuple
                                and [*map(str, gc.get_referents(x))] in expected):
                            results.append(remap((x, new)))
                    return len(part)
            expected = ["beta", "alpha"], ["alpha", "beta"]
            gc.freeze()     # there is less to look at
            for new in 5, [1], (1, 2):
                for text in data, shared:
                    results = []
                    loaded = attempt(marshal.load, File(text))
                    code = loaded[1 if text is shared else 0]
                    assert (1, 2) not in code.co_consts[0].co_consts
                    namespace = {}
                    exec(code, namespace)
                    found = namespace["g"](lambda **names: names)
                    assert found == {"alpha": 3, "beta": 4}, found
                    attempt(namespace["g"], enumerate)
                    # In the middle of it the file ends.
                    for n in range(5, len(text), 61):
                        assert type(attempt(marshal.load, File(text[:n]))) is EOFError
                    junk()
            # What the collector must see is there again.
            code = compile("x in {1.5, 2.5}; f(a=((1, (2,)), 3))", "x", "exec")
            code = marshal.load(File(marshal.dumps(code)))
            assert gc.is_tracked(code.co_consts)
            """)

    def test_values_of_context_variables(self):
        self.check("""
            import contextvars
            class Value:
                def __del__(self):
                    if mode == "remap":
                        results.append(remap((new[0], other)))
                    elif mode == "variable":
                        results.append(remap((variable, another)))
                    elif mode == "set":
                        variable.set(other)
            def run(step):
                if step == "reset":
                    token = variable.set(Value())
                    variable.reset(token)
                elif step == "set":
                    variable.set(Value())
                    variable.set(new[0])
                else:
                    token = variable.set(Value())
                    variable.set(O())
                    del token
                    variable.set(new[0])
            for mode in "remap", "variable", "set":
                for step in "reset", "set", "later":
                    variable = contextvars.ContextVar("variable")
                    another = contextvars.ContextVar("another")
                    new, other, results = [O()], O(), []
                    context = contextvars.copy_context()
                    def inside():
                        variable.set(new[0])
                        run(step)
                        for x in variable, another:
                            value = x.get(None)
                            assert value is contextvars.copy_context().get(x), (
                                mode, step)
                        new.clear()
                        rest = junk()
                        for x in variable, another:
                            value = x.get(None)
                            assert value is contextvars.copy_context().get(x), (
                                mode, step)
                            assert value is None or type(value) is O
                    context.run(inside)
            """)


if __name__ == "__main__":
    main()
