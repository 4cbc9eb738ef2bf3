"""The reloaders, each driven through its real engine.

An engine is started once in a process that is then forked for each scenario.
`start()` runs before anything of the scenario is imported, `reload()` after the
files have been edited.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import sys
from pathlib import Path
from typing import Any


class Engine:
    """A reloader."""

    title = ""
    package = ""

    def version(self) -> str:
        return importlib.metadata.version(self.package)

    def prepare(self) -> None:
        """Import the tool; runs before the fork."""

    def start(self, folder: Path, modules: list[str]) -> None:
        """Make it watch the modules, which are about to be imported."""

    def run(self, program: str) -> dict[str, Any]:
        """Run the program that uses the modules. Returns its namespace."""
        namespace: dict[str, Any] = {"__name__": "program"}
        exec(compile(program, "before", "exec"), namespace)
        return namespace

    def reload(self, modules: tuple[str, ...]) -> None:
        """Take the edited modules in, with any exception that the tool raises."""
        raise NotImplementedError


class Hotreload(Engine):
    title = "hotreload"
    package = "hotreload"

    def version(self) -> str:
        return "this"

    def prepare(self) -> None:
        import hotreload  # noqa: F401

    def reload(self, modules: tuple[str, ...]) -> None:
        import hotreload
        hotreload.reload()


class IPython(Engine):
    title = "IPython `%autoreload 2`"
    package = "ipython"

    def prepare(self) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        self.shell = InteractiveShell.instance()
        self.shell.run_line_magic("load_ext", "autoreload")
        self.shell.run_line_magic("autoreload", "2")

    def run(self, program: str) -> dict[str, Any]:
        namespace = super().run(program)
        self._cell()  # it notes what has been imported after a cell
        return namespace

    def _cell(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.shell.run_cell("None")

    def reload(self, modules: tuple[str, ...]) -> None:
        self._cell()


class Jurigged(Engine):
    title = "jurigged"
    package = "jurigged"

    def prepare(self) -> None:
        import jurigged.live  # noqa: F401

    def start(self, folder: Path, modules: list[str]) -> None:
        import jurigged.live
        self.watcher = jurigged.live.watch(f"{folder}/**/*.py", logger=lambda event: None, autostart=False)
        jurigged.live.registry.auto_register(filter=lambda name: str(name).startswith(str(folder)))

    def reload(self, modules: tuple[str, ...]) -> None:
        for name in modules:
            if name in sys.modules:
                self.watcher.refresh(sys.modules[name].__file__)


class Hmr(Engine):
    title = "hmr"
    package = "hmr"

    def prepare(self) -> None:
        import reactivity.hmr.core  # noqa: F401

    def start(self, folder: Path, modules: list[str]) -> None:
        from reactivity.hmr.core import SyncReloader
        self.entry = folder / "entry_of_hmr.py"
        self.reloader = SyncReloader(str(self.entry), [str(folder)])

    def run(self, program: str) -> dict[str, Any]:
        # The program is the entry file. It is run again after an edit of what it uses.
        from reactivity.hmr.core import HMR_CONTEXT
        self.entry.write_text(program)
        self.effect = HMR_CONTEXT.effect(self.reloader.run_entry_file)
        return vars(self.reloader.entry_module)

    def reload(self, modules: tuple[str, ...]) -> None:
        paths = {Path(sys.modules[name].__spec__.origin).resolve()
                 for name in modules if name in sys.modules}
        self.reloader.on_changes(paths)


class Importlib(Engine):
    title = "`importlib.reload`"

    def version(self) -> str:
        return ".".join(map(str, sys.version_info[:3]))

    def reload(self, modules: tuple[str, ...]) -> None:
        for name in modules:
            if name in sys.modules:
                importlib.reload(sys.modules[name])


class Plone(Engine):
    title = "plone.reload"
    package = "plone.reload"

    def prepare(self) -> None:
        import plone.reload.xreload  # noqa: F401

    def reload(self, modules: tuple[str, ...]) -> None:
        from plone.reload.xreload import Reloader
        for name in modules:
            if name in sys.modules:
                Reloader(sys.modules[name]).reload()


class Pyflyby(Engine):
    title = "pyflyby `xreload`"
    package = "pyflyby"

    def prepare(self) -> None:
        import pyflyby  # noqa: F401

    def reload(self, modules: tuple[str, ...]) -> None:
        from pyflyby import xreload
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for name in modules:
                if name in sys.modules:
                    xreload(sys.modules[name])


ENGINES: dict[str, type[Engine]] = {
    "hotreload": Hotreload, "ipython": IPython, "jurigged": Jurigged, "hmr": Hmr,
    "importlib": Importlib, "plone": Plone, "pyflyby": Pyflyby}
