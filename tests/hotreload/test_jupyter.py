"""``%load_ext hotreload`` in a Jupyter kernel."""

import os
import sys

import pytest
from conftest import SOURCE

from jupyter_client.manager import KernelManager

TIMEOUT = 60


class Kernel:

    def __init__(self, folder):
        self.manager = KernelManager()
        self.manager.kernel_spec.argv[0] = sys.executable
        environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1"}
        self.manager.start_kernel(cwd=str(folder), env=environment)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT)

    def run(self, code):
        """The result of a cell, and what it wrote."""
        found = {"text/plain": None, "stdout": "", "stderr": "", "error": None}

        def output(message):
            content = message["content"]
            if message["msg_type"] == "execute_result":
                found["text/plain"] = content["data"]["text/plain"]
            elif message["msg_type"] == "stream":
                found[content["name"]] += content["text"]
            elif message["msg_type"] == "error":
                found["error"] = content["ename"]
        self.client.execute_interactive(code, timeout=TIMEOUT, output_hook=output)
        return found

    def value(self, code):
        result = self.run(code)
        assert result["error"] is None, result
        return result["text/plain"]

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(project):
    kernel = Kernel(project.folder)
    kernel.run("%load_ext hotreload")
    yield kernel
    kernel.stop()


def test_edited_module(project, kernel):
    project.write("shop.py", "class Cart:\n    def total(self):\n        return 1\n")
    kernel.run("import shop; from shop import Cart; cart = Cart()")
    project.edit("shop.py", ("return 1", "return 2"))
    assert kernel.value("cart.total()") == "2"
    project.edit("shop.py", ("class Cart:", "class Cart:\n    rebate = 5"))
    result = kernel.run("cart.rebate")
    assert result["text/plain"] == "5" and "shop: changed Cart" in result["stderr"]
    assert kernel.value("type(cart) is Cart is shop.Cart") == "True"


def test_module_that_fails(project, kernel):
    project.write("shop.py", "X = 1\n")
    kernel.run("import shop")
    project.write("shop.py", "X = 2\n1 / 0\n")
    result = kernel.run("shop.X")
    assert result["text/plain"] == "1" and "not reloaded" in result["stderr"]
    assert "not reloaded" not in kernel.run("shop.X")["stderr"]
    project.write("shop.py", "X = 3\n")
    assert kernel.value("shop.X") == "3"


def test_cell_that_defines_a_class_again(kernel):
    kernel.run("class A:\n    def __init__(self): self.x = 1\n    def f(self): return 'old'")
    kernel.run("a = A(); held = [A]; method = a.f\nclass B(A): pass\nb = B()")
    kernel.run("class A:\n    def __init__(self): self.x = 1\n    def f(self): return 'new'")
    assert kernel.value("a.f(), method(), b.f(), held[0] is A, type(a) is A") == \
        "('new', 'new', 'new', True, True)"
    kernel.run("class A:\n    __slots__ = ('x',)\n    def f(self): return self.x")
    assert kernel.value("a.f(), method(), b.f(), isinstance(b, A), type(a) is A") == \
        "(1, 1, 1, True, True)"


def test_cell_that_defines_a_function_again(kernel):
    kernel.run("def f(): return 1\nheld = [f]\nimport functools\np = functools.partial(f)")
    kernel.run("def f(): return 2")
    assert kernel.value("held[0](), p(), held[0] is f") == "(2, 2, True)"


def test_cells_of_all_kinds(kernel):
    kernel.run("import dataclasses, enum, functools")
    for before, use, again, check in [
        ("@functools.lru_cache\ndef f(x): return 1", "held = [f]; f(0)",
         "@functools.lru_cache\ndef f(x): return 2", "held[0](0) == 2 and held[0] is f"),
        ("class E(enum.Enum):\n    A = 1", "e = E.A; held = {e: 1}",
         "class E(enum.Enum):\n    A = 1\n    B = 2", "e is E.A and held[E.A] == 1 and len(type(e)) == 2"),
        ("@dataclasses.dataclass(frozen=True)\nclass P:\n    x: int", "p = P(1); held = {p: 1}",
         "@dataclasses.dataclass(frozen=True)\nclass P:\n    x: int\n    y: int = 5",
         "p.y == 5 and held[P(1)] == 1 and type(p) is P"),
        ("def make(n):\n    def inner(): return n + 1\n    return inner", "held = make(10)",
         "def make(n):\n    def inner(): return n + 2\n    return inner", "held() == 12"),
        ("def g(): pass", "held = [g]", "class g: pass", "held[0] is g"),
        ("class A: pass\nclass B(A): pass", "b = B(); b.n = 1",
         "class A:\n    x = 1\nclass B(A):\n    def __reload__(self, old): self.m = old['n'] + 1",
         "b.m == 2 and b.x == 1 and isinstance(b, A) and type(b) is B"),
    ]:
        kernel.run(before)
        kernel.run(use)
        kernel.run(again)
        assert kernel.value(check) == "True", check


def test_cell_that_is_refused(kernel):
    kernel.run("class A: pass\na = A(); a.x = 1")
    result = kernel.run("class A:\n    __slots__ = ()")
    assert "no place for the attribute 'x'" in result["stderr"]
    assert kernel.value("a.x, type(a) is A") == "(1, False)"


def test_unload(project, kernel):
    project.write("shop.py", "X = 1\n")
    kernel.run("import shop")
    kernel.run("%unload_ext hotreload")
    project.write("shop.py", "X = 2\n")
    assert kernel.value("shop.X") == "1"
