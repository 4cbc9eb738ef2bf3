"""``%load_ext hotreload``, in IPython and in Jupyter.

Edited modules are reloaded before the next cell runs. A cell that defines a
class or function again moves the live instances, and all other users, of the
one before.
"""

from __future__ import annotations

import sys
from typing import Any

from . import cells, source
from .errors import ReloadError
from .report import Report
from .transaction import reload


class Extension:
    """The hooks in one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._before: dict[str, Any] = {}
        self._failed: list[tuple[str, source.Stamp | None]] = []

    def load(self) -> None:
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.after_cell)

    def unload(self) -> None:
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.after_cell)

    def before_cell(self, info: Any = None) -> None:
        """Reload what has been edited. An error is shown once, and the cell runs."""
        edited = [(record.name, source.stamp(record.path))
                  for record in source.touched([*source.records.values()])]
        if edited and edited != self._failed:
            try:
                _say(reload())
                self._failed = []
            except BaseException as error:
                self._failed = edited
                self._complain(error)
        self._before = cells.definitions(self.shell.user_module)

    def after_cell(self, result: Any = None) -> None:
        """Put what the cell has defined again in the place of what was there."""
        before, self._before = self._before, {}
        try:
            report = cells.redefine(self.shell.user_module, before)
        except BaseException as error:
            self._complain(error)
        else:
            _say(report)

    def _complain(self, error: BaseException) -> None:
        if isinstance(error, ReloadError):
            print(f"hotreload: not reloaded: {error}", file=sys.stderr)
        else:
            self.shell.showtraceback((type(error), error, error.__traceback__), tb_offset=0)
            print("hotreload: not reloaded, the program goes on as it was", file=sys.stderr)


def _say(report: Report) -> None:
    if report:
        print(f"hotreload: {report}", file=sys.stderr)


_loaded: dict[int, Extension] = {}


def load(shell: Any) -> None:
    if id(shell) not in _loaded:
        _loaded[id(shell)] = Extension(shell)
        _loaded[id(shell)].load()


def unload(shell: Any) -> None:
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.unload()
