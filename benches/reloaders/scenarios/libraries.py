"""Classes of libraries that are inherited or wrapped, and instances made anew of them."""

from . import Group

add = Group("libraries")

EDIT = ("return 1", "return 2")

add("classmethod alternative constructor, subclass", """
    class A:
        x = 1
        @classmethod
        def make(cls, n=1):
            o = cls(); o.n = n
            return o
    """, "import m\nclass B(m.A): pass\nmake = B.make; mk2 = m.A.make", [("n=1", "n=5"), ("x = 1", "x = 2")],
    "b = make(); assert type(b) is B and b.n == 5 and b.x == 2 and mk2().n == 5")
add("dataclass frozen slots weakref_slot, a dict key", """
    import dataclasses
    @dataclasses.dataclass(frozen=True, slots=True, weakref_slot=True)
    class P:
        x: int
        def f(self):
            return 1
    """, "import m, weakref; p = m.P(1); d = {p: 'v'}; w = weakref.ref(p)",
    [EDIT, ("x: int", "x: int\n    y: int = 7")],
    "assert d[m.P(1)] == 'v' and p.y == 7 and w() is p and p.f() == 2")
add("class decorator that wraps in a subclass", """
    def sub(cls):
        class Wrapped(cls):
            def g(self): return ("g", self.f())
        Wrapped.__name__ = cls.__name__; Wrapped.__qualname__ = cls.__qualname__
        return Wrapped
    @sub
    class A:
        k = 1
        def f(self):
            return 1
    """, "import m; a = m.A(); held = a.g", [EDIT, ("k = 1", "k = 2")],
    "assert a.g() == held() == ('g', 2) and type(a) is m.A and a.k == 2")
add("Generic[T] with subclasses elsewhere", """
    from typing import Generic, TypeVar
    T = TypeVar("T")
    class Box(Generic[T]):
        def __init__(self, v): self.v = v
        def get(self) -> T:
            return 1
    """, "import m, user; b = user.IntBox(3); alias = m.Box[int]; c = alias(4)",
    [EDIT, ("class Box(Generic[T]):", "class Box(Generic[T]):\n    z = 3")],
    "assert b.get() == 2 and b.z == 3 and alias.__origin__ is m.Box and m.Box[int] == alias and "
    "type(c) is m.Box and isinstance(b, m.Box) and c.__orig_class__ == alias",
    others={"user.py": "import m\nclass IntBox(m.Box[int]): pass"})
add("contextmanager open across the edit", """
    import contextlib
    log = []
    @contextlib.contextmanager
    def cm(x=1):
        log.append("in")
        yield x
        log.append("old out")
    """, "import m; held = m.cm; c = m.cm(); c.__enter__()", [("old out", "new out"), ("x=1", "x=2")], """
    c.__exit__(None, None, None); assert m.log == ['in', 'old out']
    with held() as v: pass
    assert v == 2 and m.log[-1] == 'new out'
    """)
add("async function, running task", """
    import asyncio
    async def step():
        return 1
    async def main(out, go):
        while len(out) < 4:
            out.append(await step())
            await go.wait(); go.clear()
    """, """
    import m, asyncio
    loop = asyncio.new_event_loop()
    out = []; go = asyncio.Event()
    t = loop.create_task(m.main(out, go))
    loop.call_later(0.02, loop.stop); loop.run_forever()
    """, [EDIT, ("import asyncio", "import asyncio\nZ9 = 1")], """
    for _ in range(2):
        go.set(); loop.call_later(0.02, loop.stop); loop.run_forever()
    assert out == [1, 2, 2], out
    t.cancel(); loop.call_later(0.02, loop.stop); loop.run_forever(); loop.close()
    """)
add("async context manager and asyncio.Queue of functions", """
    import contextlib
    @contextlib.asynccontextmanager
    async def cm(x=1):
        yield x
    async def job():
        return 1
    """, """
    import m, asyncio
    loop = asyncio.new_event_loop()
    q = asyncio.Queue(); q.put_nowait(m.job); held = m.cm
    """, [EDIT, ("x=1", "x=2")], """
    async def go():
        async with held() as v:
            return v, await q.get_nowait()()
    assert loop.run_until_complete(go()) == (2, 2)
    """)
add("comparison with total_ordering", """
    import functools
    @functools.total_ordering
    class V:
        def __init__(self, n): self.n = n
        def __eq__(self, o): return self.n == o.n
        def __lt__(self, o): return self.n < o.n
    """, "import m; a, b = m.V(1), m.V(2)", ("self.n < o.n", "self.n > o.n"),
    "assert b < a and a > b and a >= b and not a <= b")
add("descriptor with per-instance weak dict", """
    import weakref
    class D:
        def __init__(self): self.data = weakref.WeakKeyDictionary()
        def __get__(self, o, t):
            if o is None: return self
            return self.data.get(o, 0)
        def __set__(self, o, v): self.data[o] = v
    class A:
        v = D()
        k = 1
    """, "import m; a = m.A(); a.v = 5", ("k = 1", "k = 2"), "assert a.v == 5 and a.k == 2")
add("descriptor typed fields (validators)", """
    class Int:
        def __set_name__(self, owner, name): self.name = '_' + name; self.owner = owner
        def __get__(self, o, t):
            return self if o is None else getattr(o, self.name)
        def __set__(self, o, v):
            if not isinstance(v, int): raise TypeError
            setattr(o, self.name, v)
    class A:
        x = Int()
        def __init__(self): self.x = 1
    """, "import m; a = m.A()",
    [("if not isinstance(v, int): raise TypeError", "if not isinstance(v, (int, str)): raise TypeError"),
    ("x = Int()", "x = Int()\n    y = Int()")],
    "a.x = 's'; a.y = 4; assert a.x == 's' and m.A.x.owner is m.A and m.A.y.owner is m.A and "
    "vars(a) == {'_x': 's', '_y': 4}")
add("weakref callbacks and finalizers", """
    import weakref
    log = []
    def gone(*a):
        log.append(1)
    class A: pass
    """, "import m, weakref; a = m.A(); weakref.finalize(a, m.gone); w = weakref.ref(a, m.gone)",
    [("append(1)", "append(2)"), ("def gone(*a)", "def gone(*a, z=1)")], "del a; assert m.log == [2, 2], m.log")
add("heap of callbacks: heapq and PriorityQueue", """
    import functools
    @functools.total_ordering
    class Job:
        def __init__(self, p): self.p = p
        def __lt__(self, o): return self.p < o.p
        def __eq__(self, o): return self.p == o.p
        def run(self):
            return 1
    """, "import m, heapq; h = [m.Job(3), m.Job(1), m.Job(2)]; heapq.heapify(h)",
    [EDIT, ("class Job:", "class Job:\n    k = 3")],
    "assert [heapq.heappop(h).p for _ in range(3)] == [1, 2, 3] and m.Job(1).run() == 2")
add("context manager class with ExitStack", """
    class R:
        def __enter__(self): return self
        def __exit__(self, *a):
            log.append(1)
    log = []
    """, "import m, contextlib; s = contextlib.ExitStack(); s.enter_context(m.R())",
    [("append(1)", "append(2)"), ("log = []", "log = []\nK = 1")], "s.close(); assert m.log == [2]")
add("OSError subclass base swap", "class E(OSError):\n    k = 1", "import m\ne = m.E(2, 'no', 'file')",
    ("k = 1", "k = 2\n    __slots__ = ('q',)"), "assert e.errno == 2 and e.filename == 'file' and e.k == 2")
add("datetime subclass gains slots", "import datetime\nclass D(datetime.date):\n    k = 1",
    "import m; d = m.D(2020, 1, 2)", ("k = 1", "__slots__ = ()\n    k = 2"),
    "assert d.year == 2020 and d.k == 2 and type(d) is m.D")
add("Decimal subclass", "import decimal\nclass D(decimal.Decimal):\n    k = 1", "import m; d = m.D('1.5')",
    ("k = 1", "__slots__ = ()\n    k = 2"), "assert str(d) == '1.5' and d.k == 2")
add("pathlib subclass", "import pathlib\nclass P(pathlib.PosixPath):\n    k = 1",
    "import m; p = m.P('/tmp/x'); d = {p: 1}", ("k = 1", "k = 2\n    def f(self): return 1"),
    "assert p.k == 2 and p.f() == 1 and d[m.P('/tmp/x')] == 1")
add("threading.Thread subclass running", """
    import threading
    class T(threading.Thread):
        def __init__(self):
            super().__init__(); self.go = threading.Event(); self.out = []
        def run(self):
            self.go.wait(5); self.out.append(self.step())
        def step(self):
            return 1
    """, "import m; t = m.T(); t.start()",
    [EDIT, ("class T(threading.Thread):", "class T(threading.Thread):\n    k = 1")],
    "t.go.set(); t.join(5); assert t.out == [2] and t.k == 1")
add("thread subclass gains slots-less base", """
    import threading
    class M: pass
    class T(threading.Thread):
        def __init__(self):
            super().__init__(); self.go = threading.Event(); self.out = []
        def run(self):
            self.go.wait(5); self.out.append(self.step())
        def step(self):
            return 1
    """, "import m; t = m.T(); t.start()",
    [EDIT, ("class T(threading.Thread)", "class T(M, threading.Thread)")],
    "t.go.set(); t.join(5); assert t.out == [2] and isinstance(t, m.M)")
add("io subclass", "import io\nclass S(io.StringIO):\n    k = 1", "import m; s = m.S(); s.write('x')",
    ("k = 1", "k = 2"), "assert s.k == 2 and s.getvalue() == 'x' and type(s) is m.S")
add("async becomes sync method", "class A:\n    async def f(self):\n        return 1",
    "import m; a = m.A(); h = a.f", "class A:\n    def f(self):\n        return 2",
    "assert a.f() == 2 and h() == 2")
add("weakref proxy to an instance and class", "class A:\n    x = 1\n    def f(self): return 1",
    "import m, weakref; a = m.A(); p = weakref.proxy(a); r = weakref.ref(m.A)", [("x = 1", "x = 2"), EDIT],
    "assert p.x == 2 and p.f() == 2 and r() is m.A")
add("str overridden", "class D(str):\n    k = 1\n    def __str__(self): return 'other'",
    "import m; d = m.D('x'); d.y = 3", ("k = 1", "k = 2\n    def __hash__(self): return 5"),
    "assert type(d) is m.D and d == 'x' and d.y == 3 and hash(d) == 5")
add("int overridden", "class D(int):\n    k = 1\n    def __int__(self): return 99", "import m; d = m.D(5)",
    ("k = 1", "k = 2\n    def __hash__(self): return 5"), "assert type(d) is m.D and d == 5")
add("tuple overridden", "class D(tuple):\n    k = 1\n    def __iter__(self): return iter('ab')",
    "import m; d = m.D([5, 6]); d.y = 1", ("k = 1", "k = 2\n    def __hash__(self): return 5"),
    "assert type(d) is m.D and tuple.__getitem__(d, 0) == 5 and d.y == 1")
add("StringIO refused", "import io\nclass D(io.StringIO):\n    k = 1", "import m; d = m.D('5')",
    ("k = 1", "__slots__ = ('q',)\n    k = 2"), "assert type(d) is m.D and d.getvalue() == '5' and d.k == 1")
add("base exception changed", "class E(ValueError):\n    pass",
    "import m\ntry:\n    raise m.E(5)\nexcept m.E as e_:\n    e = e_", ("ValueError", "KeyError"),
    "assert isinstance(e, KeyError) and type(e) is m.E and e.args == (5,) and e.__traceback__")
add("slots in package: from . import x computed", "import pkg", "import m, pkg.b", ("\n", "\n\n"),
    "assert pkg.b.Y == 20 and pkg.b.Z == 20", others={"pkg/__init__.py": "",
            "pkg/a.py": "X = 1",
            "pkg/b.py": "from . import a\nimport pkg.a\nY = a.X\nZ = pkg.a.X"},
    edits={"pkg/a.py": ("X = 1", "X = 20"),
            "pkg/b.py": ("Y = a.X\nZ = pkg.a.X", "Y = a.X + 0\nZ = pkg.a.X + 0")})
add("gc.collect at import", """
    import gc
    class A:
        x = 1
        def f(self):
            return 1
    gc.collect()
    X = [1]
    gc.collect()
    gc.collect()
    """, "import m; a = m.A(); X = m.X", [("x = 1", "x = 2"), EDIT, ("[1]", "[2]")],
    "assert a.x == 2 and a.f() == 2 and X is m.X and X == [2]")
add("value in if, condition edited", "D = True\nif D:\n    X = 1\nelse:\n    X = 2", "import m",
    ("if D", "if not D"), "assert m.X == 2")
add("closures of a factory, signature edited twice", """
    def make(n):
        def inner(x=1):
            return n + x
        return inner
    """, "import m; held = m.make(10)", [("def make(n)", "def make(n, k=0)"), ("n + x", "n + x + 100")],
    "assert held() == 111", again=([("k=0", "k=1"), ("100", "200")],
    "assert held() == 211"))
add("a timer that is pending", "import threading\nlog = []\ndef f(x=0):\n    log.append(1)",
    "import m, threading; t = threading.Timer(1, m.f); t.start()",
    [("append(1)", "append(2)"), ("x=0", "x=1")], "t.join(); assert m.log == [2]")
add("call_later with a bound method, call_soon_threadsafe", """
    import asyncio
    class A:
        def __init__(self): self.log = []
        def f(self):
            self.log.append(1)
    """, """
    import m, asyncio
    loop = asyncio.new_event_loop(); a = m.A(); loop.call_later(0.01, a.f); loop.call_soon_threadsafe(a.f)
    """, [("append(1)", "append(2)"), ("class A:", "class A:\n    __slots__ = ('log',)")],
    "loop.call_later(0.05, loop.stop); loop.run_forever(); loop.close(); assert a.log == [2, 2]")
add("a subclass elsewhere of a named tuple with a new field",
    "import typing\nclass P(typing.NamedTuple):\n    x: int", "import m, user; p = user.Q(1); d = {p: 1}",
    ("x: int", "x: int\n    y: int = 5"),
    "assert p.y == 5 and p.total() == 6 and type(p) is user.Q and d[user.Q(1)] == 1",
    others={"user.py": "import m\nclass Q(m.P):\n    def total(self): return self.x + self.y"})
add("a coroutine of an instance that is rebuilt", """
    import asyncio
    class A:
        def __init__(self): self.n = 0
        async def run(self, go):
            while self.n < 3:
                self.n += self.step()
                await go.wait(); go.clear()
        def step(self):
            return 1
    """, """
    import m, asyncio
    loop = asyncio.new_event_loop(); a = m.A(); go = asyncio.Event()
    t = loop.create_task(a.run(go)); loop.call_soon(loop.stop); loop.run_forever()
    """, [EDIT, ("class A:", "class A:\n    __slots__ = ('n',)")], """
    for _ in range(2):
        go.set(); loop.call_later(0.02, loop.stop); loop.run_forever()
    assert a.n == 3 and t.done() and not hasattr(a, '__dict__')
    """)
add("a context decorator", """
    import contextlib
    log = []
    class C(contextlib.ContextDecorator):
        def __enter__(self): log.append(1)
        def __exit__(self, *a): pass
    @C()
    def f():
        return 1
    """, "import m; f = m.f; f()", [("log.append(1)", "log.append(2)"), EDIT],
    "assert f() == 2 and m.log == [1, 2]")
add("a subclass of an edited dataclass elsewhere gets the default",
    "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 1", "import m, user; b = user.B()",
    ("x: int = 1", "x: int = 1\n    z: int = 9"), "assert b.z == 9 and user.B().z == 9", others={"user.py": """
    import m, dataclasses
    @dataclasses.dataclass
    class B(m.A):
        y: int = 2
    """})
add("a logger's filter, an excepthook", """
    import logging, sys
    class F(logging.Filter):
        def filter(self, r):
            r.msg = 'old'
            return True
    def hook(*a, x=0):
        return 1
    """, "import m, sys, logging; log = logging.getLogger('q1'); log.addFilter(m.F()); "
    "sys.excepthook = m.hook; sys.breakpointhook = m.hook", [("'old'", "'new'"), ("x=0", "x=1"), EDIT], """
    assert sys.excepthook() == 2 == sys.breakpointhook() and sys.excepthook is m.hook
    r = logging.LogRecord('n', 10, 'p', 1, 'm', (), None); log.filter(r); assert r.msg == 'new'
    """)
add("functions in a ChainMap, Counter, defaultdict factory",
    "import collections\nclass V:\n    n = 1\ndef make(x=0): return V()",
    "import m, collections; d = collections.defaultdict(m.make); e = collections.defaultdict(m.V); "
    "c = collections.ChainMap({}, {'f': m.make}); k = collections.Counter([m.make])",
    [("n = 1", "n = 2"), ("x=0", "x=1")],
    "assert d[0].n == e[0].n == 2 and c['f'] is m.make and k[m.make] == 1 and d.default_factory is m.make")
add("sqlite adapters, json default, copyreg", """
    import sqlite3, json
    class P:
        def __init__(self, x): self.x = x
    def adapt(p, q=0):
        return 'old'
    db = sqlite3.connect(':memory:', check_same_thread=False)
    sqlite3.register_adapter(P, adapt)
    db.create_function('f', 0, lambda: 'old')
    """, "import m; p = m.P(1); db = m.db; import json; enc = json.JSONEncoder(default=m.adapt)",
    [("'old'\ndb", "'new'\ndb"), ("q=0", "q=1")],
    "assert m.db is db and db.execute('select ?', (p,)).fetchone() == ('new',) and "
    "enc.encode(p) == '\"new\"'")


def rebuilt(base: str, arguments: str, check: str, *, module: str = "builtins", methods: str = "") -> None:
    """An instance of a class that inherits from a type in C, and gains a slot."""
    add(f"a slot for a subclass of {base}",
        f"import {module}\nfrom {module} import {base}\nclass D({base}):\n    k = 1\n{methods}",
        f"import m, {module}\nd = m.D({arguments})\nheld = [d]", ("k = 1", "__slots__ = ('q',)\n    k = 2"),
        f"d.q = 1; assert type(d) is m.D and (d.k, d.q) == (2, 1) and held[0] is d; assert {check}")


rebuilt("date", "2020, 1, 2", "d == datetime.date(2020, 1, 2)", module="datetime")
rebuilt("datetime", "2020, 1, 2, tzinfo=datetime.timezone.utc",
        "d == datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc)", module="datetime")
rebuilt("Decimal", "'1.5'", "d == decimal.Decimal('1.5')", module="decimal")
rebuilt("OSError", "2, 'no', 'file'", "d.errno == 2 and d.filename == 'file'")
rebuilt("ImportError", "'a', name='b', path='c'", "(d.msg, d.name, d.path) == ('a', 'b', 'c')")
rebuilt("AttributeError", "'a', name='b', obj=3", "d.name == 'b' and d.obj == 3")
rebuilt("SyntaxError", "'a', ('f', 1, 2, 'text')", "(d.msg, d.lineno, d.text) == ('a', 1, 'text')")
rebuilt("UnicodeDecodeError", "'a', b'b', 0, 1, 'r'", "(d.encoding, d.reason) == ('a', 'r')")
rebuilt("ExceptionGroup", "'a', [ValueError(1)]", "d.message == 'a' and d.exceptions[0].args == (1,)")
rebuilt("defaultdict", "list, {1: [2]}", "d[1] == [2] and d[5] == []", module="collections")
rebuilt("OrderedDict", "{2: 1, 1: 2}", "list(d) == [2, 1]; d.move_to_end(2); assert list(d) == [1, 2]",
        module="collections", methods="    def items(self): raise LookupError\n")
rebuilt("Counter", "'aab'", "d['a'] == 2 and d['z'] == 0", module="collections")
rebuilt("UserDict", "{1: 2}", "d[1] == 2", module="collections")
rebuilt("deque", "[1, 2], maxlen=2", "list(d) == [1, 2] and d.maxlen == 2", module="collections")
rebuilt("partial", "max, 1, key=abs", "d(-3) == -3 and d.keywords == {'key': abs}", module="functools")
rebuilt("list", "[1, 2]", "len(d) == 2", methods="    def __iter__(self): raise LookupError\n")
rebuilt("dict", "{1: 2}", "dict.__getitem__(d, 1) == 2",
        methods="    def __iter__(self): raise LookupError\n    def keys(self): raise LookupError\n"
                "    def __setitem__(self, key, value): raise LookupError\n")
