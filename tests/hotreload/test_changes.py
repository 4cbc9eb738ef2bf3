"""A program of many modules is told which files were written."""

import os
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
