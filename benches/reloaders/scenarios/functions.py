"""Functions, wherever they were put."""

from . import Group

add = Group("functions")

F = "def f():\n    return 1\n"
EDIT = ("return 1", "return 2")

add("in the module", F, "import m", EDIT, "assert m.f() == 2")
add("imported by name", F, "from m import f", EDIT, "assert f() == 2")
add("imported into another module", F, "import m, user", EDIT, "assert user.call() == 2",
    others={"user.py": "from m import f\ndef call():\n    return f()"})
add("in a list", F, "import m; held = [m.f]", EDIT, "assert held[0]() == 2")
add("in a tuple", F, "import m; held = (m.f,)", EDIT, "assert held[0]() == 2")
add("as a value in a dict", F, "import m; held = {'f': m.f}", EDIT, "assert held['f']() == 2")
add("as a key in a dict", F, "import m; held = {m.f: 'v'}", EDIT,
    "assert held[m.f] == 'v' and [*held][0]() == 2")
add("in a frozenset", F, "import m; held = frozenset([m.f])", EDIT,
    "assert m.f in held and [*held][0]() == 2")
add("in a closure", F,
    "import m\ndef outer(g):\n    return lambda: g()\nheld = outer(m.f)", EDIT,
    "assert held() == 2")
add("as a default", F, "import m\ndef held(g=m.f):\n    return g()", EDIT, "assert held() == 2")
add("in a partial", "def f(x):\n    return x + 1\n",
    "import m, functools; held = functools.partial(m.f, 1)", ("x + 1", "x + 2"),
    "assert held() == 3")
add("a bound method", "class A:\n    def f(self):\n        return 1\n",
    "import m; held = m.A().f", EDIT, "assert held() == 2", origin="Dart: tear-offs")
add("a function of a class", "class A:\n    def f(self):\n        return 1\n",
    "import m; held = m.A.f; a = m.A()", EDIT, "assert held(a) == 2")
add("a callback registry", F,
    "import m, registry; registry.register(m.f)", EDIT, "assert registry.run() == [2]",
    others={"registry.py": "hooks = []\nregister = hooks.append\n"
                           "def run():\n    return [h() for h in hooks]"})
add("registers itself when imported", "import registry\n@registry.register\n" + F,
    "import m, registry", EDIT, "assert registry.run() == {'f': 2}",
    others={"registry.py": "hooks = {}\ndef register(f):\n    hooks[f.__name__] = f\n    return f\n"
                           "def run():\n    return {n: h() for n, h in hooks.items()}"})
add("registers itself in a list, once", "import registry\n@registry.register\n" + F + "X = 1\n",
    "import m, registry", [EDIT, ("X = 1", "X = 2")], "assert registry.run() == [2]",
    others={"registry.py": "hooks = []\ndef register(f):\n    hooks.append(f)\n    return f\n"
                           "def run():\n    return [h() for h in hooks]"})
add("decorated", """
    import functools
    def twice(f):
        @functools.wraps(f)
        def wrapper():
            return f() * 2
        return wrapper
    @twice
    def f():
        return 1
    """, "from m import f", EDIT, "assert f() == 4")
add("a decorator from elsewhere", "from deco import twice\n@twice\n" + F, "from m import f", EDIT,
    "assert f() == 4",
    others={"deco.py": "def twice(f):\n    def wrapper():\n        return f() * 2\n    return wrapper"})
add("a decorator edited", """
    def times(f):
        def wrapper():
            return f() * 2
        return wrapper
    @times
    def f():
        return 1
    """, "from m import f", ("* 2", "* 3"), "assert f() == 3")
add("a decorator's argument edited", """
    def times(n):
        def decorate(f):
            def wrapper():
                return f() * n
            return wrapper
        return decorate
    @times(2)
    def f():
        return 1
    """, "from m import f", ("@times(2)", "@times(3)"), "assert f() == 3")
add("a decorator added", "def twice(f):\n    return lambda: f() * 2\n\n" + F, "from m import f",
    ("def f()", "@twice\ndef f()"), "assert f() == 2")
add("a decorator removed", "def twice(f):\n    return lambda: f() * 2\n\n@twice\n" + F,
    "from m import f", ("@twice\n", ""), "assert f() == 1")
add("a decorator's state", """
    def counted(f):
        calls = 0
        def wrapper():
            nonlocal calls
            calls += 1
            return f(), calls
        return wrapper
    @counted
    def f():
        return 1
    """, "from m import f; f(); f()", EDIT, "assert f() == (2, 3)")
add("lru_cache", "import functools\n@functools.lru_cache\n" + F, "from m import f; f()", EDIT,
    "assert f() == 2")
add("lru_cache of an unchanged function", "import functools\ncalls = []\n@functools.lru_cache\n"
    "def f():\n    calls.append(1)\n    return len(calls)\ndef g():\n    return 1\n",
    "from m import f, g; f()", EDIT, "assert f() == 1 and g() == 2")
add("lru_cache under another decorator", "import functools\ndef plain(f):\n    @functools.wraps(f)\n"
    "    def wrapper():\n        return f()\n    return wrapper\n@plain\n@functools.lru_cache\n" + F,
    "from m import f; f()", EDIT, "assert f() == 2",
    again=(("def f()", "def f(x=0)"), "assert f() == 2"))
add("lru_cache above another decorator", "import functools\ndef plain(f):\n    def wrapper():\n        return f()\n"
    "    return wrapper\n@functools.lru_cache\n@plain\n" + F, "from m import f; f()", EDIT, "assert f() == 2")
add("lru_cache in another module", F, "import m, user; user.g()", EDIT, "assert user.g() == 2",
    others={"user.py": "import functools, m\ng = functools.lru_cache(m.f)\n"},
    again=([("return 2", "return 3"), ("def f()", "def f(x=0)")], "assert user.g() == 3"))
add("lru_cache that a function returns", "import functools\ndef make():\n    @functools.cache\n    def inner():\n"
    "        return 1\n    return inner\nI = make()\n", "from m import I; I()", EDIT, "assert I() == 2",
    again=([("return 2", "return 3"), ("def make()", "def make(x=0)")], "assert I() == 3"))
add("lru_cache on a method", "import functools\nclass A:\n    @functools.lru_cache\n"
    "    def f(self):\n        return 1\n", "import m; a = m.A(); a.f()", EDIT, "assert a.f() == 2")
add("singledispatch", """
    import functools
    @functools.singledispatch
    def f(x):
        return 1
    @f.register
    def _(x: int):
        return "int"
    """, "from m import f; f(0)", [EDIT, ('"int"', '"INT"')],
    "assert (f(''), f(0)) == (2, 'INT')", origin="IPython #13258")
add("singledispatch registered elsewhere", """
    import functools
    @functools.singledispatch
    def f(x):
        return 1
    """, "import other; from m import f; f(0)", EDIT, "assert (f(''), f(0)) == (2, 'int')",
    others={"other.py": "from m import f\n@f.register\ndef _(x: int):\n    return 'int'"},
    origin="IPython #13258")
add("singledispatch: a type added", """
    import functools
    @functools.singledispatch
    def f(x):
        return 1
    """, "from m import f; f(0)", ("return 1\n",
    "return 1\n@f.register\ndef _(x: int):\n    return 'int'\n"),
    "assert (f(''), f(0)) == (1, 'int')", origin="IPython #13258")
add("atexit", "log = []\ndef f():\n    log.append(1)\n",
    "import m, atexit; atexit.register(m.f)", ("append(1)", "append(2)"),
    "atexit._run_exitfuncs(); assert m.log == [2]")
add("a signal handler", "log = []\ndef f(*args):\n    log.append(1)\n",
    "import m, signal; signal.signal(signal.SIGUSR1, m.f)", ("append(1)", "append(2)"),
    "signal.raise_signal(signal.SIGUSR1); assert m.log == [2]")
add("an event loop's callback", "log = []\ndef f():\n    log.append(1)\n",
    "import m, asyncio\nloop = asyncio.new_event_loop()\nloop.call_soon(m.f)",
    ("append(1)", "append(2)"),
    "loop.call_soon(loop.stop); loop.run_forever(); loop.close(); assert m.log == [2]",
    origin="Dart: pending calls")
add("the target of a thread not yet started", "log = []\ndef f():\n    log.append(1)\n",
    "import m, threading; thread = threading.Thread(target=m.f)", ("append(1)", "append(2)"),
    "thread.start(); thread.join(); assert m.log == [2]", origin="Dart: pending calls")
add("a context variable's value", F, "import m, contextvars\nvar = contextvars.ContextVar('v')\n"
    "var.set(m.f)", EDIT, "assert var.get()() == 2")
add("weakly held method", "class A:\n    def f(self):\n        return 1\n",
    "import m, weakref; a = m.A(); held = weakref.WeakMethod(a.f)", EDIT,
    "assert held()() == 2")
add("weakly held function", F, "import m, weakref; held = weakref.ref(m.f)", [EDIT, (
    "def f()", "def f(x=0)")], "assert held() is m.f and m.f() == 2")
add("made by a factory before", """
    def make(n):
        def inner():
            return n + 1
        return inner
    """, "import m; held = m.make(10)", ("n + 1", "n + 2"), "assert held() == 12")
add("made by a factory, with other free variables", """
    def make(n, k):
        def inner():
            return n + 1
        return inner
    """, "import m; held = m.make(10, 5)", ("n + 1", "n + k"),
    "assert held() == 11 and m.make(10, 5)() == 15")
add("a lambda of a factory", "def make(n):\n    return lambda: n + 1\n",
    "import m; held = m.make(10)", ("n + 1", "n + 2"), "assert held() == 12")
add("a lambda in a table", "TABLE = {'f': lambda: 1}\n", "from m import TABLE",
    ("lambda: 1", "lambda: 2"), "assert TABLE['f']() == 2")
add("a lambda bound to a name", "f = lambda: 1\n", "from m import f",
    ("lambda: 1", "lambda: 2"), "assert f() == 2")
add("free variables gained", """
    def make(k):
        def f():
            return 1
        return f
    f = make(5)
    """, "from m import f", ("return 1", "return k"), "import m; assert m.make(7)() == 7")
add("a method that gains super()", """
    class A:
        def f(self):
            return 1
    class B(A):
        def f(self):
            return 2
    """, "from m import B; b = B(); held = b.f", ("return 2", "return super().f() + 10"),
    "assert b.f() == 11 and held() == 11")
add("a method that loses super()", """
    class A:
        def f(self):
            return 1
    class B(A):
        def f(self):
            return super().f()
    """, "from m import B; b = B(); held = b.f", ("return super().f()", "return 5"),
    "assert b.f() == 5 and held() == 5")
add("defaults", "def f(x=1):\n    return x\n", "from m import f", ("x=1", "x=2"),
    "assert f() == 2")
add("keyword defaults", "def f(*, x=1):\n    return x\n", "from m import f", ("x=1", "x=2"),
    "assert f() == 2")
add("a default that is mutable state", "def f(x=[]):\n    x.append(1)\n    return len(x)\n"
    "def g():\n    return 1\n", "from m import f, g; f()", EDIT, "assert f() == 2 and g() == 2")
add("arguments added", F, "from m import f", ("f()", "f(x, *, y=2)"),
    "import inspect; assert str(inspect.signature(f)) == '(x, *, y=2)'")
add("annotations", F, "from m import f", ("f()", "f() -> int"),
    "assert f.__annotations__ == {'return': int}")
add("a docstring", 'def f():\n    "old"\n', "from m import f", ("old", "new"),
    "assert f.__doc__ == 'new'")
add("attributes of a function", "def f():\n    return 1\nf.tag = 1\n", "from m import f",
    ("f.tag = 1", "f.tag = 2"), "assert f.tag == 2")
add("becomes a generator", F, "from m import f", ("return", "yield"),
    "assert list(f()) == [1]")
add("becomes a coroutine", F, "from m import f", ("def f", "async def f"),
    "import asyncio; assert asyncio.run(f()) == 1")
add("becomes a class", F, "import user, m; held = [user.f]",
    "class f:\n    x = 5\n", "assert held[0] is m.f is user.f and held[0]().x == 5",
    others={"user.py": "from m import f"})
add("becomes an object", F, "from m import f; held = [f]",
    "class _F:\n    def __call__(self):\n        return 5\nf = _F()\n",
    "assert held[0]() == 5 and f() == 5")
add("a suspended generator finishes its code", """
    def f():
        yield 1
        yield 1
    """, "import m; g = m.f(); next(g)", ("yield 1", "yield 2"),
    "assert [*g] == [1] and [*m.f()] == [2, 2]", origin="Dart: live stacks")
add("a suspended coroutine finishes its code", """
    import asyncio
    async def f(event):
        await event.wait()
        return 1
    """, "import m, asyncio\nloop = asyncio.new_event_loop()\nevent = asyncio.Event()\n"
    "task = loop.create_task(m.f(event))\nloop.run_until_complete(asyncio.sleep(0))", EDIT,
    "event.set(); assert loop.run_until_complete(task) == 1\n"
    "assert loop.run_until_complete(m.f(event)) == 2\nloop.close()", origin="Dart: live stacks")
add("a running thread's next call", """
    import queue
    inbox, outbox = queue.Queue(), queue.Queue()
    def step():
        return 1
    def loop():
        while inbox.get():
            outbox.put(step())
    """, "import m, threading\nthread = threading.Thread(target=m.loop, daemon=True)\n"
    "thread.start()\nm.inbox.put(1)\nassert m.outbox.get() == 1\ninbox, outbox = m.inbox, m.outbox",
    EDIT, "inbox.put(1); got = outbox.get(timeout=5); inbox.put(0); assert got == 2",
    origin="Dart: live stacks")
add("an unchanged one keeps its identity", F + "def g():\n    return 3\nX = 1\n",
    "import m; held = m.g, id(m.g)", [EDIT, ("X = 1", "X = 2")],
    "assert m.g is held[0] and id(m.g) == held[1]")
add("lines move", F + "def g():\n    raise ValueError\n", "from m import g", ("return 1",
    "x = 1\n    return x"), "import traceback\ntry:\n    g()\nexcept ValueError as e:\n"
    "    assert traceback.extract_tb(e.__traceback__)[-1].lineno == 5")
add("two edits in a row", """
    def make(n):
        def inner():
            return n + 1
        return inner
    """, "import m; held = m.make(10)", ("n + 1", "n + 2"), "assert held() == 12",
    again=(("n + 2", "n + 3"), "assert held() == 13"))
add("a body and a computed global", "import time\nSTARTED = time.time()\n" + F,
    "from m import f", [EDIT, ("time.time()", "time.time() + 1")], "assert f() == 2")
add("pickled by name", F, "import m, pickle; data = pickle.dumps(m.f); held = m.f",
    [EDIT, ("f()", "f(x=0)")], "assert pickle.loads(data)() == 2; pickle.dumps(held)",
    origin="IPython #11588")
add("a static and a class method", "class A:\n    @staticmethod\n    def s():\n        return 1\n"
    "    @classmethod\n    def c(cls):\n        return 1\n",
    "from m import A; a = A(); s, c = a.s, a.c", EDIT, "assert (a.s(), a.c(), s(), c()) == (2,) * 4")
add("a method becomes static", "class A:\n    def f(self):\n        return 1\n",
    "from m import A; a = A()", ("def f(self)", "@staticmethod\n    def f()"),
    "assert a.f() == A.f() == 1")
add("a contextmanager", "import contextlib\n@contextlib.contextmanager\ndef f():\n    yield 1\n",
    "from m import f", ("yield 1", "yield 2"), "with f() as x:\n    assert x == 2")
add("attributes of a function set at run time", "def f(x=1):\n    f.calls += 1\n    return f.calls\nf.calls = 0\n",
    "import m; m.f(); m.f(); m.f.note = 'n'", ("x=1", "x=2"), "assert m.f() == 3 and m.f.note == 'n'")
add("singledispatchmethod", "import functools\nclass A:\n    @functools.singledispatchmethod\n"
    "    def f(self, x):\n        return 1\n    @f.register\n    def _(self, x: int):\n        return 'int'\n",
    "import m; a = m.A()", [EDIT, ("'int'", "'INT'"), ("class A:", "class A:\n    z = 3")],
    "assert (a.f(''), a.f(0), a.z) == (2, 'INT', 3)")
add("partialmethod", "import functools\nclass A:\n    def f(self, x):\n        return x + 1\n"
    "    g = functools.partialmethod(f, 5)\n", "import m; a = m.A()",
    [("x + 1", "x + 2"), ("class A:", "class A:\n    z = 3")], "assert a.g() == 7 and a.z == 3")
add("an alias in a class", "class A:\n    def f(self, x=1):\n        return 1\n    g = f\n",
    "import m; a = m.A(); g = a.g", [EDIT, ("x=1", "x=2")], "assert a.g() == g() == 2 and m.A.g is m.A.f")
add("an alias in the module", "def f(x=1):\n    return 1\ng = f\n", "from m import g", [EDIT, ("x=1", "x=2")],
    "import m; assert g() == 2 and m.g is m.f is g")
add("an alias that is edited", "def f():\n    return 1\ndef h():\n    return 3\ng = f\n", "import m; f = m.f",
    ("g = f", "g = h"), "assert m.g is m.h and m.f is f and f() == 1")
add("a stack of decorators", "import functools\n@functools.cache\n@functools.wraps(print)\ndef f(x=1):\n    return 1\n",
    "from m import f; f()", [EDIT, ("x=1", "x=2")], "assert f() == 2")
add("swapped names", "def f():\n    return 1\ndef g():\n    return 2\n", "from m import f, g",
    "def g():\n    return 1\ndef f():\n    return 2\n", "assert (f(), g()) == (2, 1)")
add("an async generator that is suspended", "async def f(x=1):\n    yield 1\n    yield 1\n",
    "import m, asyncio\nloop = asyncio.new_event_loop()\ng = m.f()\nloop.run_until_complete(anext(g))",
    ("yield 1", "yield 2"), "assert loop.run_until_complete(anext(g)) == 1\n"
    "assert loop.run_until_complete(anext(m.f())) == 2\nloop.run_until_complete(loop.shutdown_asyncgens())\n"
    "loop.close()", origin="Dart: live stacks")
add("a partial in a module", "import functools\ndef f(x, y=1):\n    return x + y\nadd5 = functools.partial(f, 5)\n",
    "from m import add5", ("y=1", "y=2"), "assert add5() == 7")
add("reloads itself", "import sys\ndef f(act):\n    act()\n    return g()\ndef g():\n    return 1\n",
    "import m", ("return 1", "return 2"), "assert m.f(lambda: None) == 2")
add("a decorator that counts, added and removed", "import functools\ndef count(f):\n    @functools.wraps(f)\n"
    "    def wrapper():\n        wrapper.calls += 1\n        return f()\n    wrapper.calls = 0\n    return wrapper\n" + F,
    "import m; from m import f; f.tag = 1", ("def f()", "@count\ndef f()"), "f(); assert f.calls == 1 == f.tag and m.f is f",
    again=(("@count\n", ""), "assert f() == 1 and m.f is f and not hasattr(f, 'calls')"))
add("a decorator that sets an attribute, its argument edited", "def tag(t):\n    def decorate(f):\n        f.tag = t\n"
    "        return f\n    return decorate\n@tag('a')\n" + F, "import m; from m import f; f.n = 5", ("'a'", "'b'"),
    "assert f.tag == 'b' and f.n == 5", again=([("f.tag = t", "f.tag = t + t")], "assert f.tag == 'bb' and f.n == 5"))
