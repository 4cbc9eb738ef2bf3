"""No program in pure Python may crash the interpreter with gc.remap().

Each case is a program of its own: what it must not do is die.
"""

import os
import subprocess
import sys
import textwrap

from support import RemapTestCase, main, no_leak_check, run_script


@no_leak_check("nothing of it happens in this process")
class SafetyTests(RemapTestCase):

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

    def test_values_of_the_namespace_of_a_builtin_type(self):
        self.check("""
            def look():
                for i in range(50):
                    r = dict.__doc__, {}.__doc__, {}.get
                return r
            look()
            remap(({}.__doc__, "".join(["new", " doc"])))
            junk()
            assert look()[0] == look()[1] == vars(dict)["__doc__"]
            """)

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
                remap((old[0], new[0]))
                junk()
                attempt(use)
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


if __name__ == "__main__":
    main()
