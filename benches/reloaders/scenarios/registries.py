"""Handlers, plugins, routes: what a module registers, with others and with itself."""

from . import Group

add = Group("registries")

EDIT = ("return 1", "return 2")

add("__init_subclass__ registry in the same module", """
    class Plugin:
        registry = {}
        def __init_subclass__(cls, /, name, **k):
            super().__init_subclass__(**k)
            Plugin.registry[name] = cls
    class A(Plugin, name='a'):
        def f(self):
            return 1
    """, "import m; a = m.Plugin.registry['a']()",
    [EDIT, ("class A(Plugin, name='a'):", "class A(Plugin, name='a'):\n    z = 1")],
    "assert m.Plugin.registry == {'a': m.A} and a.f() == 2 and a.z == 1")
add("__init_subclass__ list registry in the same module", """
    class Plugin:
        registry = []
        def __init_subclass__(cls, **k):
            super().__init_subclass__(**k)
            cls.registry.append(cls)
    class A(Plugin):
        def f(self):
            return 1
    """, "import m, user; a = m.A()", [EDIT, ("class A(Plugin):", "class A(Plugin):\n    z = 1")],
    "assert m.Plugin.registry == [m.A, user.B], m.Plugin.registry; assert a.z == 1",
    others={"user.py": "import m\nclass B(m.Plugin): pass"})
add("plugin registry: dict of dicts elsewhere",
    "import app\n@app.command('x', help='h')\ndef x():\n    return 1", "import m, app", [EDIT, ("'h'", "'h2'")],
    "assert [c['f']() for c in app.commands] == [2] and app.commands[0]['help'] == 'h2', app.commands",
    others={"app.py": """
    commands = []
    def command(name, help):
        def deco(f):
            commands.append({'name': name, 'help': help, 'f': f})
            return f
        return deco
    """})
add("plugin registry: tuples elsewhere", "import app\n@app.on('x')\ndef x():\n    return 1", "import m, app",
    [EDIT, ("def x()", "def x(a=1)")], "assert [f() for e, f in app.handlers] == [2], app.handlers",
    others={"app.py": """
    handlers = []
    def on(e):
        def deco(f):
            handlers.append((e, f))
            return f
        return deco
    """})
add("plugin registry: defaultdict(list) elsewhere", "import app\n@app.on('x')\ndef x():\n    return 1",
    "import m, app", [EDIT, ("def x()", "def x(a=1)")],
    "assert [f() for f in app.handlers['x']] == [2], app.handlers", others={"app.py": """
    import collections
    handlers = collections.defaultdict(list)
    def on(e):
        def deco(f):
            handlers[e].append(f)
            return f
        return deco
    """})
add("plugin registry: wrapper objects elsewhere", "import app\n@app.command\ndef x():\n    return 1",
    "import m, app; x = m.x", [EDIT, ("def x()", "def x(a=1)")],
    "assert len(app.commands) == 1 and app.commands[0]() == 2 and "
    "app.commands[0] is m.x is x, (app.commands, m.x)", others={"app.py": """
    commands = []
    class Command:
        def __init__(self, f): self.f = f; self.calls = 0
        def __call__(self): self.calls += 1; return self.f()
    def command(f):
        c = Command(f)
        commands.append(c)
        return c
    """})
add("registry: event removed from the source", """
    import app
    @app.on
    def x():
        return 1
    @app.on
    def y():
        return 5
    """, "import m, app", "import app\n@app.on\ndef x():\n    return 1",
    "assert not hasattr(m, 'y') and m.x() == 1 and len(app.handlers) in (1, 2)",
    others={"app.py": "handlers = []\ndef on(f):\n    handlers.append(f)\n    return f"})
add("logging handler class and instance", """
    import logging
    records = []
    class H(logging.Handler):
        k = 1
        def emit(self, record):
            records.append("old " + record.getMessage())
    log = logging.getLogger("mylog")
    log.addHandler(H())
    log.propagate = False
    """, "import m; m.log.warning('a')", [('"old "', '"new "'), ("k = 1", "k = 2")],
    "m.log.warning('b'); assert m.records == ['old a', 'new b'], m.records; assert len(m.log.handlers) == 1")
add("atexit once", "import atexit\nlog = []\n@atexit.register\ndef f():\n    log.append(1)", "import m, atexit",
    [("log.append(1)", "log.append(2)"), ("log = []", "log = []\nX = 1")],
    "atexit._run_exitfuncs(); assert m.log == [2], m.log")
add("atexit of a failed reload", "import atexit\nlog = []\n@atexit.register\ndef f():\n    log.append(1)",
    "import m, atexit", [("log.append(1)", "log.append(2)"),
    ("log = []", "log = []\nX = 1"),
    ("def f()", "def f(x=1)"),
    ("append(2)\n", "append(2)\n1/0\n")], "atexit._run_exitfuncs(); assert m.log == [1], m.log")
add("tuples of a failed reload", "import app\n@app.on('x')\ndef x():\n    return 1",
    "import m, app; before = list(app.handlers)",
    [EDIT, ("def x()", "def x(a=1)"), ("return 2\n", "return 2\n1/0\n")],
    "assert app.handlers == before, app.handlers", others={"app.py": """
    handlers = []
    def on(e):
        def deco(f):
            handlers.append((e, f))
            return f
        return deco
    """})
add("overwritten wrappers of a failed reload", "import app\n@app.command\ndef x():\n    return 1",
    "import m, app; before = dict(app.commands)",
    [EDIT, ("def x()", "def x(a=1)"), ("return 2\n", "return 2\n1/0\n")],
    "assert [*app.commands] == ['x'] and app.commands['x']() == 1, app.commands", others={"app.py": """
    commands = {}
    class Command:
        def __init__(self, f): self.f = f
        def __call__(self): return self.f()
    def command(f):
        commands[f.__name__] = Command(f)
        return f
    """})
add("attribute of an object set by a failed reload", """
    import app
    def x():
        return 1
    app.hook.run = x
    app.Base.run = x
    app.current = x
    """, "import m, app; x = m.x",
    [EDIT, ("def x()", "def x(a=1)"), ("app.current = x\n", "app.current = x\n1/0\n")],
    "assert app.hook.run is x is app.current is app.Base.run and x() == 1",
    others={"app.py": "class Hook: pass\nclass Base: pass\nhook = Hook()\ncurrent = None"})
add("attribute of an object set by a reload", """
    import app
    def x():
        return 1
    app.hook.run = x
    app.Base.run = x
    app.current = x
    """, "import m, app; x = m.x", [EDIT, ("def x()", "def x(a=1)")],
    "assert app.hook.run is app.current is app.Base.run is m.x and app.current() == 2",
    others={"app.py": "class Hook: pass\nclass Base: pass\nhook = Hook()\ncurrent = None"})
add("signal handler of a failed reload", """
    import signal
    def x(*a):
        return 1
    signal.signal(signal.SIGUSR1, x)
    """, "import m, signal; x = m.x", [EDIT, ("x(*a)", "x(*a, b=1)"), ("SIGUSR1, x)\n", "SIGUSR1, x)\n1/0\n")],
    "assert signal.getsignal(signal.SIGUSR1) is x")
add("monkeypatch of another module, failed", """
    import app
    _orig = app.run
    def run():
        return _orig() + 1
    app.run = run
    """, "import m, app; assert app.run() == 11", [("+ 1", "+ 2"), ("app.run = run\n", "app.run = run\n1/0\n")],
    "assert app.run() == 11, app.run()", others={"app.py": "def run(): return 10"})
add("monkeypatch of another module", """
    import app
    _orig = app.run
    def run():
        return _orig() + 1
    app.run = run
    """, "import m, app; assert app.run() == 11", [("+ 1", "+ 2"), ("import app", "import app\nX = 1")],
    "assert app.run() == 12, app.run()", others={"app.py": "def run(): return 10"})
add("pydantic-like metaclass with registry of fields", """
    class Meta(type):
        def __new__(mc, name, bases, ns):
            cls = super().__new__(mc, name, bases, ns)
            cls.fields = [k for k in ns if not k.startswith('_')]
            return cls
    class A(metaclass=Meta):
        x = 1
    """, "import m; a = m.A()", ("x = 1", "x = 1\n    y = 2"), "assert m.A.fields == ['x', 'y'] and a.y == 2")
add("unnamed functions, two edits in a row", """
    import app
    @app.on
    def _():
        return 1
    @app.on
    def _():
        return 10
    K = 1
    """, "import m, app; a, b = app.handlers", [("return 10", "return 20"), ("K = 1", "K = 2")],
    "assert [h() for h in app.handlers] == [1, 20] and a() == 1",
    others={"app.py": "handlers = []\ndef on(f):\n    handlers.append(f)\n    return f"},
    again=([("return 20", "return 30"), ("return 1\n", "return 2\n"), ("K = 2", "K = 3")],
    "assert [h() for h in app.handlers] == [2, 30] and a() == 2 and b() == 30, [h() for h in app.handlers]"))
add("argparse types, click-like commands", """
    import argparse
    def number(s, k=0):
        return 1
    class Act(argparse.Action):
        def __call__(self, p, ns, v, o=None): setattr(ns, self.dest, 'old')
    parser = argparse.ArgumentParser()
    parser.add_argument('--n', type=number)
    parser.add_argument('--a', action=Act)
    """, "import m; p = m.parser", [EDIT, ("k=0", "k=1"), ("'old'", "'new'")],
    "assert m.parser is p; ns = p.parse_args(['--n', '3', '--a', 'x']); assert ns.n == 2 and ns.a == 'new'")
add("own registry: a handler is added", """
    HANDLERS = {}
    STATS = []
    def on(name):
        def deco(f):
            HANDLERS[name] = f
            return f
        return deco
    @on('a')
    def a():
        return 1
    """, "import m; H = m.HANDLERS; H['run'] = len; a = m.a",
    ("@on('a')", "@on('b')\ndef b():\n    return 10\n@on('a')"),
    "assert m.HANDLERS is H and H['b']() == 10 and H['b'] is m.b and H['run'] is len and H['a'] is m.a is a")
add("own registry: a handler's key is edited", """
    HANDLERS = {}
    STATS = []
    def on(name):
        def deco(f):
            HANDLERS[name] = f
            return f
        return deco
    @on('a')
    def a():
        return 1
    """, "import m; H = m.HANDLERS; H['run'] = len", ("@on('a')", "@on('z')"),
    "assert m.HANDLERS is H and [*H] == ['run', 'z'] and H['z'] is m.a and m.a() == 1, H")
add("own registry: a list of tuples", """
    HANDLERS = []
    def on(*args):
        def deco(f):
            HANDLERS.append((args, f))
            return f
        return deco
    @on('a')
    def a():
        return 1
    @on('b')
    def b():
        return 5
    """, "import m; H = m.HANDLERS; H.append((('r',), len))",
    [("@on('b')", "@on('c')\ndef c():\n    return 9\n@on('b', 2)"), EDIT],
    "assert m.HANDLERS is H and [(k, f()) for k, f in H if f is not len] == [(('a',), 2), (('b', 2), "
    "5), (('c',), 9)] and len(H) == 4, H")
add("own registry: closures appended, nothing added", """
    HANDLERS = []
    def on(f):
        HANDLERS.append(lambda: f())
        return f
    @on
    def a():
        return 1
    K = 1
    """, "import m; H = m.HANDLERS", [("K = 1", "K = 2"), EDIT],
    "assert m.HANDLERS is H and [h() for h in H] == [2], H")
add("own registry: closures appended, one added", """
    HANDLERS = []
    def on(f):
        HANDLERS.append(lambda: f())
        return f
    @on
    def a():
        return 1
    K = 1
    """, "import m; H = m.HANDLERS", ("K = 1", "K = 2\n@on\ndef b():\n    return 7\n"),
    "assert m.HANDLERS is H and [h() for h in H] == [1, 7], H")
add("own registry: unnamed functions, one added", """
    HANDLERS = []
    def on(f):
        HANDLERS.append(f)
        return f
    @on
    def _():
        return 1
    @on
    def _():
        return 5
    """, "import m; H = m.HANDLERS; x, y = H",
    ("@on\ndef _():\n    return 5\n", "@on\ndef _():\n    return 3\n@on\ndef _():\n    return 5\n"),
    "assert m.HANDLERS is H and sorted(h() for h in H) == [1, 3, 5] and H[0] is x and "
    "H[1] is y, [h() for h in H]")
add("own registry: an application object", """
    class App:
        def __init__(self):
            self.routes, self.hits = [], 0
        def get(self, path):
            def deco(f):
                self.routes.append(Route(path, f))
                return f
            return deco
    class Route:
        def __init__(self, path, f): self.path, self.f = path, f
    app = App()
    @app.get('/')
    def index():
        return 1
    """, "import m; app = m.app; app.hits = 5",
    [("@app.get('/')", "@app.get('/new')\ndef new():\n    return 9\n@app.get('/')"), EDIT],
    "assert m.app is app and app.hits == 5 and {r.path: r.f() for r in app.routes} == {'/': 2, "
    "'/new': 9} and len(app.routes) == 2 and all(type(r) is m.Route for r in app.routes)")
add("own registry: __init_subclass__, a class is added", """
    class P:
        known = {}
        def __init_subclass__(cls): P.known[cls.__name__] = cls
    class A(P):
        x = 1
    """, "import m; K = m.P.known; a = m.A()", """
    class P:
        known = {}
        def __init_subclass__(cls): P.known[cls.__name__] = cls
    class A(P):
        x = 1
    class B(P):
        x = 2
    """, "assert m.P.known is K and K == {'A': m.A, 'B': m.B} and type(a) is m.A")
add("own registry: __init_subclass__, base edited and a class added", """
    class P:
        known = {}
        def __init_subclass__(cls): P.known[cls.__name__] = cls
    class A(P):
        x = 1
    """, "import m; K = m.P.known; a = m.A()", """
    class P:
        known = {}
        z = 1
        def __init_subclass__(cls): P.known[cls.__name__] = cls
    class A(P):
        x = 1
    class B(P):
        x = 2
    """, "assert m.P.known is K and K == {'A': m.A, 'B': m.B} and type(a) is m.A and a.z == 1")
add("own registry: a metaclass, a class is added", """
    class M(type):
        known = []
        def __init__(cls, *a): M.known.append(cls)
    class A(metaclass=M): pass
    """, "import m; K = m.M.known; a = m.A()",
    ("class A(metaclass=M): pass", "class A(metaclass=M): pass\nclass B(metaclass=M): pass"),
    "assert m.M.known is K and K == [m.A, m.B] and type(a) is m.A")
add("own registry: singledispatch from the same module", """
    import functools
    @functools.singledispatch
    def show(x): return 1
    @show.register
    def _(x: int): return 'int'
    """, "import m; show = m.show",
    ("@show.register", "@show.register\ndef _(x: str): return 'str'\n@show.register"),
    "assert show('') == 'str' and show(0) == 'int' and show([]) == 1")
add("own registry, filled by a failed reload", """
    HANDLERS = {}
    STATS = []
    def on(name):
        def deco(f):
            HANDLERS[name] = f
            return f
        return deco
    @on('a')
    def a():
        return 1
    """, "import m; H = m.HANDLERS; before = dict(H)",
    ("@on('a')", "def __reload__(old):\n    1/0\n@on('b')\ndef b():\n    return 10\n@on('a')"),
    "assert m.HANDLERS is H and H == before")
add("FastAPI: a route is added", """
    import fastapi
    app = fastapi.FastAPI()
    seen = []
    @app.get('/')
    def index():
        return 1
    """, "import m; app = m.app; n = len(app.routes); app.state.x = 5",
    [("@app.get('/')", "@app.get('/new')\ndef new(q: int = 3):\n    return q\n@app.get('/')"), EDIT],
    "assert m.app is app and len(app.routes) == n + 1 and app.state.x == 5 and "
    "{r.path: r.endpoint for r in app.routes}['/new'] is m.new")
add("FastAPI: an application elsewhere", "from core import app\n@app.get('/')\ndef index():\n    return 1",
    "import m; from core import app; n = len(app.routes)",
    [("@app.get('/')", "@app.get('/new')\ndef new(q: int = 3):\n    return q\n@app.get('/')"), EDIT],
    "assert len(app.routes) == n + 1, [r.path for r in app.routes]; "
    "assert {r.path: r.endpoint for r in app.routes}['/'] is m.index and m.index() == 2",
    others={"core.py": "import fastapi\napp = fastapi.FastAPI()"})
add("click-like group in the same module", """
    class Group:
        def __init__(self): self.commands = {}
        def command(self, f):
            c = Command(f); self.commands[f.__name__] = c
            return c
    class Command:
        def __init__(self, f): self.f = f
        def __call__(self): return self.f()
    cli = Group()
    @cli.command
    def a():
        return 1
    """, "import m; cli = m.cli; a = m.a",
    [EDIT, ("@cli.command", "@cli.command\ndef b():\n    return 6\n@cli.command")],
    "assert m.cli is cli and cli.commands['a'] is m.a is a and a() == 2 and "
    "cli.commands['b'] is m.b and m.b() == 6")
add("weak references elsewhere", "import signals\n@signals.connect\ndef h():\n    return 1\n@signals.connect\ndef g():\n    return 5\n",
    "import m, signals", ("def h():\n    return 1", "def h(x=1):\n    return 2"), "assert signals.send() == [2, 5]",
    again=(("def h(x=1):\n    return 2", "def h(x=1, y=2):\n    return 3"), "assert signals.send() == [3, 5]"), others={"signals.py": """
    import weakref
    receivers = []
    def connect(f):
        receivers.append((f.__name__, weakref.ref(f)))
        return f
    def send():
        return [ref()() for _, ref in receivers if ref() is not None]
    """})
TABLE = """
    H = {}
    def on(name):
        def deco(f):
            H.setdefault(name, []).append(f)
            return f
        return deco
    @on('x')
    def f():
        return 1
    @on('x')
    def g():
        return 2
    """
add("own registry: lists in which others are, too", TABLE, "import m, user; x = m.H['x']",
    ("    return 2\n", "    return 2\n@on('x')\ndef h():\n    return 3\n"), "assert m.H == {'x': [m.f, m.g, user.u, m.h]} and m.H['x'] is x",
    others={"user.py": "import m\n@m.on('x')\ndef u():\n    return 'u'\n"})
add("own registry: the key of a list in which others are, too", TABLE, "import m, user; x = m.H['x']",
    ("@on('x')\ndef f", "@on('y')\ndef f"), "assert m.H == {'x': [m.g, user.u], 'y': [m.f]} and m.H['x'] is x, m.H",
    others={"user.py": "import m\n@m.on('x')\ndef u():\n    return 'u'\n"})
add("own registry: an object with tables in which others are, too", """
    class Bus:
        def __init__(self):
            self.handlers = {}
        def on(self, name):
            return lambda f: self.handlers.setdefault(name, {}).setdefault(f.__name__, f)
    bus = Bus()
    @bus.on('x')
    def f():
        return 1
    """, "import m, user; x = m.bus.handlers['x']", ("    return 1\n", "    return 1\n@bus.on('x')\ndef g():\n    return 2\n"),
    "assert m.bus.handlers == {'x': {'f': m.f, 'u': user.u, 'g': m.g}} and m.bus.handlers['x'] is x",
    others={"user.py": "import m\n@m.bus.on('x')\ndef u():\n    return 'u'\n"})
for name, table in ("own registry: classes and functions as keys", "{}"), \
        ("own registry: classes and functions as keys of a weak table", "weakref.WeakKeyDictionary()"):
    add(name, f"import weakref\nNAMES = {table}\n" + """
def named(name):
    def deco(d):
        NAMES[d] = name
        return d
    return deco
@named('a')
class A:
    x = 1
@named('f')
def f():
    return 1
""", "import m; A, f = m.A, m.f; a = A()", [("'a'", "'A'"), ("'f'", "'F'"), ("x = 1\n", "x = 2\n@named('b')\nclass B:\n    pass\n")],
        "assert dict(m.NAMES) == {m.A: 'A', m.f: 'F', m.B: 'b'} and a.x == 2 and list(m.NAMES)[:2] == [m.A, m.f], dict(m.NAMES)",
        again=(("x = 2", "x = 3"), "assert dict(m.NAMES) == {m.A: 'A', m.f: 'F', m.B: 'b'} and a.x == 3, dict(m.NAMES)"))
add("ids as keys of a table elsewhere", "import app\n@app.connect\ndef f():\n    return 1\n@app.connect\nclass A:\n    x = 1\n@app.connect\ndef g():\n    return 5\n",
    "import m, app", [("def f()", "def f(x=1)"), ("x = 1\n", "x = 2\n"), ("def g()", "@app.connect\ndef h():\n    return 6\n@app.connect\ndef g()")],
    "assert all(key == id(value) for key, value in app.table.items()) and {*app.table.values()} == {m.f, m.A, m.g, m.h} and len(app.table) == 4",
    others={"app.py": "table = {}\ndef connect(d):\n    table[id(d)] = d\n    return d\n"})
add("a registration beside classes that do not want to be asked", "import registry\ndef f():\n    return 1\n", "import m, registry",
    "import registry\ndef f(x=1):\n    return 2\ndef g():\n    return 3\nregistry.table['g'] = g\n",
    "assert m.f() == 2 and registry.table == {'g': m.g}", others={"registry.py": """
    table = {}
    class Secret(type):
        def __getattribute__(cls, name):
            raise RuntimeError
        __hash__ = None
        def __eq__(cls, other):
            raise RuntimeError
    class A(metaclass=Secret):
        pass
    class Proxy:
        def __getattribute__(self, name):
            raise RuntimeError
    class Table(dict):
        def __len__(self):
            raise RuntimeError
        copy = items = __len__
    a, proxy, other_table = A(), Proxy(), Table()
    """})

add("deleted, and registered again elsewhere", "from reg import add\n@add\ndef a():\n    return 1\n@add\ndef b():\n    return 2\n",
    "import m, reg; b = m.b", ("@add\ndef b():\n    return 2\n", ""), "assert [f() for f in reg.LIST] == [1, 2]",
    again=(("return 1\n", "return 1\n@add\ndef b():\n    return 3\n"), "assert [f() for f in reg.LIST] == [1, 3] and b is m.b"),
    others={"reg.py": "LIST = []\ndef add(f):\n    LIST.append(f)\n    return f\n"})
