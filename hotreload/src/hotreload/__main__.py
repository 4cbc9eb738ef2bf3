"""Run a program and reload its modules when they are saved.

    python -m hotreload script.py [argument]…
    python -m hotreload -m package [argument]…

The program runs as it would without this: its arguments, exit code, standard
input and output, and signals are its own. Reports go to the standard error, one
line each time that a file of the program (not of an installed package) is saved:

    ↻ shop changed Cart.total (1.6 ms)
    ✗ not reloaded, the program goes on as it was

Examples:

    python -m hotreload game.py --level 3
    python -m hotreload -m game --level 3
    python -m hotreload -m uvicorn site:app          (without --reload)
    python -m hotreload manage.py runserver --noreload

To reload without this command: import hotreload; hotreload.reload()
"""

from __future__ import annotations

import atexit
import builtins
import os
import runpy
import sys
from types import CodeType, ModuleType
from typing import Any

from . import console, source


def main() -> None:
    """The command line."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stdout if arguments else sys.stderr)
        raise SystemExit(0 if arguments else 2)
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        raise SystemExit("hotreload: the command line needs watchfiles: "
                         "pip install watchfiles rich") from None
    if arguments[0] == "-m" and len(arguments) < 2:
        raise SystemExit("hotreload: -m needs the name of a module (see --help)")
    try:
        if arguments[0] == "-m":
            module, code = _module(arguments[1])
            sys.argv = [module.__file__ or arguments[1], *arguments[2:]]
        elif arguments[0].startswith("-"):
            raise SystemExit(f"hotreload: unknown option {arguments[0]}: its own are -m and --help")
        else:
            module, code = _script(arguments[0])
            sys.argv = arguments
        _watch()
        sys.modules["__main__"] = module
        exec(code, vars(module))
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = console.trimmed(error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            raise  # the interpreter exits as for a signal
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(1) from None


def _watch() -> None:
    from .watch import Watcher
    watcher = Watcher(console.say, console.complain)
    atexit.register(watcher.stop)
    watcher.start()


def _script(path: str) -> tuple[ModuleType, CodeType]:
    if not os.path.isfile(path):
        raise SystemExit(f"hotreload: can't open file {path!r}")
    sys.path[0] = os.path.dirname(os.path.realpath(path))
    return _main_module(path, os.path.abspath(path), __file__=path, __cached__=None)


def _module(name: str) -> tuple[ModuleType, CodeType]:
    sys.path[0] = os.getcwd()
    try:
        _, spec, _ = runpy._get_module_details(name)  # type: ignore[attr-defined]
    except ImportError as error:
        raise SystemExit(f"hotreload: {error}") from None
    if spec.origin is None:
        raise SystemExit(f"hotreload: {name} has no source file")
    return _main_module(spec.origin, spec.origin, __file__=spec.origin, __cached__=spec.cached,
                        __package__=spec.parent, __loader__=spec.loader, __spec__=spec)


def _main_module(filename: str, path: str, **attributes: Any) -> tuple[ModuleType, CodeType]:
    module = ModuleType("__main__")
    vars(module).update(attributes, __builtins__=builtins)
    record = source.note("__main__", path)
    assert record is not None and record.source is not None
    return module, compile(record.source.text, filename, "exec", dont_inherit=True)


if __name__ == "__main__":
    main()
