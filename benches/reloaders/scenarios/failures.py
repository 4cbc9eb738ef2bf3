"""Edits that cannot be taken in: the program is to go on as it was."""

from . import Group

add = Group("failures")

F = "def f():\n    return 1\nX = 1\n"

add("a syntax error", F, "import m; f = m.f", "def f(:\n", "assert m.f() == 1 and m.f is f")
add("an import error half-way", F + "class A:\n    x = 1\n", "import m; a = m.A(); A = m.A",
    "def f():\n    return 2\nX = 2\nclass A:\n    x = 2\nimport does_not_exist\n",
    "assert m.f() == 1 and m.X == 1 and m.A is A and a.x == 1 and type(a) is m.A")
add("an exception half-way", F, "import m, user", "def f():\n    return 2\nX = 2\n1 / 0\n",
    "assert m.f() == user.f() == 1 and m.X == 1", others={"user.py": "from m import f"})
add("an initialiser that throws", F, "import m", ("X = 1", "X = int('x')"), "assert m.X == 1 and m.f() == 1",
    origin="Dart: initialisers that throw")
add("direct subclasses after a failed reload", "class A:\n    x = 1\nclass B(A):\n    pass\n",
    "import m; before = list(m.A.__subclasses__())",
    "class A:\n    x = 2\nclass B(A):\n    pass\nclass C(A):\n    pass\n1 / 0\n",
    "import gc; gc.collect(); assert m.A.__subclasses__() == before == [m.B] and m.B.__base__ is m.A",
    origin="Dart: direct subclasses after a failed reload")
add("a registry after a failed reload", "import registry\n@registry.register\n" + F, "import m, registry",
    "import registry\n@registry.register\ndef f():\n    return 2\n1 / 0\n",
    "assert [h() for h in registry.hooks] == [1]",
    others={"registry.py": "hooks = []\ndef register(f):\n    hooks.append(f)\n    return f"})
add("a dict registry after a failed reload", "import registry\n@registry.register\n" + F,
    "import m, registry", "import registry\n@registry.register\ndef f():\n    return 2\n1 / 0\n",
    "assert registry.hooks == {'f': m.f} and m.f() == 1",
    others={"registry.py": "hooks = {}\ndef register(f):\n    hooks[f.__name__] = f\n    return f"})
add("mended after a failure", F, "import m; f = m.f", "def f():\n    return 2\n1 / 0\n", "assert f() == 1",
    again=("def f():\n    return 3\nX = 1\n", "assert f() == 3"))
add("two files, the second fails", F, "import m, other; f = m.f", ("return 1", "return 2"),
    "assert f() == 1 and other.g() == 1",
    others={"other.py": "import m\ndef g():\n    return m.f()\n"},
    edits={"other.py": "import m\ndef g():\n    return 'new'\n1 / 0\n"})
add("a module that a failing one imported", F, "import m, sys",
    "import brand_new\n1 / 0\n", "assert 'brand_new' not in sys.modules and m.f() == 1",
    edits={"brand_new.py": "X = 1\n"})
add("a layout that has no place for the state", "class A:\n    def __init__(self):\n        self.x = self.y = 5\n"
    "    def f(self):\n        return 1\n", "import m; a = m.A()",
    [("class A:", "class A:\n    __slots__ = ('x',)"), ("return 1", "return 2")],
    "assert (a.x, a.y) == (5, 5) and a.f() == 1 and type(a) is m.A")
add("a __hash__ that raises", "class A:\n    x = 1\n", "import m; a = m.A(); held = {a: 'v'}",
    "class A:\n    x = 2\n    def __hash__(self):\n        raise ValueError\n",
    "assert held[a] == 'v' and a.x == 1 and type(a) is m.A")
add("bases that do not linearise", "class M:\n    pass\nclass A:\n    x = 1\n",
    "import m, user; c = user.C()", ("class A:\n    x = 1", "class A(M):\n    x = 2"),
    "assert c.x == 1 and user.C.__mro__[1] is m.M",
    others={"user.py": "from m import A, M\nclass C(M, A):\n    pass"})
add("a plugin list after a failed reload", "from base import Base\nclass A(Base):\n    x = 1\n", "import m, base; A = m.A",
    "from base import Base\nclass A(Base):\n    x = 2\nclass C(Base):\n    x = 3\n1 / 0\n",
    "assert base.Base.plugins == [A] and base.by_name == {'A': A} and m.A is A and A.x == 1",
    others={"base.py": "by_name = {}\nclass Base:\n    plugins = []\n    def __init_subclass__(cls):\n"
                       "        Base.plugins.append(cls)\n        by_name[cls.__name__] = cls"})
add("a metaclass that raises", "class Meta(type):\n    pass\nclass A(metaclass=Meta):\n    x = 1\n", "import m; a = m.A(); A = m.A",
    "class Meta(type):\n    def __new__(*args):\n        raise ValueError\nclass A(metaclass=Meta):\n    x = 2\n",
    "assert m.A is A and type(a) is A and a.x == 1")
add("a module that exits", F, "import m", "def f():\n    return 2\nimport sys\nsys.exit(3)\n", "assert m.f() == 1")
PROXY = "class A:\n    __slots__ = ('n', 'target')\n    def __init__(self, target):\n        self.target = target; self.n = 5\n" \
    "    def __getattr__(self, name):\n        return getattr(self.target, name)\n"
add("a proxy has no place for its state", PROXY, "import m, types; t = types.SimpleNamespace(x=6); a = m.A(t)", ("('n', ", "("),
    "assert vars(t) == {'x': 6} and (a.n, a.x) == (5, 6) and type(a) is m.A")
add("a proxy with a dict has no place for its state", PROXY.replace("    __slots__ = ('n', 'target')\n", ""),
    "import m, types; t = types.SimpleNamespace(x=6); a = m.A(t); A = m.A", ("class A:", "class A:\n    __slots__ = ('target',)"),
    "assert vars(t) == {'x': 6} and (a.n, a.x) == (5, 6) and type(a) is m.A is A")

HOOK = "def __reload__(old):\n    1 / 0\n"
REGISTRY = "listed = []\nby_name = {}\nby_function = {}\n"
REGISTER = "registry.listed.append(f)\nregistry.by_name['f'] = f\nregistry.by_function[f] = 1\n"
for end, when in ("1 / 0\n", "half-way"), (HOOK, "in a hook"):
    add(f"a registration added, and an exception {when}", "import registry\ndef f():\n    return 1\n", "import m, registry; f = m.f",
        "import registry\ndef f(a=1):\n    return 2\n" + REGISTER + end,
        "assert m.f is f and f() == 1 and (registry.listed, registry.by_name, registry.by_function) == ([], {}, {})",
        others={"registry.py": REGISTRY})
    add(f"a registration that stays, and an exception {when}", "import registry\ndef f():\n    return 1\n" + REGISTER,
        "import m, registry; f = m.f", "import registry\ndef f(a=1):\n    return 2\n" + REGISTER + end,
        "assert (registry.listed, registry.by_name, registry.by_function) == ([f], {'f': f}, {f: 1}) and m.f is f and f() == 1",
        others={"registry.py": REGISTRY})
    add(f"the first entry in an empty table, and an exception {when}", "import registry\n", "import m, registry; by_name = registry.by_name",
        "import registry\ndef f():\n    return 1\nregistry.by_name['f'] = f\nregistry.app.routes['f'] = [f]\n" + end,
        "assert registry.by_name is by_name == {} == registry.app.routes",
        others={"registry.py": REGISTRY + "class App:\n    def __init__(self):\n        self.routes = {}\napp = App()\n"})
    add(f"a wrapper elsewhere, and an exception {when}", "import app\n@app.command\ndef x():\n    return 1\n", "import m, app; x = m.x; x()",
        "import app\n@app.command\ndef x(a=1):\n    return 2\n" + end,
        "assert app.commands == [x] and app.by_name == {'x': x} and m.x is x and x() == 1 and x.calls == 2",
        others={"app.py": """
        commands = []
        by_name = {}
        class Command:
            def __init__(self, f):
                self.f, self.calls = f, 0
            def __call__(self):
                self.calls += 1
                return self.f()
        def command(f):
            commands.append(Command(f))
            by_name[f.__name__] = commands[-1]
            return commands[-1]
        """})
    add(f"weak tables elsewhere, and an exception {when}", "import registry\n@registry.register\nclass A:\n    x = 1\n@registry.register\ndef f():\n    return 1\n",
        "import m, registry; A, f = m.A, m.f",
        "import registry\n@registry.register\nclass A:\n    x = 2\n@registry.register\ndef f(a=1):\n    return 2\n" + end,
        "import gc; gc.collect(); assert dict(registry.by_name) == {'A': A, 'f': f} and dict(registry.marks) == {A: 1, f: 1}\n"
        "assert set(registry.all) == {A, f} and [r() for r in registry.refs] == [f] and m.A is A and A.x == 1",
        others={"registry.py": "import weakref\nby_name = weakref.WeakValueDictionary()\nall = weakref.WeakSet()\n"
                               "marks = weakref.WeakKeyDictionary()\nrefs = []\ndef register(d):\n    by_name[d.__name__] = d\n"
                               "    all.add(d)\n    marks[d] = 1\n    if d.__name__ == 'f':\n        refs.append(weakref.ref(d))\n    return d\n"})
add("the order of a table after a failed hook", "H = {}\ndef on(n):\n    def deco(f):\n        H[n] = f\n        return f\n    return deco\n"
    "@on('a')\ndef a():\n    return 1\n@on('b')\ndef b():\n    return 1\n", "import m; H = m.H",
    [("@on('a')", "@on('z')"), ("H = {}\n", "H = {}\n" + HOOK)], "assert H is m.H and list(H.items()) == [('a', m.a), ('b', m.b)]")
add("own tables after a failed hook", "NAMES, H = {}, {}\ndef named(name):\n    def deco(d):\n        NAMES[d] = name\n"
    "        H.setdefault(name[:1], []).append(d)\n        return d\n    return deco\n@named('a')\nclass A:\n    x = 1\n@named('ab')\nclass B:\n    x = 1\n",
    "import m; before = repr((m.NAMES, m.H)); ids = [id(x) for x in (m.A, m.B, m.H['a'])]",
    [("named('a')", "named('b')"), ("x = 1\n", "x = 2\n"), ("NAMES, H = {}, {}\n", "NAMES, H = {}, {}\n" + HOOK)],
    "assert repr((m.NAMES, m.H)) == before and [id(x) for x in (m.A, m.B, m.H['a'])] == ids and [*m.NAMES] == m.H['a'] == [m.A, m.B]")
