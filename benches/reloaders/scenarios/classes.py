"""Classes, their instances, and what is derived from them."""

from . import Group

add = Group("classes")

A = "class A:\n    def f(self):\n        return 1\n"
EDIT = ("return 1", "return 2")

add("a method", A, "import m; a = m.A()", EDIT, "assert a.f() == 2")
add("isinstance", A, "import m; a = m.A()", EDIT,
    "assert isinstance(a, m.A) and type(a) is m.A", origin="IPython #12399")
add("imported by name", A, "from m import A; a = A()", [EDIT, ("class A:", "class A:\n    x = 3")],
    "import m; assert A is m.A and type(a) is A and A().x == 3", origin="IPython #12399")
add("a subclass elsewhere", A, "import user; b = user.B()", [EDIT, ("class A:", "class A:\n    x = 3")],
    "import m; assert b.f() == 2 and b.x == 3 and issubclass(user.B, m.A)",
    others={"user.py": "from m import A\nclass B(A):\n    pass"}, origin="Dart: direct subclasses")
add("super() in a subclass elsewhere", A, "import user; b = user.B()", EDIT,
    "assert b.f() == 12",
    others={"user.py": "from m import A\nclass B(A):\n    def f(self):\n        return super().f() + 10"})
add("a method added", A, "import m; a = m.A()", A + "    def g(self):\n        return 5\n",
    "assert a.g() == 5")
add("a method removed", A + "    def g(self):\n        return 5\n", "import m; a = m.A()", A,
    "assert not hasattr(a, 'g')", origin="Dart: dangling getters")
add("a property added", A, "import m; a = m.A()",
    A + "    @property\n    def p(self):\n        return 5\n", "assert a.p == 5")
add("a property edited", "class A:\n    @property\n    def p(self):\n        return 1\n",
    "import m; a = m.A()", EDIT, "assert a.p == 2")
add("a property's setter", "class A:\n    @property\n    def p(self):\n        return self._p\n"
    "    @p.setter\n    def p(self, v):\n        self._p = v + 1\n", "import m; a = m.A()",
    ("v + 1", "v + 2"), "a.p = 1; assert a.p == 3")
add("a cached_property", "import functools\nclass A:\n    @functools.cached_property\n"
    "    def p(self):\n        return 1\n", "import m; a = m.A(); a.p; b = m.A()", EDIT,
    "assert a.p == 1 and b.p == 2")
add("a property becomes an attribute", "class A:\n    @property\n    def p(self):\n        return 1\n",
    "import m; a = m.A()", "class A:\n    p = 5\n", "a.p; assert a.p == 5; a.p = 6; assert a.p == 6")
add("a class attribute edited", "class A:\n    x = 1\n", "import m; a = m.A()", ("x = 1", "x = 2"),
    "assert a.x == 2")
add("a class attribute removed", "class A:\n    x = 1\n    y = 2\n", "import m; a = m.A()",
    ("    y = 2\n", ""), "assert not hasattr(a, 'y')")
add("a class attribute set at run time", "class A:\n    x = 1\n    def f(self):\n        return 1\n",
    "import m; m.A.x = 7", [EDIT, ("class A:", "class A:\n    z = 1")], "assert m.A.x == 7")
add("an instance counter", "class A:\n    count = 0\n    def __init__(self):\n"
    "        type(self).count += 1\n    def f(self):\n        return 1\n", "import m; a = m.A(); m.A()",
    EDIT, "assert m.A.count == 2 and a.f() == 2")
add("except clauses", "class Error(Exception):\n    code = 1\n",
    "import m, user", ("code = 1", "code = 2"), "assert user.run() == 2",
    others={"user.py": "import m\nfrom m import Error\ndef run():\n    try:\n        raise m.Error\n"
                       "    except Error as e:\n        return e.code"})
add("a match statement", "class A:\n    __match_args__ = ('x',)\n    def __init__(self, x):\n"
    "        self.x = x\n    def f(self):\n        return 1\n",
    "import m\ndef run(a):\n    match a:\n        case m.A(x):\n            return x\na = m.A(5)", EDIT,
    "assert run(a) == 5 and run(m.A(6)) == 6")
add("pickled instances", "class A:\n    x = 1\n", "import m, pickle; a = m.A(); data = pickle.dumps(a)",
    ("x = 1", "x = 2"), "pickle.dumps(a); assert pickle.loads(data).x == 2",
    origin="IPython #11588")
add("a key in a dict", A, "import m; held = {m.A: 1}", [EDIT, ("class A:", "class A:\n    x = 3")],
    "assert held[m.A] == 1")
add("a singleton", "class A:\n    _it = None\n    @classmethod\n    def get(cls):\n"
    "        if cls._it is None:\n            cls._it = cls()\n        return cls._it\n"
    "    def f(self):\n        return 1\n", "import m; a = m.A.get()", EDIT,
    "assert m.A.get() is a and a.f() == 2")
add("instances with attributes of their own", A, "import m; a = m.A(); a.x = 5", EDIT,
    "assert a.x == 5 and a.f() == 2")
add("slots, a method", "class A:\n    __slots__ = ('x',)\n    def f(self):\n        return 1\n",
    "import m; a = m.A(); a.x = 5", EDIT, "assert a.x == 5 and a.f() == 2")
add("slots gained", "class A:\n    def __init__(self):\n        self.x = 5\n",
    "import m; a = m.A(); held = [a]", ("class A:", "class A:\n    __slots__ = ('x',)"),
    "assert type(a) is m.A and a.x == 5 and held[0] is a and not hasattr(a, '__dict__')",
    origin="Dart: shape changes")
add("slots lost", "class A:\n    __slots__ = ('x',)\n    def __init__(self):\n        self.x = 5\n",
    "import m; a = m.A()", ("    __slots__ = ('x',)\n", ""),
    "assert type(a) is m.A and a.x == 5; a.y = 1; assert vars(a) == {'x': 5, 'y': 1}",
    origin="Dart: shape changes")
add("a slot added", "class A:\n    __slots__ = ('x',)\n    def __init__(self):\n        self.x = 5\n",
    "import m; a = m.A()", ("('x',)", "('x', 'y')"), "a.y = 6; assert (a.x, a.y) == (5, 6)",
    origin="Dart: shape changes")
add("a slot removed, which instances do not use", "class A:\n    __slots__ = ('x', 'y')\n"
    "    def __init__(self):\n        self.x = 5\n", "import m; a = m.A()", ("('x', 'y')", "('x',)"),
    "assert type(a) is m.A and a.x == 5 and not hasattr(m.A, 'y')", origin="Dart: shape changes")
add("slots that change places", "class A:\n    __slots__ = ('x', 'y')\n    def __init__(self):\n"
    "        self.x, self.y = 5, 6\n", "import m; a = m.A()", ("('x', 'y')", "('y', 'z', 'x')"),
    "assert (a.x, a.y) == (5, 6)", origin="Dart: shape changes")
add("the dict lost", "class B:\n    __slots__ = ()\nclass A(B):\n    def __init__(self):\n"
    "        self.x = 5\n", "import m; a = m.A()", ("class A(B):", "class A(B):\n    __slots__ = ['x']"),
    "assert a.x == 5 and not hasattr(a, '__dict__')")
add("slots gained, with a subclass elsewhere", "class A:\n    def __init__(self):\n        self.x = 5\n",
    "import m, user; b = user.B(); b.y = 6", ("class A:", "class A:\n    __slots__ = ('x',)"),
    "assert type(b) is user.B and isinstance(b, m.A) and (b.x, b.y) == (5, 6) and m.A.__slots__",
    others={"user.py": "from m import A\nclass B(A):\n    def f(self):\n        return self.x"})
add("weak references to instances that are rebuilt", "class A:\n    def __init__(self):\n"
    "        self.x = 5\n", "import m, weakref; a = m.A(); ref = weakref.ref(a)",
    ("class A:", "class A:\n    __slots__ = ('x', '__weakref__')"), "assert ref() is a and a.x == 5")
add("a base added", "class M:\n    def g(self):\n        return 5\nclass A:\n    pass\n",
    "import m; a = m.A()", ("class A:", "class A(M):"), "assert a.g() == 5 and isinstance(a, m.M)",
    origin="Dart: super class changes")
add("a base removed", "class M:\n    def g(self):\n        return 5\nclass A(M):\n    pass\n",
    "import m; a = m.A()", ("class A(M):", "class A:"),
    "assert not hasattr(a, 'g') and not isinstance(a, m.M)", origin="Dart: super class changes")
add("a base swapped", "class M:\n    def g(self):\n        return 5\nclass N:\n    def g(self):\n"
    "        return 6\nclass A(M):\n    pass\n", "import m; a = m.A()", ("class A(M):", "class A(N):"),
    "assert a.g() == 6 and isinstance(a, m.N)", origin="Dart: super class changes")
add("a mixin added", "class M:\n    def g(self):\n        return 5\nclass A:\n    def g(self):\n"
    "        return 0\nclass B(A):\n    pass\n", "import m; b = m.B()", ("class B(A):", "class B(M, A):"),
    "assert b.g() == 5", origin="Dart: mixin changes")
add("bases in another order", "class M:\n    x = 1\nclass N:\n    x = 2\nclass A(M, N):\n    pass\n",
    "import m; a = m.A()", ("(M, N)", "(N, M)"), "assert a.x == 2", origin="Dart: mixin changes")
add("a builtin base gained", "class A:\n    pass\n", "import m; a = m.A(); a.x = 5",
    ("class A:", "class A(dict):"), "a['k'] = 1; assert a.x == 5 and a == {'k': 1}")
add("a base that becomes a list", "class A(list):\n    def f(self):\n        return 1\n",
    "import m; a = m.A([1, 2])", ("return 1", "return len(self)"), "assert a.f() == 2 and a == [1, 2]")
add("a metaclass added", "class Meta(type):\n    def g(cls):\n        return 5\nclass A:\n    pass\n",
    "import m; a = m.A()", ("class A:", "class A(metaclass=Meta):"),
    "assert type(a).g() == 5 and type(a) is m.A", origin="IPython #13830")
add("a metaclass edited", "class Meta(type):\n    def g(cls):\n        return 1\n"
    "class A(metaclass=Meta):\n    pass\n", "from m import A", EDIT, "assert A.g() == 2",
    origin="IPython #13830")
add("a metaclass swapped", "class M(type):\n    g = 1\nclass N(type):\n    g = 2\n"
    "class A(metaclass=M):\n    pass\n", "import m; from m import A; a = A()",
    ("metaclass=M", "metaclass=N"), "assert A.g == 2 and type(a) is A and type(A) is m.N",
    origin="IPython #13830")
add("a metaclass with a registry", "class Meta(type):\n    registry = {}\n"
    "    def __new__(mcls, name, bases, ns):\n        cls = super().__new__(mcls, name, bases, ns)\n"
    "        mcls.registry[name] = cls\n        return cls\nclass A(metaclass=Meta):\n"
    "    def f(self):\n        return 1\n", "import m; a = m.A()", EDIT,
    "assert m.Meta.registry == {'A': m.A} and a.f() == 2", origin="IPython #13830")
add("__init_subclass__ with a registry", "class Base:\n    subs = []\n"
    "    def __init_subclass__(cls):\n        Base.subs.append(cls)\nclass A(Base):\n    def f(self):\n"
    "        return 1\n", "import m; a = m.A()", [EDIT, ("class A(Base):", "class A(Base):\n    x = 3")],
    "assert m.Base.subs == [m.A] and a.f() == 2 and a.x == 3")
add("a generic class", "import typing\nT = typing.TypeVar('T')\nclass A(typing.Generic[T]):\n"
    "    def f(self):\n        return 1\n", "import m; a = m.A[int](); alias = m.A[int]",
    [EDIT, ("(typing.Generic[T]):", "(typing.Generic[T]):\n    x = 3")],
    "assert a.f() == 2 and a.x == 3 and alias().x == 3 and alias.__origin__ is m.A")
add("a generic class of the new syntax", "class A[T]:\n    def f(self, x: T) -> T:\n        return 1\n",
    "import m; a = m.A()", [EDIT, ("class A[T]:", "class A[T, U]:\n    x = 3")],
    "assert a.f(0) == 2 and a.x == 3 and len(m.A.__type_params__) == 2")
add("an ABC's registrations", "import abc\nclass A(abc.ABC):\n    x = 1\n",
    "import m\nclass Other: pass\nm.A.register(Other)", ("x = 1", "x = 2"),
    "assert isinstance(Other(), m.A) and m.A.x == 2")
add("an abstract method added", "import abc\nclass A(abc.ABC):\n    pass\n",
    "import m; m.A()", ("    pass", "    @abc.abstractmethod\n    def f(self): ..."),
    "try:\n    m.A()\nexcept TypeError:\n    pass\nelse:\n    assert False")
add("an abstract method implemented", "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n"
    "    def f(self): ...\nclass B(A):\n    pass\n", "import m",
    ("class B(A):\n    pass", "class B(A):\n    def f(self):\n        return 5"),
    "assert m.B().f() == 5")
add("a protocol", "import typing\n@typing.runtime_checkable\nclass P(typing.Protocol):\n"
    "    def f(self): ...\n", "import m\nclass X:\n    def g(self): ...\nx = X(); P = m.P",
    ("def f", "def g"), "assert isinstance(x, P) and P is m.P")
add("a descriptor edited", "class D:\n    def __get__(self, obj, cls):\n        return 1\n"
    "class A:\n    d = D()\n", "import m; a = m.A()", EDIT, "assert a.d == 2")
add("a descriptor with __set_name__", "class D:\n    def __set_name__(self, owner, name):\n"
    "        self.name = name\n    def __get__(self, obj, cls):\n        return self.name + '1'\n"
    "class A:\n    d = D()\n", "import m; a = m.A()", [("'1'", "'2'"), ("    d = D()", "    d = D()\n    e = D()")],
    "assert (a.d, a.e) == ('d2', 'e2')")
add("__call__ gained", A, "import m; a = m.A()", A + "    def __call__(self):\n        return 5\n",
    "assert a() == 5")
add("__len__ gained, with a subclass elsewhere", A, "import user; b = user.B()",
    A + "    def __len__(self):\n        return 5\n", "assert len(b) == 5",
    others={"user.py": "from m import A\nclass B(A): pass"})
add("__eq__ and __hash__ edited", "class A:\n    def __init__(self, x):\n        self.x = x\n"
    "    def __eq__(self, other):\n        return self.x == other.x\n    def __hash__(self):\n"
    "        return hash(self.x)\n", "import m; a = m.A(1); held = {a: 'v'}; s = {a}",
    ("hash(self.x)", "hash((self.x, 1))"),
    "assert held[a] == 'v' and held[m.A(1)] == 'v' and m.A(1) in s")
add("__init__ edited", "class A:\n    def __init__(self):\n        self.x = 1\n",
    "import m; a = m.A()", ("self.x = 1", "self.x = 2; self.y = 3"),
    "assert a.x == 1 and m.A().x == 2")
add("__new__ edited", "class A:\n    def __new__(cls):\n        self = super().__new__(cls)\n"
    "        self.x = 1\n        return self\n", "import m; a = m.A()", ("self.x = 1", "self.x = 2"),
    "assert a.x == 1 and m.A().x == 2 and type(a) is m.A")
add("__getattr__ edited", "class A:\n    def __getattr__(self, name):\n        return 1\n",
    "import m; a = m.A()", EDIT, "assert a.anything == 2")
add("a nested class", "class A:\n    class B:\n        def f(self):\n            return 1\n",
    "import m; b = m.A.B()", [EDIT, ("class B:", "class B:\n        x = 3")],
    "assert b.f() == 2 and b.x == 3 and type(b) is m.A.B")
add("a class made by a function", "def make():\n    class A:\n        def f(self):\n"
    "            return 1\n    return A\n", "import m; A = m.make(); a = A()", EDIT,
    "assert a.f() == 2")
add("a class decorator", "def mark(cls):\n    cls.tag = 1\n    return cls\n@mark\nclass A:\n"
    "    def f(self):\n        return 1\n", "import m; a = m.A()", EDIT,
    "assert a.f() == 2 and a.tag == 1")
add("a class decorator edited", "def mark(cls):\n    cls.tag = 1\n    return cls\n@mark\nclass A:\n"
    "    pass\n", "import m; a = m.A()", ("cls.tag = 1", "cls.tag = 2"), "assert a.tag == 2")
add("a class decorator added", "def mark(cls):\n    cls.tag = 1\n    return cls\nclass A:\n"
    "    pass\n", "import m; a = m.A()", ("class A", "@mark\nclass A"), "assert a.tag == 1")
add("renamed", A, "import m; a = m.A(); held = [m.A]", ("class A", "class B"),
    "assert type(a) is m.B and held[0] is m.B and not hasattr(m, 'A')")
add("becomes a function", A, "import m; held = [m.A]", "def A():\n    return 5\n",
    "assert held[0] is m.A and held[0]() == 5")
add("becomes a function, with live instances", A, "import m; held = [m.A]; a = m.A()",
    "def A():\n    return 5\n", "assert held[0] is m.A and held[0]() == 5 and a.f() == 1")
add("deleted, with live instances", A + "X = 1\n", "import m; a = m.A()", "X = 1\n",
    "assert not hasattr(m, 'A') and a.f() == 1", origin="Dart: dangling getters")
add("deleted and defined again", A + "X = 1\n", "import m; a = m.A()", "X = 1\n",
    "assert a.f() == 1", again=("X = 1\n\n" + A, "assert m.A().f() == 1"))
add("bases edited in one file", "class A:\n    x = 1\nclass B(A):\n    y = 1\n",
    "import m; b = m.B()", [("x = 1", "x = 2"), ("y = 1", "y = 2")],
    "assert (b.x, b.y) == (2, 2) and type(b) is m.B and isinstance(b, m.A)")
add("an unchanged one keeps its identity", A + "class B:\n    pass\nX = 1\n",
    "import m; held = id(m.B); b = m.B()", [("class A:", "class A:\n    x = 2"), ("X = 1", "X = 2")],
    "assert id(m.B) == held and type(b) is m.B")
add("a method patched in at run time", A, "import m; a = m.A(); m.A.g = lambda self: 5",
    ("class A:", "class A:\n    x = 3"), "assert a.g() == 5 and a.x == 3")
add("a thousand instances", A, "import m; held = [m.A() for _ in range(1000)]",
    ("class A:", "class A:\n    x = 3"),
    "assert all(type(a) is m.A and a.x == 3 for a in held)", origin="IPython #11817")
add("instances that refer to each other, rebuilt", "class A:\n    def __init__(self, o=None):\n"
    "        self.o = o\n", "import m; a = m.A(); b = m.A(a); a.o = b",
    ("class A:", "class A:\n    __slots__ = ('o', 'p')"),
    "assert a.o is b and b.o is a and type(a) is type(b) is m.A")
add("an exception with live instances", "class E(Exception):\n    def f(self):\n        return 1\n",
    "import m\ntry:\n    raise m.E('x')\nexcept m.E as e:\n    held = e",
    [EDIT, ("(Exception):", "(Exception):\n    x = 3")],
    "assert held.f() == 2 and held.x == 3 and held.args == ('x',)")
add("a typed dict", "import typing\nclass A(typing.TypedDict):\n    x: int\n",
    "from m import A; a = A(x=1)", ("x: int", "x: int\n    y: str"),
    "assert 'y' in A.__annotations__ and a == {'x': 1}")
add("slots of two classes, one added", "class A:\n    __slots__ = ('x',)\nclass B(A):\n    __slots__ = ('y',)\n",
    "import m; b = m.B(); b.x, b.y = 1, 2", ("('x',)", "('x', 'z')"),
    "b.z = 3; assert (b.x, b.y, b.z) == (1, 2, 3) and type(b) is m.B", origin="Dart: shape changes")
add("slots of two classes, methods", "class A:\n    __slots__ = ('x',)\n    def f(self, n=1):\n        return 1\n"
    "class B(A):\n    __slots__ = ('y',)\n    def g(self, n=1):\n        return 1\n",
    "import m; b = m.B(); b.x, b.y = 1, 2", [EDIT, ("n=1", "n=2")],
    "assert (b.x, b.y, b.f(), b.g()) == (1, 2, 2, 2) and type(b) is m.B")
add("slots gained, with a registry of subclasses", "class Base:\n    subs = []\n"
    "    def __init_subclass__(cls):\n        Base.subs.append(cls)\nclass A(Base):\n    def __init__(self):\n"
    "        self.x = 1\n", "import m; a = m.A()", ("class A(Base):", "class A(Base):\n    __slots__ = ('x',)"),
    "assert m.Base.subs == [m.A] and a.x == 1 and type(a) is m.A")
add("__init_subclass__ with arguments, and another layout", "class Base:\n    def __init_subclass__(cls, tag):\n"
    "        cls.tag = tag\nclass A(Base, tag='t'):\n    def __init__(self):\n        self.x = 1\n",
    "import m, user; a = m.A(); b = user.B()", ("class A(Base, tag='t'):", "class A(Base, tag='u'):\n    __slots__ = ('x',)"),
    "assert a.x == b.x == 1 and a.tag == 'u' and b.tag == 'b' and isinstance(b, m.A)",
    others={"user.py": "from m import A\nclass B(A, tag='b'): pass"})
add("a finalizer does not run for what is rebuilt", "log = []\nclass A:\n    def __init__(self):\n        self.x = 1\n"
    "    def __del__(self):\n        log.append(1)\n", "import m; a = m.A()",
    ("class A:", "class A:\n    __slots__ = ('x',)"),
    "import gc; gc.collect(); assert m.log == [] and a.x == 1; del a; gc.collect(); assert m.log == [1]")
add("multiple inheritance elsewhere", "class A:\n    def f(self, n=1):\n        return ['A1']\nclass B:\n"
    "    def f(self, n=1):\n        return ['B1']\n", "import user; c = user.C()",
    [("1'", "2'"), ("n=1", "n=2")], "assert c.f() == ['C', 'A2']",
    others={"user.py": "from m import A, B\nclass C(A, B):\n    def f(self):\n        return ['C'] + super().f()"})
add("cooperative super() through three modules", "class A:\n    def f(self, n=1):\n        return ['A1']\n",
    "import user, m; d = user.D()", [("A1", "A2"), ("n=1", "n=2")], "assert d.f() == ['D', 'B', 'A2']",
    others={"middle.py": "import m\nclass B(m.A):\n    def f(self):\n        return ['B'] + super().f()",
            "user.py": "import middle\nclass D(middle.B):\n    def f(self):\n        return ['D'] + super().f()"})
add("a metaclass's __call__ (a singleton)", "class Meta(type):\n    it = {}\n    def __call__(cls):\n"
    "        if cls not in Meta.it:\n            Meta.it[cls] = super().__call__()\n        return Meta.it[cls]\n"
    "class A(metaclass=Meta):\n    def f(self):\n        return 1\n", "import m; a = m.A()",
    [EDIT, ("class A(metaclass=Meta):", "class A(metaclass=Meta):\n    z = 3")],
    "assert m.A() is a and a.f() == 2 and a.z == 3")
add("an exception group in flight", "class E(Exception):\n    x = 1\n",
    "import m\ndef gen():\n    try:\n        raise m.E\n    except m.E as e:\n        yield e\n        yield e.x\n"
    "g = gen(); e = next(g)", ("x = 1", "x = 2"), "assert next(g) == 2 and isinstance(e, m.E)")
add("a subclass of int", "class Metres(int):\n    def text(self, unit='m'):\n        return f'{int(self)}{unit}'\n",
    "import m; x = m.Metres(5); held = {x: 'v'}", ("'m'", "'M'"),
    "assert x.text() == '5M' and held[5] == 'v' and type(x) is m.Metres")
add("a subclass of dict, with slots gained", "class D(dict):\n    pass\n", "import m; d = m.D(a=1); held = [d]",
    ("    pass", "    __slots__ = ('extra',)"), "assert d == {'a': 1} and held[0] is d and type(d) is m.D; d.extra = 5")
add("a user dict", "import collections\nclass D(collections.UserDict):\n    def f(self):\n        return 1\n",
    "import m; d = m.D(a=1)", [EDIT, ("(collections.UserDict):", "(collections.UserDict):\n    z = 3")],
    "assert d.f() == 2 and d['a'] == 1 and d.z == 3")
add("a context manager that is open", "class C:\n    def __enter__(self):\n        return 1\n"
    "    def __exit__(self, *e):\n        C.left = 1\n", "import m\ndef gen():\n    with m.C() as c:\n        yield c\n"
    "g = gen(); next(g)", [("C.left = 1", "C.left = 2"), ("class C:", "class C:\n    z = 3")],
    "try:\n    next(g)\nexcept StopIteration:\n    pass\nassert m.C.left in (1, 2)")
add("a pydantic model", "import pydantic\nclass M(pydantic.BaseModel):\n    x: int\n    def f(self):\n        return 1\n",
    "import m; a = m.M(x=5)", [EDIT, ("x: int", "x: int\n    y: int = 7")],
    "assert a.f() == 2 and type(a) is m.M and a.x == 5 and m.M(x=1).y == 7 and isinstance(a, m.M)")
add("a plugin list in a base class elsewhere", "from base import Base\nclass A(Base):\n    x = 1\nclass B(Base):\n    x = 1\n",
    "import m, base; a = m.A()", "from base import Base\nclass A(Base):\n    x = 2\nclass B(Base):\n    x = 1\nclass C(Base):\n    x = 3\n",
    "assert base.Base.plugins == [m.A, m.B, m.C] and a.x == 2 and base.by_name == {'A': m.A, 'B': m.B, 'C': m.C}",
    others={"base.py": "by_name = {}\nclass Base:\n    plugins = []\n    def __init_subclass__(cls):\n"
                       "        Base.plugins.append(cls)\n        by_name[cls.__name__] = cls"})
add("type hints that refer to an edited class", "import typing\nclass A:\n    x = 1\ndef f(a: A, b: list[A], c: 'A | None') -> A: ...\n",
    "import m, typing; f = m.f", ("x = 1", "x = 2"),
    "h = typing.get_type_hints(f); assert h['a'] is m.A and h['b'].__args__ == (m.A,) and h['return'].x == 2")
add("a union type that is kept", "class A:\n    x = 1\nclass B:\n    x = 1\nU = A | B\n", "import m; U = m.U; a = m.A()",
    ("class A:\n    x = 1", "class A:\n    x = 2"), "assert isinstance(a, U) and isinstance(m.A(), U) and U is m.U and m.A in U.__args__")
add("an operator overloaded for two classes", "class V:\n    def __init__(self, x):\n        self.x = x\n    def __add__(self, o):\n"
    "        return V(self.x + o.x) if isinstance(o, V) else NotImplemented\n", "import m; a, b = m.V(1), m.V(2)",
    ("V(self.x + o.x)", "V(self.x + o.x + 10)"), "assert (a + b).x == 13 and (a + m.V(5)).x == 16")
add("copies and deep copies", "class A:\n    def __init__(self):\n        self.x = [1]\n    def f(self, n=1):\n        return 1\n",
    "import m, copy; a = m.A()", [EDIT, ("n=1", "n=2")],
    "b = copy.deepcopy(a); assert type(b) is m.A and b.f() == 2 and b.x == [1] and b.x is not a.x")
X = "class A:\n    def __init__(self):\n        self.x = 5\n"
SLOTS = ("class A:", "class A:\n    __slots__ = ('x',)")
add("abc.ABC gained", "import abc\n" + A, "import m; a = m.A(); a.x = 5; held = [a]", ("class A:", "class A(abc.ABC):"),
    "assert type(a) is m.A and a.x == 5 and a.f() == 1 and held[0] is a and type(m.A) is m.abc.ABCMeta")
add("abc.ABC lost", "import abc\nclass A(abc.ABC):\n    def f(self):\n        return 1\n", "import m; a = m.A(); a.x = 5",
    ("class A(abc.ABC):", "class A:"), "assert type(a) is m.A and a.x == 5 and type(m.A) is type")
add("abc.ABC gained, with subclasses elsewhere", "import abc\n" + A, "import m, user; b = user.B(); b.x = 5",
    [("class A:", "class A(abc.ABC):"), ("    def f", "    @abc.abstractmethod\n    def f")],
    "assert type(b) is user.B and b.x == 5 and b.f() == 1 and user.C().f() == 3\n"
    "try:\n    user.B()\nexcept TypeError:\n    pass\nelse:\n    assert False\n"
    "user.C.register(int); assert issubclass(int, m.A)",
    others={"user.py": "import m\nclass B(m.A):\n    pass\nclass C(m.A):\n    def f(self):\n        return 3\n"})
add("abc.ABC gained, and abstract with live instances", "import abc\n" + X + "    def f(self):\n        return 1\n", "import m; a = m.A()",
    [("class A:", "class A(abc.ABC):"), ("    def f", "    @abc.abstractmethod\n    def f"), ("return 1", "return 2")],
    "assert type(a) is m.A and a.x == 5 and a.f() == 2\ntry:\n    m.A()\nexcept TypeError:\n    pass\nelse:\n    assert False")
add("typing.Generic gained", "import typing\nT = typing.TypeVar('T')\n" + A, "import m; a = m.A(); a.x = 5",
    ("class A:", "class A(typing.Generic[T]):"), "assert m.A[int] and a.x == 5 and type(a) is m.A")
add("type parameters gained, with slots", "class A:\n    __slots__ = ('x',)\n", "import m; a = m.A(); a.x = 5", ("class A:", "class A[T]:"),
    "assert m.A[int] and a.x == 5 and type(a) is m.A")
add("a mixin with empty slots added", "class M:\n    __slots__ = ()\n    def g(self):\n        return 5\nclass A:\n    pass\n",
    "import m; a = m.A(); a.x = 6", ("class A:", "class A(M):"), "assert a.g() == 5 and a.x == 6 and isinstance(a, m.M)")
add("slots gained, with an abstract subclass elsewhere", X, "import m, user; c = user.C(); user.B.register(dict)", SLOTS,
    "assert c.f() == 1 and c.x == 5 and isinstance(c, user.B) and isinstance({}, user.B)\n"
    "try:\n    user.B()\nexcept TypeError:\n    pass\nelse:\n    assert False",
    others={"user.py": "import abc\nfrom m import A\nclass B(A, abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\n"
                       "class C(B):\n    def f(self):\n        return 1\n"})
add("slots gained, with a descriptor in a subclass elsewhere", X, "import m, user; b = user.B()", SLOTS,
    "assert user.names == ['d'] and b.x == 5 and user.B.d is vars(user.B)['d']",
    others={"user.py": "from m import A\nnames = []\nclass D:\n    def __set_name__(self, owner, name):\n        names.append(name)\n"
                       "class B(A):\n    d = D()\n"})
add("slots gained, with a metaclass and a subclass elsewhere",
    "class Meta(type):\n    pass\nclass A(metaclass=Meta):\n    def __init__(self):\n        self.x = 5\n",
    "import m, user; b = user.B(); Meta = m.Meta", ("    def __init__", "    __slots__ = ('x',)\n    def __init__"),
    "assert b.x == 5 and type(b) is user.B and type(user.B) is m.Meta is Meta",
    others={"user.py": "from m import A\nclass B(A):\n    pass"})
add("a metaclass added, with a subclass elsewhere", "class Meta(type):\n    def g(cls):\n        return 5\n" + A,
    "import m, user; b = user.B()", ("class A:", "class A(metaclass=Meta):"),
    "assert type(b) is user.B and b.f() == 11 and type(user.B) is m.Meta and user.B.g() == 5",
    others={"user.py": "from m import A\nclass B(A):\n    def f(self):\n        return super().f() + 10"})
for name, hashed in ("a metaclass with __eq__", "lambda cls: 7"), ("a metaclass whose classes are not hashable", "None"):
    add(name, "class Meta(type):\n    def __eq__(cls, other):\n        return True\n"
        f"    __hash__ = {hashed}\nclass A(metaclass=Meta):\n    def __init__(self):\n        self.x = 5\n", "import m; a = m.A()",
        ("    def __init__", "    __slots__ = ('x', 'y')\n    def __init__"),
        "a.y = 6; assert a.x == 5 and type(a) is m.A and not hasattr(a, '__dict__')")
add("__hash__ added to a Borg", "class A:\n    _state = {}\n    def __init__(self):\n        self.__dict__ = self._state\n",
    "import m; a, b = m.A(), m.A(); a.x = 5", ("    def __init__", "    def __hash__(self):\n        return 5\n    def __init__"),
    "a.x += 1; assert b.x == m.A().x == 6 and vars(a) is vars(b) is m.A._state and hash(a) == 5")
add("__hash__ added, and the dict of an instance is held", X, "import m; a = m.A(); held = vars(a)",
    ("    def __init__", "    def __hash__(self):\n        return 5\n    def __init__"),
    "a.x = 6; assert held['x'] == 6 and vars(a) is held and hash(a) == 5")
add("slots gained by a class that has __getattribute__", "class A:\n    def __init__(self):\n        self.x, self.ok = 5, True\n"
    "    def __getattribute__(self, name):\n        if name != 'ok' and not self.ok:\n            raise RuntimeError\n"
    "        return object.__getattribute__(self, name)\n", "import m; a = m.A()",
    ("class A:", "class A:\n    __slots__ = ('__dict__', 'y')"), "assert a.x == 5 and type(a) is m.A")
add("a slot added to a proxy for an object's dict", "class A:\n    __slots__ = ('target',)\n    def __init__(self, target):\n"
    "        self.target = target\n    @property\n    def __dict__(self):\n        return self.target.__dict__\n",
    "import m, types; t = types.SimpleNamespace(x=5); a = m.A(t)", ("('target',)", "('target', 'y')"),
    "assert a.target is t and vars(t) == {'x': 5} and vars(a) is vars(t); a.y = 6")
add("renamed, with private attributes", "class A:\n    def __init__(self):\n        self.__x, self.y = 5, 6\n    def f(self):\n        return self.__x\n",
    "import m, user; a, b = m.A(), user.B()", ("class A:", "class _New:"),
    "assert type(a) is m._New and type(b) is user.B and a.f() == b.f() == 5 and b.g() == 7 and vars(a) == {'_New__x': 5, 'y': 6}",
    others={"user.py": "import m\nclass B(m.A):\n    def __init__(self):\n        super().__init__()\n        self.__x = 7\n"
                       "    def g(self):\n        return self.__x\n"})
add("renamed, with private slots", "class A:\n    __slots__ = ('__x',)\n    def __init__(self):\n        self.__x = 5\n    def f(self):\n        return self.__x\n",
    "import m; a = m.A()", ("class A:", "class New:"), "assert type(a) is m.New and a.f() == 5")

add("a singleton that a metaclass keeps", "class Single(type):\n    def __init__(cls, *arguments):\n"
    "        super().__init__(*arguments)\n        cls._it = None\n    def __call__(cls):\n"
    "        if cls._it is None:\n            cls._it = super().__call__()\n        return cls._it\n"
    "class A(metaclass=Single):\n    x = 1\n", "import m; a = m.A()", ("x = 1", "x = 2"),
    "assert m.A() is a and a.x == 2")
add("instances that __init_subclass__ made a list for", "class Base:\n    def __init_subclass__(cls):\n"
    "        cls.made = []\nclass A(Base):\n    x = 1\n    def __init__(self):\n        self.made.append(self)\n",
    "import m; a = m.A()", ("x = 1", "x = 2"), "assert m.A.made == [a]; assert m.A.made == [a, m.A()]")
add("a cache that a decorator has added", "def cached(cls):\n    cls._cache = {}\n    return cls\n@cached\nclass A:\n"
    "    x = 1\n    @classmethod\n    def get(cls, k):\n        return cls._cache.setdefault(k, cls())\n",
    "import m; a = m.A.get(1)", ("x = 1", "x = 2"), "assert m.A.get(1) is a and a.x == 2")
add("names that a metaclass has collected", "class Meta(type):\n    def __init__(cls, name, bases, names):\n"
    "        super().__init__(name, bases, names)\n        cls.columns = [n for n in names if n[:2] != '__']\n"
    "        cls.key = 'id' if 'id' in names else None\nclass A(metaclass=Meta):\n    id = 1\n",
    "import m; a = m.A()", "class Meta(type):\n    def __init__(cls, name, bases, names):\n"
    "        super().__init__(name, bases, names)\n        cls.columns = [n for n in names if n[:2] != '__']\n"
    "        cls.key = 'id' if 'id' in names else None\nclass A(metaclass=Meta):\n    pass\n",
    "assert a.columns == [] and a.key is None")
add("a default of a named tuple removed", "import typing\nclass P(typing.NamedTuple):\n    x: int\n    y: int = 1\n",
    "import m; p = m.P(5)", (" = 1", ""), "assert p == (5, 1) and m.P._field_defaults == {}")
add("a default that the class has too", "class A:\n    L = []\n    def f(self, x=L):\n        return x\n",
    "import m; a = m.A(); a.L.append(1)", ("x=L", "x=L, y=0"), "assert a.f() is a.L is m.A.L == [1]")
add("a lock that methods share", "import threading\ndef synced(lock):\n    def decorate(f):\n"
    "        def wrapper(*args):\n            with lock:\n                return f(*args)\n        wrapper.lock = lock\n"
    "        return wrapper\n    return decorate\nclass A:\n    LOCK = threading.Lock()\n    @synced(LOCK)\n"
    "    def f(self):\n        return 1\n", "import m; lock = m.A.LOCK",
    [("return 1\n", "return 1\n    @synced(LOCK)\n    def g(self):\n        return 2\n")],
    "assert m.A.LOCK is m.A.f.lock is m.A.g.lock is lock and m.A().g() == 2")
add("a sentinel that is a default", "class A:\n    S = object()\n    def f(self, x=S):\n        return x is self.S\n",
    "import m; a = m.A(); s = a.S", ("x=S", "x=S, y=0"), "assert a.f() and a.f(s) and not a.f(1)",
    again=(("class A:", "class A:\n    y = 1"), "assert a.f() and a.f(s) and a.y == 1"))
add("a cache that methods share", "def memo(cache):\n    def decorate(f):\n        def wrapper(self, k):\n"
    "            return cache.setdefault(k, f(self, k))\n        return wrapper\n    return decorate\nclass A:\n"
    "    CACHE = {}\n    @memo(CACHE)\n    def f(self, k):\n        return k\n", "import m; a = m.A(); a.f(1)",
    [("return k\n", "return k\n    @memo(CACHE)\n    def g(self, k):\n        return -k\n")],
    "a.f(2), a.g(3); assert m.A.CACHE == {1: 1, 2: 2, 3: -3}")
add("a table filled in the class", "class A:\n    T = {}\n    T['a'] = 1\n", "import m; a = m.A()",
    ("    T['a'] = 1", "    T['a'] = 1\n    T['b'] = 2"), "assert a.T == {'a': 1, 'b': 2}")
add("a table filled below the class", "class A:\n    T = {}\n    x = 1\nA.T['a'] = 1\n", "import m; a = m.A(); m.A.x = 5",
    ("A.T['a'] = 1", "A.T['a'] = 1\nA.T['b'] = 2"), "assert a.T == {'a': 1, 'b': 2} and a.x == 5")
add("an attribute set below the class", "class A:\n    x = 1\nA.x = 5\nA.y = 6\n",
    "import m; a = m.A(); m.A.y = 7; m.A.z = 8", ("= 5", "= 9"), "assert (a.x, a.y, a.z) == (9, 7, 8)")
add("an attribute set below the class, removed", "class A:\n    x = 1\nA.x = 5\nA.y = 6\n", "import m; a = m.A()",
    ("A.x = 5\nA.y = 6\n", ""), "assert a.x == 1 and not hasattr(a, 'y')")
add("an attribute of a method", "class A:\n    def f(self):\n        return 1\n    f.title = 'old'\n",
    "import m; a = m.A(); m.A.f.n = 1", ("'old'", "'new'"), "assert a.f.title == 'new'",
    again=([("'new'", "'newer'"), EDIT], "assert a.f.title == 'newer' and a.f() == 2"))
add("an attribute of a method, set below the class", "class A:\n    def f(self):\n        return 1\nA.f.title = 'old'\n",
    "import m; a = m.A()", ("'old'", "'new'"), "assert a.f.title == 'new'")
add("a type parameter added", "class A[T]:\n    def f(self):\n        return 1\n", "import m; a = m.A()",
    ("[T]", "[T, U: int]"), "assert m.A[str, int] and type(a) is m.A and a.f() == 1")
add("a table that methods are put into by a decorator", "class A:\n    T = {}\n    def on(key, T=T):\n"
    "        def add(f):\n            T[key] = f\n            return f\n        return add\n    @on('a')\n"
    "    def f(self):\n        return 1\n", "import m; a = m.A(); t = m.A.T; t['x'] = 5",
    [EDIT, ("class A:", "class A:\n    y = 1")], "assert m.A.T is t and t['a'](a) == 2 and t['x'] == 5",
    again=(("'a'", "'b'"), "assert m.A.T is t and t['b'](a) == 2 and 'a' not in t and t['x'] == 5"))
add("a table in a condition in the class", "import sys\nclass A:\n    if sys.version_info:\n        x = 1\n        T = {}\n"
    "        T['a'] = 1\n", "import m; a = m.A(); m.A.x = 3", ("T['a'] = 1", "T['a'] = 2"),
    "assert a.T == {'a': 2} and a.x == 3")
