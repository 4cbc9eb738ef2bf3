"""Values, enums, data classes, named tuples."""

from . import Group

add = Group("data")

EDIT = ("return 1", "return 2")
F = "def f():\n    return 1\n"

add("a value set at run time", "X = 1\n" + F, "import m; m.X = 7", [EDIT, ("def f()", "def f(y=0)")],
    "assert m.X == 7 and m.f() == 2", origin="Dart: fields keep their state")
add("an initialiser edited", "X = 1\n", "import m; m.X = 7", ("X = 1", "X = 2"), "assert m.X == 2")
add("a number imported by name", "LIMIT = 1000\n", "import m, user", ("1000", "2000"),
    "assert user.get() == 2000",
    others={"user.py": "from m import LIMIT\ndef get():\n    return LIMIT"})
add("a string imported under another name", "NAME = 'a b'\n", "import m, user", ("a b", "c d"),
    "assert user.get() == 'c d'",
    others={"user.py": "from m import NAME as N\ndef get():\n    return N"})
add("a configuration object imported by name", "class Config:\n    def __init__(self, debug):\n"
    "        self.debug = debug\nCONFIG = Config(False)\n", "import m, user",
    ("Config(False)", "Config(True)"), "assert user.CONFIG.debug and user.CONFIG is m.CONFIG",
    others={"user.py": "from m import CONFIG"})
add("a configuration dict imported by name", "CONFIG = {'debug': False}\n", "import m, user",
    ("False", "True"), "assert user.CONFIG['debug'] and user.CONFIG is m.CONFIG",
    others={"user.py": "from m import CONFIG"})
add("a table with an entry added below", "T = {}\nT['a'] = 1\n", "from m import T",
    ("T['a'] = 1", "T['a'] = 1\nT['b'] = 2"), "assert T == {'a': 1, 'b': 2}")
add("a table with two entries of one value", "T = {}\nT['a'] = T['b'] = 1\n", "from m import T",
    ("= 1", "= 2"), "assert T == {'a': 2, 'b': 2}")
add("a table with two entries from a tuple", "T = {}\nT['a'], T['b'] = 1, 2\n", "from m import T",
    ("1, 2", "3, 4"), "assert T == {'a': 3, 'b': 4}")
add("a table with an annotated entry", "T = {}\nT['a']: int = 1\n", "from m import T",
    ("= 1", "= 2"), "assert T == {'a': 2}")
add("a cache that has been filled", "CACHE = {}\ndef f(k):\n    return CACHE.setdefault(k, 1)\n",
    "import m; from m import CACHE; m.f('a')", [("def f(k)", "def f(k, x=0)")],
    "m.f('b'); assert CACHE == {'a': 1, 'b': 1} and m.CACHE is CACHE")
add("a list of instances", "class A:\n    def f(self):\n        return 1\nALL = [A(), A()]\n",
    "import m; held = m.ALL[0]", [EDIT, ("class A:", "class A:\n    x = 3")],
    "assert m.ALL[0] is held and held.f() == 2 and held.x == 3")
add("an instance made at import", "class A:\n    def __init__(self):\n        self.n = 0\n"
    "    def f(self):\n        return 1\nthe_a = A()\n", "from m import the_a; the_a.n = 5",
    [EDIT, ("class A:", "class A:\n    x = 3")],
    "import m; assert m.the_a is the_a and the_a.n == 5 and the_a.f() == 2 and the_a.x == 3")
add("a computed value stays", "import itertools\ncounter = itertools.count()\nFIRST = next(counter)\n" + F,
    "import m; next(m.counter)", EDIT, "assert m.FIRST == 0 and next(m.counter) == 2",
    origin="Dart: initialisers")
add("an initialiser that reads another value", "A = 1\nB = A + 1\n", "import m",
    [("A = 1", "A = 5"), ("A + 1", "A + 2")], "assert (m.A, m.B) == (5, 7)",
    origin="Dart: initialisers that read")
add("an initialiser that mutates", "LOG = []\ndef note(x):\n    LOG.append(x)\n    return x\nA = note(1)\n" + F,
    "import m", [EDIT, ("def f()", "def f(y=0)")], "assert m.LOG == [1] and m.A == 1",
    origin="Dart: initialisers that mutate")
add("a value added", "A = 1\n", "import m", "A = 1\nB = 2\n", "assert m.B == 2")
add("a value deleted", "A = 1\nB = 2\n", "import m", "A = 1\n", "assert not hasattr(m, 'B')")
add("a name set from outside", F, "import m; m.extra = 5", [EDIT, ("def f()", "def f(y=0)")],
    "assert m.extra == 5")
add("an enum, a method", "import enum\nclass E(enum.Enum):\n    A = 1\n    def f(self):\n        return 1\n",
    "from m import E; a = E.A; held = {a: 'v'}", EDIT,
    "import m; assert a is m.E.A and a.f() == 2 and held[m.E.A] == 'v'", origin="IPython #10232")
add("an enum, a member added", "import enum\nclass E(enum.Enum):\n    A = 1\n",
    "from m import E; a = E.A; held = {a: 'v'}", ("A = 1", "A = 1\n    B = 2"),
    "import m; assert a is m.E.A and E is m.E and E.B.value == 2 and held[E.A] == 'v'",
    origin="Dart: enums added to")
add("an enum, a member deleted", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2\n",
    "from m import E; a, b = E.A, E.B", ("    B = 2\n", ""),
    "import m; assert a is m.E.A and [*E] == [a] and not hasattr(E, 'B') and b.name == 'B'",
    origin="Dart: enums deleted")
add("an enum, members in another order", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2\n",
    "from m import E; a, b = E.A, E.B", "import enum\nclass E(enum.Enum):\n    B = 2\n    A = 1\n",
    "import m; assert [*E] == [b, a] and a is m.E.A and b is m.E.B", origin="Dart: enums reordered")
add("an enum, a value edited", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2\n",
    "from m import E; a = E.A; held = {a}", ("A = 1", "A = 5"),
    "import m; assert a is m.E.A and a.value == 5 and m.E.A in held and E(5) is a",
    origin="IPython #10232")
add("an enum of integers", "import enum\nclass E(enum.IntEnum):\n    A = 1\n",
    "from m import E; a = E.A; held = {a: 'v'}", ("A = 1", "A = 5\n    B = 6"),
    "import m; assert a is m.E.A and a == 5 and held[5] == 'v'")
add("a flag", "import enum\nclass E(enum.Flag):\n    A = 1\n    B = 2\n",
    "from m import E; ab = E.A | E.B", ("B = 2", "B = 2\n    C = 4"),
    "import m; assert ab is m.E.A | m.E.B and m.E.B in ab and m.E.C not in ab")
add("a flag with another one before it", "import enum\nclass E(enum.Flag):\n    A = enum.auto()\n    B = enum.auto()\n",
    "from m import E; ab = E.A | E.B", ("    A =", "    X = enum.auto()\n    A ="),
    "import m; assert ab is m.E.A | m.E.B and m.E.B in ab and m.E.X not in ab")
add("flags with a name for two of them", "import enum\nclass E(enum.Flag):\n    A = 1\n    B = 2\n    C = 4\n",
    "from m import E; ab, bc = E.A | E.B, E.B | E.C", ("    C = 4\n", "    AB = 3\n"),
    "import m; assert ab is m.E.AB and bc is m.E.B")
add("an enum, two members become one", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2\n",
    "from m import E; a, b = E.A, E.B; held = {b: 'v'}", ("B = 2", "B = 1"),
    "import m; assert a is m.E.A and b is m.E.B is a and held[a] == 'v'")
add("an enum, one member becomes two", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 1\n",
    "from m import E; a = E.A", ("B = 1", "B = 2"), "import m; assert a is m.E.A and m.E.B is m.E(2)")
add("an enum of strings that loses a member", "import enum\nclass E(enum.Enum):\n    A = 'a'\n    B = 'b'\n",
    "from m import E; a, b = E.A, E.B; held = {b: 'v'}", [("enum.Enum", "enum.StrEnum"), ("    B = 'b'\n", "")],
    "import m; assert a is m.E.A and b == b.value == 'b' and b.name == 'B' and held[b] == held['b'] == 'v'")
add("an enum that makes its values otherwise", "import enum\nclass E(enum.Enum):\n"
    "    def _generate_next_value_(name, *others):\n        return name.lower()\n    A = enum.auto()\n",
    "from m import E; a = E.A", ("name.lower()", "name * 2"), "import m; assert a is m.E.A is m.E('AA')")
add("an enum in match", "import enum\nclass E(enum.Enum):\n    A = 1\n", "import m, user; a = m.E.A",
    ("A = 1", "A = 1\n    B = 2"), "assert user.name(a) == 'a' and user.name(m.E.A) == 'a'",
    others={"user.py": "from m import E\ndef name(e):\n    match e:\n        case E.A: return 'a'"})
add("a dataclass, a method", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    x: int\n"
    "    def f(self):\n        return 1\n", "import m; d = m.D(5)", EDIT,
    "assert d.f() == 2 and d == m.D(5)")
add("a dataclass, a field with a default", "import dataclasses\n@dataclasses.dataclass\nclass D:\n"
    "    x: int\n", "import m; d = m.D(5)", ("x: int", "x: int\n    y: int = 7"),
    "assert d.y == 7 and repr(d) == 'D(x=5, y=7)' and d == m.D(5)")
add("a dataclass, a field with a factory", "import dataclasses\n@dataclasses.dataclass\nclass D:\n"
    "    x: int\n", "import m; d, e = m.D(5), m.D(5)",
    ("x: int", "x: int\n    y: list = dataclasses.field(default_factory=list)"),
    "assert d.y == [] and d.y is not e.y and repr(d) == 'D(x=5, y=[])'")
add("a dataclass, a field removed", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    x: int\n"
    "    y: int = 0\n", "import m; d = m.D(5)", ("    y: int = 0\n", ""),
    "assert repr(d) == 'D(x=5)' and d == m.D(5)")
add("a frozen dataclass in a set", "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass D:\n"
    "    x: int\n", "import m; d = m.D(5); held = {d}; t = {(d,): 1}",
    ("x: int", "x: int\n    y: int = 7"), "assert m.D(5) in held and d in held and t[(m.D(5),)] == 1",
    origin="IPython #12411")
add("a frozen dataclass, a method", "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass D:\n"
    "    x: int\n    def f(self):\n        return 1\n", "import m; d = m.D(5); held = {d}", EDIT,
    "assert d.f() == 2 and m.D(5) in held", origin="IPython #12411")
add("a dataclass with slots, a field added", "import dataclasses\n@dataclasses.dataclass(slots=True)\n"
    "class D:\n    x: int\n", "import m; d = m.D(5)", ("x: int", "x: int\n    y: int = 7"),
    "assert (d.x, d.y) == (5, 7) and d == m.D(5)")
add("a class becomes a dataclass", "import dataclasses\nclass D:\n    def __init__(self, x):\n"
    "        self.x = x\n", "import m; d = m.D(5)",
    "import dataclasses\n@dataclasses.dataclass\nclass D:\n    x: int\n", "assert d == m.D(5)")
add("a dataclass becomes frozen", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    x: int\n",
    "import m; d = m.D(5)", ("dataclass\n", "dataclass(frozen=True)\n"), "assert {d: 1}[m.D(5)] == 1")
add("a dataclass inherited elsewhere", "import dataclasses\n@dataclasses.dataclass\nclass D:\n"
    "    x: int = 1\n    def f(self):\n        return 1\n", "import m, user; d = user.E(5, 6)", EDIT,
    "assert d.f() == 2 and d == user.E(5, 6)",
    others={"user.py": "import dataclasses\nfrom m import D\n@dataclasses.dataclass\nclass E(D):\n    y: int = 2"})
add("a named tuple, a method", "import typing\nclass P(typing.NamedTuple):\n    x: int\n    def f(self):\n"
    "        return 1\n", "import m; p = m.P(5); held = {p: 'v'}", EDIT,
    "assert p.f() == 2 and type(p) is m.P and held[m.P(5)] == 'v'", origin="IPython #13347")
add("a named tuple, a field with a default", "import typing\nclass P(typing.NamedTuple):\n    x: int\n",
    "import m; p = m.P(5); held = {p: 'v'}", ("x: int", "x: int\n    y: int = 7"),
    "assert p == (5, 7) and p.y == 7 and type(p) is m.P and held[m.P(5)] == 'v'", origin="IPython #13347")
add("a named tuple, fields in another order", "import collections\nP = collections.namedtuple('P', 'x y')\n",
    "import m; p = m.P(1, 2)", ("'x y'", "'y x'"), "assert (p.x, p.y) == (1, 2) and type(p) is m.P",
    origin="IPython #13347")
add("a named tuple unedited", "import collections\nP = collections.namedtuple('P', 'x y')\n"
    "class Q(P):\n    def f(self):\n        return 1\n", "import m; q = m.Q(1, 2); p = m.P(3, 4)",
    [EDIT, ("class Q(P):", "class Q(P):\n    z = 3")],
    "assert q.f() == 2 and q.z == 3 and isinstance(p, m.P) and isinstance(q, m.P)",
    origin="IPython #13347")
add("a type variable", "import typing\nT = typing.TypeVar('T')\ndef f(x: T) -> T:\n    return 1\n",
    "from m import T, f", [EDIT, ("(x: T)", "(x: T, y=0)")],
    "import m; assert m.T is T and m.f.__annotations__['x'] is T and f(0) == 2")
add("a type alias", "type A = int\n", "import m", ("int", "str"), "assert m.A.__value__ is str")
add("a lock that is held", "import threading\nlock = threading.Lock()\n" + F,
    "import m; m.lock.acquire()", [EDIT, ("def f()", "def f(x=0)")], "assert m.lock.locked() and m.f() == 2")
add("a logger", "import logging\nlog = logging.getLogger('a')\n", "from m import log; import logging",
    ("'a'", "'b'"), "import m; assert m.log.name == 'b' and logging.getLogger('a').name == 'a'")
add("an import added", "def f():\n    return 1\n", "import m",
    "import math\ndef f():\n    return math.sqrt(4)\n", "assert m.f() == 2")
add("an import removed", "import math\n" + F, "import m", F, "assert not hasattr(m, 'math')")
add("an augmented value", "X = 1\nX += 1\n", "import m", ("+= 1", "+= 2"), "assert m.X == 3")
add("a weak dictionary keyed by a class", "class A:\n    x = 1\n",
    "import m, weakref; held = weakref.WeakKeyDictionary(); held[m.A] = 'v'", ("x = 1", "x = 2"),
    "assert held[m.A] == 'v'")
add("a weak set of instances", "class A:\n    def f(self):\n        return 1\n",
    "import m, weakref; a = m.A(); held = weakref.WeakSet([a])", [EDIT, ("class A:", "class A:\n    x = 3")],
    "assert a in held and [*held][0].f() == 2")
add("an enum with methods and a class beside it", "import enum\nclass E(enum.Enum):\n    A = 1\n    def g(self):\n"
    "        return T[self]\nT = {E.A: 'a'}\n", "import m; a = m.E.A", ("A = 1", "A = 1\n    B = 2"),
    "assert a.g() == 'a' and m.T[m.E.A] == 'a' and m.E.B not in m.T")
add("a str enum as keys of json", "import enum\nclass E(enum.StrEnum):\n    A = 'a'\n", "import m, json; held = {m.E.A: 1}",
    ("A = 'a'", "A = 'a'\n    B = 'b'"), "assert json.dumps(held) == '{\"a\": 1}' and held['a'] == 1 and m.E.B == 'b'")
add("a dataclass as a default", "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass C:\n    x: int = 1\n"
    "def f(c=C()):\n    return c.x\n", "from m import f", ("x: int = 1", "x: int = 1\n    y: int = 2"), "assert f() == 1")
add("an ordered list of dataclasses", "import dataclasses\n@dataclasses.dataclass(order=True)\nclass C:\n    x: int\n",
    "import m; held = [m.C(2), m.C(1)]", ("x: int", "x: int\n    y: int = 0"), "assert sorted(held)[0].x == 1 and held[0] > m.C(1)")
add("a global rebound by a function", "STATE = None\ndef start(n=1):\n    global STATE\n    STATE = [n]\n",
    "import m; m.start(); held = m.STATE", ("n=1", "n=2"), "assert m.STATE is held; m.start(); assert m.STATE == [2]")
add("a value with a finalizer", "log = []\nclass R:\n    def __del__(self):\n        log.append(1)\nr = R()\ndef f(x=1): ...\n",
    "import m; r = m.r", ("x=1", "x=2"), "assert m.r is r and m.log is not None and m.f.__defaults__ == (2,)")
add("tuples of functions", "def f(x=1):\n    return 1\nALL = (f, f)\n", "from m import ALL", [("return 1", "return 2"), ("x=1", "x=2")],
    "import m; assert ALL[0] is m.f and ALL[1]() == 2 and m.ALL is ALL")
add("a value that becomes a function", "X = 5\n", "import m, user", "def X():\n    return 6\n",
    "assert m.X() == 6 and user.X() == 6", others={"user.py": "from m import X\n"})
add("a function that becomes a value", "def X():\n    return 6\n", "import m, user", "X = 5\n",
    "assert m.X == 5 and user.X == 5", others={"user.py": "from m import X\n"})
add("a named tuple made by a call, untouched", "import collections\nP = collections.namedtuple('P', 'x y')\nX = 1\n",
    "import m; P, number, p = m.P, id(m.P), m.P(1, 2)", ("X = 1", "X = 2"),
    "assert id(m.P) == number and m.P is P is type(p)", again=(("'x y'", "'y x'"), "assert m.P is P is type(p) and (p.x, p.y) == (1, 2)"))
