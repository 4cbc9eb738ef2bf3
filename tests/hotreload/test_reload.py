"""What a reload reports, and which way it takes."""

import ctypes
import sys
import threading
import time
import zipfile

import pytest

import hotreload


def test_nothing(project):
    m = project.load("X = 1\n")
    report = hotreload.reload(m)
    assert not report and report.way == "nothing" and str(report) == "nothing to reload"
    project.write("m.py", "X = 1\n")  # touched
    assert not hotreload.reload(m)


def test_bodies(project):
    m = project.load("def f():\n    return 1\nclass A:\n    def g(self):\n        return 1\nL = []\n")
    f, A, L = m.f, m.A, m.L
    project.edit("m.py", ("return 1", "return 2"))
    report = hotreload.reload(m)
    assert report.way == "bodies" and report.changed == ["m:f", "m:A.g"]
    assert m.f is f and m.A is A and m.L is L and f() == A().g() == 2


@pytest.mark.parametrize("old, edit", [
    ("def f(x=1):\n    return 1\n", ("x=1", "x=2")),
    ("def f(): pass\nX = 1\n", ("X = 1", "X = 2")),
    ("def deco(f):\n    return f\n@deco\ndef g():\n    pass\n", ("return f", "x = 1\n    return f")),
    ("class M(type):\n    def __new__(*args):\n        return type.__new__(*args)\n"
     "class A(metaclass=M): pass\n", ("return", "x = 1; return")),
    ("class A:\n    def f(self):\n        return 1\n", ("return 1", "return __class__")),
    ("class A:\n    def __hash__(self):\n        return 1\n", ("return 1", "return 2")),
    ("class A:\n    def __init_subclass__(cls):\n        pass\nclass B(A): pass\n", ("pass\nclass", "x = 1\nclass")),
    ("def default():\n    return 1\ndef f(x=default()):\n    return x\n", ("return 1", "return 2")),
])
def test_edits_that_execute_the_module(project, old, edit):
    m = project.load(old)
    project.edit("m.py", edit)
    assert hotreload.reload(m).way == "remap"


def test_forced(project):
    m = project.load("def f(): pass\nclass A: pass\nL = []\n")
    before = {name: id(value) for name, value in vars(m).items() if not name.startswith("__")}
    report = hotreload.reload(m, force=True)
    assert report.way == "remap" and report.changed == []
    assert before == {name: id(value) for name, value in vars(m).items() if not name.startswith("__")}


def test_report(project):
    m = project.load("X = 1\nY = 1\ndef f(): pass\ndef gone(): pass\nclass A: pass\n")
    user = project.load("from m import gone\ntable = {'x': gone}\n", "user")
    m.X = 7
    project.write("m.py", "X = 1\nY = 2\nZ = 3\ndef f(): return 1\nclass A: pass\ndef new(): pass\n")
    report = hotreload.reload(m)
    assert report.modules == ("m",)
    assert set(report.changed) == {"m:Y", "m:f"}
    assert set(report.added) == {"m:Z", "m:new"}
    assert report.kept == ["m:X"]
    assert report.deleted == {"m:gone": ["the dict user:table", "user:gone"]}
    assert user.gone is user.table["x"]
    text = str(report)
    assert text.startswith("m: changed ") and "still used by the dict user:table, user:gone" in text


def test_users_of_what_is_deleted(project):
    m = project.load("import os\nX = 1\nY = 'text'\ndef f(): pass\nclass A: pass\nU = 2\n")
    project.load("""
        import functools
        from m import X as x, f, A
        class B(A):
            callback = f
        def default(a=f): pass
        part = functools.partial(f)
        listed = [f]
        instance = A()
        """, "user")
    project.write("m.py", "Z = 1\n")
    report = hotreload.reload(m)
    assert set(report.deleted) == {"m:X", "m:Y", "m:f", "m:A", "m:U"}  # and not the import
    assert report.deleted["m:X"] == ["user:x"] and report.deleted["m:Y"] == report.deleted["m:U"] == []
    assert set(report.deleted["m:f"]) >= {
        "user:f", "the list user:listed", "the partial user:part"}
    assert set(report.deleted["m:A"]) >= {"user:A", "instances of A"}


def test_what_is_left_behind(project):
    m = project.load("class A: pass\ndef f(): pass\n")
    held = ctypes.py_object(m.A)
    project.write("m.py", "class A: x = 1\ndef f(): pass\n")
    report = hotreload.reload(m)
    assert report.left_behind == {"m:A": 1} and "1 reference left behind, to A" in str(report)
    assert any("py_object" in holder for holder in report.held_by["m:A"])
    assert held.value is not m.A and held.value.__name__ == "A"


def test_number_of_references(project):
    """Those of the program, and not those that the reload itself has made."""
    m = project.load("def f(): pass\ndef g(): pass\nclass A: pass\n")
    table = [m.f] * 100
    project.write("m.py", "def f(x=1): pass\ndef g(): pass\nclass A: pass\n")
    assert 95 <= hotreload.reload(m).references <= 110 and table[99] is m.f


def test_arguments(project):
    m = project.load("X = 1\n")
    n = project.load("X = 1\n", "n")
    project.write("m.py", "X = 2\n")
    project.write("n.py", "X = 2\n")
    assert hotreload.reload(["m", n]).modules == ("m", "n")
    assert (m.X, n.X) == (2, 2)
    with pytest.raises(TypeError):
        hotreload.reload([5])
    with pytest.raises(hotreload.ReloadError, match="not imported"):
        hotreload.reload("does_not_exist")


def test_all_modules_of_the_program(project):
    m = project.load("X = 1\n")
    n = project.load("import m\nX = m.X\n", "n")
    project.write("n.py", "import m\nX = m.X + 1\n")
    project.write("m.py", "X = 2\n")
    report = hotreload.reload()
    assert report.modules == ("m", "n") and (m.X, n.X) == (2, 3)


def test_modules_that_import_each_other(project):
    project.write("n.py", "import m\nclass B:\n    x = 1\n")
    m = project.load("import n\nclass A(n.B):\n    y = 1\n")
    a = m.A()
    project.edit("m.py", ("y = 1", "y = 2"))
    project.edit("n.py", ("x = 1", "x = 2"))
    hotreload.reload()
    assert (a.x, a.y) == (2, 2) and isinstance(a, sys.modules["n"].B)


def test_packages(project):
    project.write("pkg/__init__.py", "from .a import f\nfrom . import sub\n")
    project.write("pkg/a.py", "def f(x=1): return x\n")
    project.write("pkg/sub/__init__.py", "from ..a import f as g\n")
    project.write("pkg/sub/deep.py", "from ..a import f\n")
    import pkg.sub.deep
    project.edit("pkg/a.py", ("x=1", "x=2"))
    project.edit("pkg/__init__.py", ("from . import sub", "from . import sub\nX = 5"))
    report = hotreload.reload()
    assert set(report.modules) == {"pkg", "pkg.a"} and report.modules[0] == "pkg.a"
    assert pkg.f is pkg.a.f is pkg.sub.g is pkg.sub.deep.f and pkg.f() == 2 and pkg.X == 5
    assert pkg.sub is sys.modules["pkg.sub"] and pkg.sub.deep is sys.modules["pkg.sub.deep"]


def test_refusals(project):
    with pytest.raises(hotreload.ReloadError, match="built-in"):
        hotreload.reload(sys)
    import _ctypes
    with pytest.raises(hotreload.ReloadError, match="extension module"):
        hotreload.reload(_ctypes)
    with zipfile.ZipFile(project.folder / "z.zip", "w") as archive:
        archive.writestr("zipped.py", "X = 1\n")
    sys.path.insert(0, str(project.folder / "z.zip"))
    try:
        import zipped
        with pytest.raises(hotreload.ReloadError, match="zip"):
            hotreload.reload(zipped)
    finally:
        del sys.path[0], sys.modules["zipped"]
    m = project.load("X = 1\n")
    (project.folder / "m.py").unlink()
    with pytest.raises(hotreload.ReloadError, match="gone"):
        hotreload.reload(m)


def test_layout_refused_with_the_reason(project):
    m = project.load("class A:\n    pass\n")
    a = m.A()
    a.x = 1
    project.write("m.py", "class A:\n    __slots__ = ()\n")
    with pytest.raises(hotreload.ReloadRefused, match="m.A has no place for the attribute 'x'"):
        hotreload.reload(m)
    assert a.x == 1 and type(a) is m.A


@pytest.mark.parametrize("old, new, before, message", [
    ("class A: pass\n", "class A:\n    __slots__ = ()\n", "import weakref; a = m.A(); w = weakref.ref(a)",
     "m.A has no place for the weak references .*__weakref__"),
    ("class A: pass\n", "class A(int): pass\n", "class B(m.A, str): pass\nb = B()",
     "the subclass program.B cannot be made anew: .*lay-out"),
    ("class A: pass\n", "def A(): pass\n", "class B(m.A): pass\nb = B()",
     "m.A cannot be replaced: B.__bases__ must be"),
    ("class M: pass\nclass A: pass\n", "class M: pass\nclass A(M): pass\n", "class B(m.M, m.A): pass",
     "m.A cannot be replaced: class .B. would have no consistent method resolution order"),
    ("class A(int): pass\n", "class A(str): pass\n", "a = m.A(5)", "are int objects, and cannot become str"),
    ("import io\nclass A(io.BytesIO): pass\n", "import io\nclass A(io.BytesIO):\n    __slots__ = ('x',)\n",
     "a = m.A()", "cannot be made anew: their contents belong to BytesIO"),
    ("import typing\nclass A(typing.NamedTuple):\n    x: int\n",
     "import typing\nclass A(typing.NamedTuple):\n    x: int\n    y: int\n", "a = m.A(1)",
     "no value for the new field 'y', .* give it one"),
    ("class A:\n    def __hash__(self): return 1\n", "class A:\n    def __eq__(self, other): return True\n",
     "held = {m.A(): 1}", "does not fit what the program has: unhashable type: 'A'"),
])
def test_refused_with_the_reason(project, old, new, before, message):
    m = project.load(old)
    namespace = {"m": m, "__name__": "program"}
    exec(before, namespace)
    A = m.A
    project.write("m.py", new)
    with pytest.raises(hotreload.ReloadRefused, match=message):
        hotreload.reload(m)
    assert m.A is A and type(namespace.get("a")) in (A, type(None))


def test_a_hook_takes_what_has_no_place(project):
    m = project.load("class A:\n    def __init__(self):\n        self.first, self.last = 'Ada', 'L'\n")
    a = m.A()
    project.write("m.py", """
        class A:
            __slots__ = ("name",)
            def __reload__(self, old):
                self.name = f"{old['first']} {old['last']}"
        """)
    report = hotreload.reload(m)
    assert a.name == "Ada L" and report.instances == 1 and not report.left_behind


def test_instances_that_have_been_rebuilt_are_not_found_again(project):
    m = project.load("import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass A:\n    x: int\n")
    held = {m.A(n): n for n in range(5)}
    for n in range(4):
        project.edit("m.py", ("x: int", f"x: int\n    y{n}: int = {n}"))
        assert hotreload.reload(m).instances == 5
        assert held == {m.A(n): n for n in range(5)}


def test_hook_of_a_module(project):
    m = project.load("VERSION = 1\ndef f(): return 1\nCACHE = {}\n")
    f = m.f
    m.CACHE["x"] = 1
    project.write("m.py", """
        VERSION = 2
        CACHE = {}
        def f(): return 2
        def __reload__(old):
            CACHE.clear()
            CACHE["from"] = old["VERSION"], old["f"] is f, old["CACHE"] is CACHE
        """)
    hotreload.reload(m)
    assert m.CACHE == {"from": (1, False, True)} and f is not m.f or m.f() == 2


def test_order_that_the_old_class_could_not_have(project):
    m = project.load("class A:\n    def f(self): return 1\nclass B: pass\nclass C(A, B): pass\n")
    below = type("Below", (m.C,), {})
    c, b = m.C(), below()
    # The old C would be a class of A before B, which inherits from A now.
    project.edit("m.py", ("return 1", "return 2"), ("B: pass", "B(A): pass"), ("C(A, B)", "C(B)"))
    assert hotreload.reload(m)
    assert c.f() == b.f() == 2
    assert below.__mro__ == (below, m.C, m.B, m.A, object)


def test_hook_of_a_class_with_subclasses(project):
    m = project.load("class A:\n    x = 1\n")
    user = project.load("from m import A\nclass B(A): pass\n", "user")
    a, b = m.A(), user.B()
    a.n = b.n = 1
    project.write("m.py", "class A:\n    x = 2\n    def __reload__(self, old):\n"
                          "        self.n = old['n'] + 1\n")
    hotreload.reload(m)
    assert a.n == b.n == 2


def test_threads_import_the_finished_module(project):
    m = project.load("X = 1\n")
    project.write("m.py", "import time\ntime.sleep(0.2)\nX = 2\n")
    seen = []

    def other():
        time.sleep(0.05)
        import m as imported
        seen.append((imported, imported.X))
    thread = threading.Thread(target=other)
    thread.start()
    hotreload.reload(m)
    thread.join()
    [(imported, x)] = seen
    assert x == 2
    m.X = 9
    assert imported.X == 9


def test_unknown_text(project):
    m = project.load("X = 1\ndef f(): return 1\n")
    del hotreload.source.records["m"]
    m.X = 7
    project.write("m.py", "X = 1\ndef f(): return 2\nY = 1\n")
    hotreload.reload(m)
    assert (m.X, m.f(), m.Y) == (7, 2, 1)
    project.write("m.py", "X = 3\ndef f(): return 2\n")
    hotreload.reload(m)
    assert m.X == 3 and not hasattr(m, "Y")
