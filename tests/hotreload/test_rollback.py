"""A reload that fails anywhere leaves the program as it was."""

import gc
import sys

import pytest

import hotreload
from hotreload import transaction

OLD = """
    import registry

    LIMIT = 1000
    TABLE = {"a": 1}

    class Shape:
        sides = 0
        def __init__(self): self.x = 5
        def area(self): return "old"

    class Point:
        __slots__ = ("x",)
        def __init__(self): self.x = 5

    @registry.register
    def f(a=1): return "old"

    def make():
        def inner(): return "old"
        return inner

    def gone(): return "still here"
    """

NEW = """
    import registry

    LIMIT = 2000
    TABLE = {"a": 2}

    class Shape:
        sides = 1
        def __init__(self): self.x = 5
        def area(self): return "new"

    class Point:
        def __init__(self): self.x = 5

    @registry.register
    def f(a=2): return "new"

    @registry.register
    def added(): return "new"

    def make():
        def inner(): return "new"
        return inner
    """


class Program:
    """A program that uses the module, and what it looks like."""

    def __init__(self, project):
        project.load("hooks = []\nby_name = {}\ndef register(f):\n    hooks.append(f)\n"
                     "    by_name[f.__name__] = f\n    return f\n", "registry")
        self.module = project.load(OLD)
        self.user = project.load("from m import LIMIT, TABLE, f, Shape\nclass Square(Shape): pass\n",
                                 "user")
        m = self.module
        self.held = [m.Shape(), m.Point(), m.f, m.make(), self.user.Square(), {m.f: 1, m.Shape: 2}]
        m.TABLE["b"] = 2

    def picture(self):
        """Everything that could change, by identity where it has one."""
        m, user = self.module, self.user
        registry = sys.modules["registry"]
        return {
            "namespace": {name: id(value) for name, value in vars(m).items()},
            "user": {name: id(value) for name, value in vars(user).items()},
            "held": [id(thing) for thing in self.held],
            "types": [id(type(thing)) for thing in self.held],
            "runs": [self.held[0].area(), self.held[2](), self.held[3](), self.held[4].area(), m.gone()],
            "state": [vars(self.held[0]), self.held[1].x, m.LIMIT, user.LIMIT, dict(m.TABLE)],
            "keys": {id(key): value for key, value in self.held[5].items()},
            "found": [self.held[5][m.f], self.held[5][m.Shape]],
            "hooks": [id(f) for f in registry.hooks],
            "by name": {name: id(f) for name, f in registry.by_name.items()},
            "subclasses": [id(c) for c in m.Shape.__subclasses__()],
            "mro": [id(c) for c in user.Square.__mro__],
            "attributes": {name: id(value) for name, value in vars(m.Shape).items()},
            "defaults": m.f.__defaults__,
            "code": [id(m.f.__code__), id(m.Shape.area.__code__), id(self.held[3].__code__)],
            "modules": sys.modules["m"] is m,
        }


@pytest.fixture
def program(project):
    return Program(project)


class Stop(Exception):
    pass


def stop_at(monkeypatch, stage):
    def probe(reached):
        if reached == stage:
            raise Stop(stage)
    monkeypatch.setattr(transaction, "probe", probe)


@pytest.mark.parametrize("stage", transaction.STAGES)
def test_each_stage(project, program, monkeypatch, stage):
    before = program.picture()
    project.write("m.py", NEW)
    stop_at(monkeypatch, stage)
    for _ in range(2):
        with pytest.raises(Stop):
            hotreload.reload()
        gc.collect()
        assert program.picture() == before
    monkeypatch.setattr(transaction, "probe", None)
    report = hotreload.reload()
    assert report.way == "remap" and program.held[2]() == "new" and program.held[0].area() == "new"
    assert program.user.LIMIT == 2000 and not hasattr(program.module, "gone")
    assert [f.__name__ for f in sys.modules["registry"].hooks] == ["f", "added"]


@pytest.mark.parametrize("stage", ["select", "match", "prepare"])
def test_each_stage_of_the_cheap_way(project, program, monkeypatch, stage):
    before = program.picture()
    project.edit("m.py", ('"old"', '"new"'))
    stop_at(monkeypatch, stage)
    with pytest.raises(Stop):
        hotreload.reload()
    assert program.picture() == before
    monkeypatch.setattr(transaction, "probe", None)
    assert hotreload.reload().way == "bodies"
    assert program.picture()["runs"] == ["new", "new", "new", "new", "still here"]


@pytest.mark.parametrize("end, error", [
    ("def broken(:", SyntaxError),
    ("1 / 0", ZeroDivisionError),
    ("import does_not_exist", ImportError),
    ("class Bad(int, str): pass", TypeError),
    ("raise SystemExit(3)", SystemExit),
    ("raise KeyboardInterrupt", KeyboardInterrupt),
    ("def __reload__(old): raise LookupError", LookupError),
    ("TABLE['x'] = {}\ndef __reload__(old):\n    del TABLE['a']; global f\n    f = 5\n    1 / 0",
     ZeroDivisionError),
])
def test_sources_that_fail(project, program, end, error):
    before = program.picture()
    text = (project.folder / "m.py").read_text().replace('"old"', '"new"')
    project.write("m.py", text + "\n" + end + "\n")
    with pytest.raises(error):
        hotreload.reload()
    assert program.picture() == before


def test_a_traceback_shows_the_line(project, program):
    project.write("m.py", NEW + "\n    1 / 0  # here\n")
    with pytest.raises(ZeroDivisionError) as caught:
        hotreload.reload()
    assert caught.traceback[-1].path == project.folder / "m.py"


def test_class_hook_that_raises(project):
    m = project.load("class A:\n    def __init__(self, n):\n        self.n = n\n")
    a = [m.A(n) for n in range(10)]
    project.write("m.py", """
        class A:
            def __init__(self, n):
                self.n = n
            def __reload__(self, old):
                self.n += 100
                if old["n"] == 5:
                    raise LookupError
        """)
    old = m.A
    with pytest.raises(LookupError):
        hotreload.reload(m)
    assert m.A is old and [x.n for x in a] == [*range(10)] and type(a[0]) is old


def test_hash_that_raises(project):
    m = project.load("class A:\n    def __init__(self, n): self.n = n\n"
                     "    def __hash__(self): return self.n\n")
    a = m.A(5)
    held = {(a,): 1}
    project.write("m.py", "class A:\n    def __init__(self, n): self.n = n\n"
                          "    def __hash__(self): raise LookupError\n")
    old = m.A
    with pytest.raises(LookupError):
        hotreload.reload(m)
    assert m.A is old and type(a) is old and held[a,] == 1
