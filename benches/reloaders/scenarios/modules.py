"""Several modules, packages, hooks."""

from . import Group

add = Group("modules")

add("a package's submodule", "import pkg.a\n", "import m, pkg.a; f = pkg.a.f", ("\n", "\n\n"),
    "assert pkg.a.f() == 2 and f() == 2",
    others={"pkg/__init__.py": "", "pkg/a.py": "def f():\n    return 1\n"},
    edits={"pkg/a.py": ("1", "2")})
add("a relative import", "import pkg.a\n", "import m, pkg.b", ("\n", "\n\n"),
    "assert pkg.b.g() == 2",
    others={"pkg/__init__.py": "", "pkg/a.py": "def f():\n    return 1\n",
            "pkg/b.py": "from .a import f\ndef g():\n    return f()\n"},
    edits={"pkg/a.py": ("return 1", "X = 0\n    return 2")})
add("names re-exported by a package", "import pkg\n", "import m, pkg; A = pkg.A; a = A()", ("\n", "\n\n"),
    "assert pkg.A is pkg.a.A is A and a.x == 2",
    others={"pkg/__init__.py": "from .a import A\n", "pkg/a.py": "class A:\n    x = 1\n"},
    edits={"pkg/a.py": ("x = 1", "x = 2")})
add("star imports", "def f():\n    return 1\nX = 1000\n", "import m, user",
    [("return 1\n", "return 2\n"), ("1000", "2000")], "assert user.f() == 2 and user.X == 2000",
    others={"user.py": "from m import *\n"})
add("two modules that depend on each other", "import other\ndef f():\n    return other.X + 1\n",
    "import m, other; f = m.f", ("+ 1", "+ 2"), "assert f() == 12",
    others={"other.py": "import m\nX = 1\n"}, edits={"other.py": ("X = 1", "X = 10")})
add("a base class and its subclass in two files", "class A:\n    x = 1\n", "import m, other; b = other.B()",
    ("x = 1", "x = 2"), "assert (b.x, b.y) == (2, 2) and isinstance(b, m.A) and type(b) is other.B",
    others={"other.py": "from m import A\nclass B(A):\n    y = 1\n"}, edits={"other.py": ("y = 1", "y = 2")})
add("a name moves to another module", "class A:\n    x = 1\n", "import m, other; a = m.A(); held = [m.A]",
    "from other import A\n", "assert m.A is other.A and m.A.x == 1",
    others={"other.py": "Y = 1\n"}, edits={"other.py": "Y = 1\nclass A:\n    x = 1\n"})
add("a name moves to a module that imports it", "from other import A, f\n",
    "import m, other, user; a = m.A(); g = m.f",
    "class A:\n    x = 2\n    def f(self):\n        return 2\ndef f():\n    return 2\n",
    "assert type(a) is m.A is user.A and a.f() == a.x == 2; assert g is m.f is user.f and g() == 2; "
    "assert not hasattr(other, 'A') and not hasattr(other, 'f')",
    others={"other.py": "class A:\n    x = 1\n    def f(self):\n        return 1\ndef f():\n    return 1\n",
            "user.py": "from m import A, f\n"}, edits={"other.py": "Y = 1\n"})
add("a new module is imported", "X = 1\n", "import m", "import brand_new\nX = brand_new.X\n",
    "assert m.X == 5", edits={"brand_new.py": "X = 5\n"})
add("a function moves into a new module", "def f():\n    return 1\n", "import m; held = m.f",
    "from helper import f\n", "assert m.f() == 2", edits={"helper.py": "def f():\n    return 2\n"})
add("an annotation that refers to the module", "import typing\nclass A:\n    b: 'B'\nclass B:\n    x = 1\n",
    "import m, typing", ("x = 1", "x = 2"), "assert typing.get_type_hints(m.A)['b'] is m.B and m.B.x == 2")
add("__all__ edited", "__all__ = ['f']\ndef f(): ...\ndef g(): ...\n", "import m", ("['f']", "['f', 'g']"),
    "assert m.__all__ == ['f', 'g']")
add("a module's docstring", '"""old"""\nX = 1\n', "import m", ("old", "new"), "assert m.__doc__ == 'new'")
add("a module's __getattr__", "def __getattr__(name):\n    return 1\n", "import m", ("return 1", "return 2"),
    "assert m.anything == 2")
add("conditional definitions", "FAST = True\nif FAST:\n    def f():\n        return 1\nelse:\n    def f():\n"
    "        return 'slow'\n", "from m import f", ("return 1", "return 2"), "assert f() == 2")
add("a condition edited", "FAST = True\nif FAST:\n    def f():\n        return 1\nelse:\n    def f():\n"
    "        return 'slow'\n", "from m import f", ("FAST = True", "FAST = False"), "assert f() == 'slow'")
add("globals() in a function", "X = 1\ndef f():\n    return globals()\n", "import m; f = m.f",
    ("globals()", "dict(globals())"), "m.X = 9; assert f()['X'] == 9")
add("a function sees later changes of the module", "X = 1\ndef f(a):\n    return X\n", "import m; f = m.f",
    ("f(a)", "f(a=0)"), "m.X = 9; assert f() == 9 and m.f.__globals__ is vars(m)")
add("a method sees later changes of the module", "X = 1\nclass A:\n    def f(self):\n        return X\n",
    "import m; a = m.A()", ("class A:", "class A:\n    y = 1"), "m.X = 9; assert a.f() == 9")
add("reload of what did not change", "class A:\n    pass\ndef f(): ...\nL = []\n",
    "import m; ids = [id(m.A), id(m.f), id(m.L)]; a = m.A()", ("L = []\n", "L = []\n# a comment\n"),
    "assert ids == [id(m.A), id(m.f), id(m.L)] and type(a) is m.A", origin="Dart: identity reload")
add("a number re-exported by a package", "RATE = 1.5\n", "import m, pkg, user", ("1.5", "2.5"),
    "assert pkg.RATE == 2.5 == user.f()",
    others={"pkg.py": "from m import RATE\n", "user.py": "from pkg import RATE as R\ndef f():\n    return R\n"})
add("a number in a chain of star imports", "RATE = 1000\nNONE = None\n__all__ = ['RATE']\n", "import m, pkg, user",
    [("1000", "2000"), ("None", "1")], "assert pkg.RATE == user.RATE == 2000 and not hasattr(user, 'NONE')",
    others={"pkg.py": "from m import *\n", "user.py": "from pkg import *\n"})
add("a number re-exported by an edited module", "RATE = 1000\n", "import m, pkg, user", ("1000", "2000"),
    "assert pkg.RATE == user.RATE == 2000 and pkg.X == 2",
    others={"pkg.py": "from m import RATE\nX = 1\n", "user.py": "from pkg import RATE\n"},
    edits={"pkg.py": ("X = 1", "X = 2")})
add("__version__ imported by name", "__version__ = '1.0'\n", "import m, user", ("1.0", "2.0"),
    "assert m.__version__ == user.__version__ == '2.0'", others={"user.py": "from m import __version__\n"})
add("a table with a special name", "__registry__ = {}\nX = 1\n", "import m; table = m.__registry__; table['a'] = 1",
    ("X = 1", "X = 2"), "assert m.__registry__ is table == {'a': 1} and m.X == 2")
add("an imported name that a function binds", "from other import settings, LIMIT\nX = 1\ndef configure(s):\n"
    "    global settings, LIMIT\n    settings, LIMIT = s, 5\n", "import m, other; m.configure([2])",
    ("X = 1", "X = 2"), "assert m.settings == [2] and m.LIMIT == 5 and m.X == 2 and other.settings == [1]",
    others={"other.py": "settings = [1]\nLIMIT = 4\n"})
add("an imported name that a function may bind", "from other import LIMIT\nX = 1\ndef limit(n):\n"
    "    global LIMIT\n    LIMIT = n\n", "import m, other", ("X = 1", "X = 2"),
    "assert m.LIMIT == other.LIMIT == 6", others={"other.py": "LIMIT = 4\n"}, edits={"other.py": ("4", "6")})
add("two modules that import each other, a name added", "import other\ndef f():\n    return other.g()\n",
    "import m, other", ("def f", "def new():\n    return 10\ndef f"), "assert m.f() == 11",
    others={"other.py": "import m\ndef g():\n    return 1\n"},
    edits={"other.py": "import m\nfrom m import new\ndef g():\n    return 1 + new()\n"})
