"""Files: which of many were written, and what editors do to them."""

import importlib
import os
import sys
import threading
import time

import pytest

import hotreload
from hotreload import source
from hotreload.changes import make_watch


@pytest.fixture
def many(project, monkeypatch):
    monkeypatch.setattr(source, "_the_watch", [])
    project.in_place = True
    for number in range(150):
        project.load("X = 1\n", f"many{number}")
    assert not hotreload.reload()
    yield project
    for watch in source._the_watch:
        watch.close()


def test_written_in_place(many):
    many.write("many5.py", "X = 2\n")
    many.write("many7.py", "X = 2\n")
    assert set(hotreload.reload().modules) == {"many5", "many7"}
    assert not hotreload.reload()
    many.write("many5.py", "X = 3\n")
    assert hotreload.reload().modules == ("many5",)


def test_replaced_by_a_new_file(many):
    for number in range(3):
        new = many.write("new.txt", f"X = 'new {number}'\n")
        os.replace(new, many.folder / "many9.py")
        assert hotreload.reload().modules == ("many9",)
        assert not hotreload.reload()


def test_deleted_and_written_again(many):
    (many.folder / "many9.py").unlink()
    assert not hotreload.reload()
    many.write("many9.py", "X = 'again'\n")
    assert hotreload.reload().modules == ("many9",)


def test_failed_reload_is_tried_again(many):
    many.write("many9.py", "1 / 0\n")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            hotreload.reload()
    many.write("many9.py", "X = 5\n")
    assert hotreload.reload().modules == ("many9",)


def test_one_module_of_many(many):
    import many9
    many.write("many9.py", "X = 5\n")
    many.write("many8.py", "X = 5\n")
    assert hotreload.reload(many9).modules == ("many9",)
    assert hotreload.reload().modules == ("many8",)


def test_modules_imported_later(many):
    many.load("X = 1\n", "late")
    assert not hotreload.reload()
    many.write("late.py", "X = 2\n")
    assert hotreload.reload().modules == ("late",)


def test_symbolic_links_are_asked(many):
    many.write("elsewhere/real.py", "X = 1\n")
    (many.folder / "linked.py").symlink_to(many.folder / "elsewhere" / "real.py")
    import linked
    assert not hotreload.reload()
    many.write("elsewhere/real.py", "X = 2\n")
    assert hotreload.reload().modules == ("linked",) and linked.X == 2


def test_child_processes(many):
    many.write("many9.py", "X = 5\n")
    child = os.fork()
    if not child:
        os._exit(0 if hotreload.reload().modules == ("many9",) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert hotreload.reload().modules == ("many9",)


def test_nothing_is_cheap(many):
    for number in range(150, 1000):
        many.load("X = 1\n", f"many{number}")
    hotreload.reload()
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        hotreload.reload()
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.001


def test_folders_that_do_not_tell():
    watch = make_watch()
    if watch is None:
        pytest.skip("no inotify")
    paths = ["/proc/self/status", "/does/not/exist"]
    assert watch.to_ask(paths) == watch.to_ask(paths) == paths
    watch.close()


# What happens to one file, or to several at a time.

def write_bytes(project, path, data):
    """As `Project.write()`, without a say in what is in the file."""
    file = project.write(path, "")
    stamp = file.stat().st_mtime_ns
    file.write_bytes(data)
    os.utime(file, ns=(stamp, stamp))


@pytest.mark.parametrize("text", [
    b"# -*- coding: latin-1 -*-\nNAME = '\xe9'\ndef f(x=1):\n    return NAME + 'old'\n",
    "\ufeffNAME = 'é'\ndef f(x=1):\n    return NAME + 'old'\n".encode(),
    "NAME = 'é'\r\ndef f(x=1):\r\n    return NAME + 'old'\r\n".encode(),
    "NAME = 'é'\ndef f(x=1):\n\treturn NAME + 'old'".encode(),
], ids=["coding cookie", "byte order mark", "carriage returns", "tab, no end of line"])
def test_encodings(project, text):
    write_bytes(project, "m.py", text)
    importlib.invalidate_caches()
    m = importlib.import_module("m")
    f = m.f
    assert f() == "éold"
    write_bytes(project, "m.py", text.replace(b"old", b"new"))
    assert hotreload.reload(m).way == "bodies"
    assert f() == "énew"
    write_bytes(project, "m.py", text.replace(b"x=1", b"x=2"))
    assert hotreload.reload(m).way == "remap"
    assert f() == "éold" and f is not m.f or f.__defaults__ == (2,)


def test_an_encoding_that_is_wrong(project):
    m = project.load("X = 1\n")
    write_bytes(project, "m.py", b"X = '\xff'\n")
    with pytest.raises(SyntaxError) as caught:
        hotreload.reload(m)
    assert "m.py" in str(caught.value) and m.X == 1
    write_bytes(project, "m.py", b"X = '\0'\n")
    with pytest.raises(SyntaxError):
        hotreload.reload(m)
    assert m.X == 1


def test_other_line_ends_are_no_edit(project):
    m = project.load("X = [1]\nclass A:\n    y = 1\n")
    m.X.append(2)
    A = m.A
    text = (project.folder / "m.py").read_bytes()
    write_bytes(project, "m.py", b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    report = hotreload.reload(m)
    assert not report.changed and m.A is A and m.X == [1, 2]


def test_deleted_file(project):
    m = project.load("def f():\n    return 1\n")
    user = project.load("import m\nX = 1\n", "user")
    (project.folder / "m.py").unlink()
    project.write("user.py", "import m\nX = 2\n")
    assert hotreload.reload().modules == ("user",)
    assert user.X == 2 and m.f() == 1 and user.m is m
    project.write("m.py", "def f():\n    return 3\n")
    assert hotreload.reload().modules == ("m",) and m.f() == 3


def test_deleted_module_that_others_have_moved_from(project):
    project.write("old_place.py", "class A:\n    x = 1\n")
    m = project.load("from old_place import A\n")
    a = m.A()
    project.write("new_place.py", "class A:\n    x = 2\n")
    (project.folder / "old_place.py").unlink()
    project.write("m.py", "from new_place import A\n")
    hotreload.reload()
    assert m.A is sys.modules["new_place"].A and m.A.x == 2 and a.x == 1


def test_syntax_error_in_one_of_two(project):
    m = project.load("def f():\n    return 1\n")
    n = project.load("import m\ndef g():\n    return m.f()\n", "n")
    project.edit("m.py", ("return 1", "return 2"))
    project.write("n.py", "import m\ndef g(:\n")
    for _ in range(2):
        with pytest.raises(SyntaxError):
            hotreload.reload()
        assert m.f() == n.g() == 1
    project.write("n.py", "import m\ndef g():\n    return -m.f()\n")
    assert set(hotreload.reload().modules) == {"m", "n"}
    assert n.g() == -2


def test_saved_twice(project):
    """Twice within one tick of the clock, with the same size."""
    m = project.load("X = 1\n")
    file = project.write("m.py", "X = 2\n")
    hotreload.reload()
    stamp = file.stat().st_mtime_ns
    file.write_text("X = 3\n")
    hotreload.reload()
    file.write_text("X = 4\n")
    hotreload.reload()
    assert m.X == 4 and stamp


def test_saved_while_it_is_reloaded(project):
    """What was read is what counts; what came after is another edit."""
    m = project.load("X = 1\n")
    project.write("m.py", f"""
        import pathlib, os
        X = 2
        if {str(project.folder)!r}:
            file = pathlib.Path({str(project.folder / 'm.py')!r})
            file.write_text("X = 3\\n")
            os.utime(file, ns=(1, 1))
        """)
    hotreload.reload()
    assert m.X == 2
    hotreload.reload()
    assert m.X == 3 and not hasattr(m, "file")
    assert not hotreload.reload()


def test_two_threads_reload(project):
    m = project.load("X = 1\ndef f():\n    return 1\n")
    reports = []
    for number in range(2, 6):
        project.write("m.py", f"import time\ntime.sleep(0.01)\nX = {number}\n"
                              f"def f(x={number}):\n    return x\n")
        threads = [threading.Thread(target=lambda: reports.append(hotreload.reload())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert m.X == m.f() == number
    assert sum(map(bool, reports)) == 4


def test_a_reload_within_a_reload(project):
    """A module that reloads when it is executed, and a hook that does."""
    n = project.load("Y = 1\n", "n")
    m = project.load("X = 1\n")
    project.write("n.py", "Y = 2\n")
    for text in ["import hotreload\nhotreload.reload('n')\nX = 2\n",
                 "import hotreload\nX = 2\ndef __reload__(old):\n    hotreload.reload()\n"]:
        project.write("m.py", text)
        with pytest.raises(hotreload.ReloadError, match="under way"):
            hotreload.reload(m)
        assert (m.X, n.Y) == (1, 1)


def test_a_new_file_beside_an_edited_one(project):
    m = project.load("def f():\n    return 1\n")
    project.write("extra.py", "def g():\n    return 5\n")
    project.write("m.py", "from extra import g\ndef f():\n    return g()\n")
    hotreload.reload()
    assert m.f() == 5
    project.edit("extra.py", ("5", "6"))
    hotreload.reload()
    assert m.f() == 6


def test_a_module_that_becomes_a_package(project):
    m = project.load("class A:\n    x = 1\n")
    a = m.A()
    (project.folder / "m.py").unlink()
    project.write("m/__init__.py", "class A:\n    x = 2\n")
    assert not hotreload.reload()
    with pytest.raises(hotreload.ReloadError, match="gone"):
        hotreload.reload(m)
    assert a.x == 1


def test_parts_of_a_package(project):
    project.write("pkg/__init__.py", "from .shapes import Shape\n__all__ = ['Shape']\nSTATE = []\n")
    project.write("pkg/shapes.py", "from . import units\nclass Shape:\n    unit = units.M\n")
    project.write("pkg/units.py", "M = 'm'\n")
    pkg = importlib.import_module("pkg")
    shape = pkg.Shape()
    pkg.STATE.append(1)
    project.edit("pkg/__init__.py", ("__all__", "from . import colours\n__all__"))
    project.write("pkg/colours.py", "RED = 1\n")
    project.write("pkg/units.py", "M = 'metre'\n")
    project.edit("pkg/shapes.py", ("units.M", "units.M + '!'"))
    assert hotreload.reload().modules == ("pkg.units", "pkg.shapes", "pkg")
    assert pkg.STATE == [1] and shape.unit == "metre!" and type(shape) is pkg.Shape
    assert pkg.colours is sys.modules["pkg.colours"]


def test_moves_there_and_back(project, reload):
    """A class and a function in the one file or the other; the one always has them."""
    moved = "class A:\n    x = 1\n    def f(self):\n        return 1\ndef g():\n    return 1\n"
    m = project.load(moved)
    n = project.load("Y = 1\n", "n")
    user = project.load("from m import A, g\n", "user")
    a, g = m.A(), m.g
    for there in (True, False, True, False):
        project.write("m.py", "from n import A, g\n" if there else moved)
        project.write("n.py", "Y = 1\n" + moved if there else "Y = 1\n")
        reload()
        assert type(a) is m.A is user.A and g is m.g is user.g
        assert vars(n).get("A") is (m.A if there else None) and m.A.__module__ == ("n" if there else "m")


def test_a_move_that_is_undone(project):
    """A class and a function move into another file, and the hook there fails."""
    m = project.load("class A:\n    x = 1\n    def f(self):\n        return 1\ndef g():\n    return 1\nX = 1\n")
    n = project.load("Y = 1\n", "n")
    user = project.load("from m import A, g\nclass B(A):\n    pass\n", "user")
    a, b, held = m.A(), user.B(), {m.A: m.g}

    def picture():
        return [[*vars(m).items()], [*vars(n).items()], [*vars(user).items()], [*held.items()],
                type(a), type(b).__mro__, a.f(), m.g.__globals__ is vars(m), vars(m.A)["f"]]
    before = picture()
    moved = "Y = 1\nclass A:\n    x = 2\n    def f(self):\n        return 2\ndef g():\n    return 2\n"
    project.write("m.py", "from n import A\nX = 1\n")
    project.write("n.py", moved + "def __reload__(old):\n    1 / 0\n")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            hotreload.reload()
        assert picture() == before
    project.write("n.py", moved)
    report = hotreload.reload()
    assert m.A is n.A is user.A is type(a) and a.f() == b.f() == 2 and held == {n.A: n.g}
    assert user.g is n.g and not hasattr(m, "g") and n.g.__globals__ is vars(n)
    assert n.A.f.__globals__ is vars(n) and report.deleted == {"m:g": []}


def test_a_package_after_a_failure(project):
    project.write("pkg/__init__.py", "")
    project.write("pkg/units.py", "M = 1\n")
    project.write("pkg/shapes.py", "from . import units\nimport pkg.units\nSIZE = units.M\n")
    import pkg.shapes
    before = dict(vars(pkg)), dict(sys.modules)
    project.write("pkg/units.py", "M = 2\n")
    text = "from . import units\nimport pkg.units\nfrom . import colours\nSIZE = units.M + pkg.units.M\n"
    project.write("pkg/colours.py", "RED = 1\n")
    project.write("pkg/shapes.py", text + "1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        hotreload.reload()
    assert (dict(vars(pkg)), dict(sys.modules)) == before and pkg.shapes.SIZE == 1
    project.write("pkg/shapes.py", text)
    hotreload.reload()
    assert pkg.shapes.SIZE == 4 and pkg.shapes.units is pkg.units is sys.modules["pkg.units"]
    assert pkg.shapes.pkg is pkg is sys.modules["pkg"] and pkg.colours is sys.modules["pkg.colours"]


def test_other_threads_see_a_package_as_it_was(project):
    """While its modules are executed, and in the end as it is."""
    project.write("pkg/__init__.py", "")
    project.write("pkg/units.py", "M = 1\n")
    project.write("pkg/shapes.py", "from . import units\nSIZE = units.M\n")
    import pkg.shapes
    seen, reached, go_on = [], threading.Event(), threading.Event()
    sys.reached, sys.go_on = reached, go_on

    def other():
        reached.wait(10)
        held = sys.modules["pkg"]
        seen.append(held.units.M)
        go_on.set()
        seen.append(held)
    thread = threading.Thread(target=other)
    thread.start()
    project.write("pkg/units.py", "M = 2\n")
    project.write("pkg/shapes.py", "import sys\nsys.reached.set()\nsys.go_on.wait(10)\n"
                                   "from . import units\nSIZE = units.M + 0\n")
    hotreload.reload()
    thread.join()
    del sys.reached, sys.go_on
    assert seen[0] == 1 and seen[1].units.M == 2 and pkg.shapes.SIZE == 2
