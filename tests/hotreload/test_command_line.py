"""``python -m hotreload``."""

import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from conftest import SOURCE

TIMEOUT = 60

LOOP = """
    import sys, time
    import shop
    print("ready", flush=True)
    for line in sys.stdin:
        print(shop.price(), flush=True)
    raise SystemExit(7)
    """


class Program:
    """A program that runs under ``python -m hotreload``."""

    def __init__(self, folder, *arguments, **options):
        environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1",
                       "TERM": "dumb", "COLUMNS": "120"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hotreload", *arguments], cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.lines = queue.Queue()
        self.errors = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, put), daemon=True) for stream, put in (
                (self.process.stdout, self.lines.put), (self.process.stderr, self.errors.append))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream, put):
        for line in stream:
            put(line.rstrip("\n"))

    def line(self):
        return self.lines.get(timeout=TIMEOUT)

    def ask(self, text="?"):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.line()

    def wait_for_report(self, text):
        deadline = time.monotonic() + TIMEOUT
        while not any(text in line for line in self.errors):
            assert time.monotonic() < deadline, "\n".join(self.errors)
            time.sleep(0.02)
        self.errors.clear()

    def end(self):
        """The exit code. After it all output has been read."""
        self.process.stdin.close()
        code = self.process.wait(TIMEOUT)
        for reader in self._readers:
            reader.join(TIMEOUT)
        return code


@pytest.fixture
def start(project):
    programs = []

    def start(*arguments, **options):
        programs.append(Program(project.folder, *arguments, **options))
        return programs[-1]
    yield start
    for program in programs:
        program.process.kill()
        program.process.wait()


def test_reload_on_save(project, start):
    project.write("shop.py", "def price():\n    return 1\n")
    project.write("app.py", LOOP)
    program = start("app.py")
    assert program.line() == "ready" and program.ask() == "1"
    project.edit("shop.py", ("return 1", "return 2"))
    program.wait_for_report("changed price")
    assert program.ask() == "2"
    project.write("shop.py", "def price(:\n")
    program.wait_for_report("not reloaded")
    assert program.ask() == "2"
    project.write("shop.py", "import nowhere\ndef price():\n    return 3\n")
    program.wait_for_report("not reloaded")
    assert program.ask() == "2"
    project.write("shop.py", "def price(x=3):\n    return x\n")
    program.wait_for_report("changed price")
    assert program.ask() == "3"
    assert program.end() == 7


def test_a_file_that_is_written_slowly(project, start):
    """An editor that empties the file first does not delete what is in it."""
    text = """
        import itertools
        numbers = itertools.count(1)
        class Cart:
            def price(self):
                return "old", next(numbers)
        cart = Cart()
        def price():
            return cart.price()
        """
    project.write("shop.py", text)
    project.write("app.py", LOOP)
    program = start("app.py")
    assert program.line() == "ready" and program.ask() == "('old', 1)"
    file = project.folder / "shop.py"
    edited = textwrap.dedent(text.replace("old", "new").replace("class Cart:", "class Cart:\n            x = 1"))
    with open(file, "w") as stream:
        time.sleep(0.1)
        stream.write(edited)
    program.wait_for_report("changed Cart")
    assert program.ask() == "('new', 2)" and not program.errors


def test_editing_the_script(project, start):
    project.write("app.py", """
        import sys
        seen = []
        def answer(line):
            seen.append(line)
            return len(seen)
        def main():
            print("ready", flush=True)
            for line in sys.stdin:
                print(answer(line), flush=True)
        if __name__ == "__main__":
            main()
        """)
    program = start("app.py")
    assert program.line() == "ready" and program.ask() == "1"
    project.edit("app.py", ("return len(seen)", "return 100 + len(seen)"))
    program.wait_for_report("changed answer")
    assert program.ask() == "102"
    project.edit("app.py", ("def answer(line):", "def answer(line, more=1000):"),
                 ("100 +", "more +"))
    program.wait_for_report("changed answer")
    assert program.ask() == "1003"
    assert program.end() == 0 and not program.errors


def test_package(project, start):
    project.write("pkg/__init__.py", "")
    project.write("pkg/__main__.py", "from . import shop\n" + LOOP.replace("import shop", "pass"))
    project.write("pkg/shop.py", "def price():\n    return 1\n")
    project.write("pkg/__main__.py", "from . import shop\n" + "\n".join(
        line[4:] for line in LOOP.splitlines() if "import shop" not in line))
    program = start("-m", "pkg", "argument")
    assert program.line() == "ready" and program.ask() == "1"
    project.edit("pkg/shop.py", ("return 1", "return 2"))
    program.wait_for_report("changed price")
    assert program.ask() == "2" and program.end() == 7


def test_arguments_and_identity(project, start):
    project.write("app.py", "import sys, __main__\n"
                            "print(sys.argv, __name__, __file__, __main__.__spec__, sys.path[0])\n")
    program = start("app.py", "-x", "--help", "a b")
    assert program.line() == (f"['app.py', '-x', '--help', 'a b'] __main__ app.py None "
                              f"{project.folder}")
    assert program.end() == 0


def test_uncaught_exception(project, start):
    project.write("app.py", "def f():\n    1 / 0\nf()\n")
    program = start("app.py")
    assert program.end() == 1
    assert program.errors[0].startswith("Traceback") and "app.py" in program.errors[1]
    assert not any("hotreload" in line for line in program.errors)


def test_syntax_error_at_the_start(project, start):
    project.write("app.py", "def f(:\n")
    program = start("app.py")
    assert program.end() == 1
    assert program.errors[0] == '  File "app.py", line 1' and len(program.errors) == 4


@pytest.mark.parametrize("code, expected", [
    ("raise SystemExit('bye')", 1), ("import os; os._exit(9)", 9), ("", 0),
    ("import threading, time\nthreading.Thread(target=lambda: time.sleep(0.3)).start()", 0),
])
def test_exit_code(project, start, code, expected):
    project.write("app.py", code)
    assert start("app.py").end() == expected


def test_signals(project, start):
    # The signal may come before print() has returned, and print() cannot be entered again.
    project.write("app.py", """
        import os, signal, sys, time
        def handler(*args):
            os.write(1, b"handled\\n")
            sys.exit(5)
        signal.signal(signal.SIGTERM, handler)
        print("ready", flush=True)
        while True:
            time.sleep(0.05)
        """)
    program = start("app.py")
    assert program.line() == "ready"
    program.process.send_signal(signal.SIGTERM)
    assert program.line() == "handled" and program.end() == 5
    program = start("app.py")
    assert program.line() == "ready"
    program.process.send_signal(signal.SIGINT)
    assert program.end() == -signal.SIGINT


def test_wrong_arguments(project, start):
    for arguments, code, said in [
            ((), 2, "Examples:"), (("missing.py",), 1, "can't open file 'missing.py'"),
            (("--unknown",), 1, "unknown option --unknown"), (("-m",), 1, "needs the name"),
            (("-m", "does_not_exist"), 1, "No module named does_not_exist")]:
        program = start(*arguments)
        assert program.end() == code and any(said in line for line in program.errors)


def test_help(start):
    program = start("--help")
    assert "Run a program" in program.line()
    assert program.end() == 0 and not program.errors


def test_several_reloads_of_a_package(project, start):
    """The main module of the package is edited, and a file is added, lost and found."""
    text = """
        import sys
        from . import parts
        class App:
            def __init__(self):
                self.n = 0
            def answer(self):
                self.n += 1
                return parts.f(), self.n
        def main():
            app = App()
            print("ready", flush=True)
            for line in sys.stdin:
                print(*app.answer(), flush=True)
        if __name__ == "__main__":
            main()
        """
    project.write("pkg/__init__.py", "")
    project.write("pkg/parts.py", "def f(): return 1\n")
    project.write("pkg/__main__.py", text)
    program = start("-m", "pkg")
    assert program.line() == "ready" and program.ask() == "1 1"
    project.write("pkg/__main__.py", text.replace("self.n\n        def", "self.n, 'new'\n        def"))
    program.wait_for_report("__main__ changed App.answer")
    assert program.ask() == "1 2 new"
    project.write("pkg/__main__.py", text.replace("class App:", "class App:\n            k = 5").replace(
        "self.n\n        def", "self.n, self.k\n        def"))
    program.wait_for_report("__main__ changed App.answer, App")
    assert program.ask() == "1 3 5"
    project.write("pkg/more.py", "def g(): return 2\n")
    project.write("pkg/parts.py", "from . import more\ndef f(): return more.g()\n")
    program.wait_for_report("pkg.parts changed f")
    assert program.ask() == "2 4 5"
    project.edit("pkg/more.py", ("2", "3"))
    program.wait_for_report("pkg.more changed g")
    (project.folder / "pkg/more.py").unlink()
    assert program.ask() == "3 5 5"
    project.write("pkg/more.py", "def g(): return 4\n")
    program.wait_for_report("pkg.more changed g")
    assert program.ask() == "4 6 5" and program.end() == 0
