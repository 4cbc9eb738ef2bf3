"""A program in a folder of its own, to be edited while it runs."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import textwrap
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = str(ROOT / "hotreload" / "src")
sys.path[:0] = [SOURCE, str(ROOT / "benches" / "reloaders")]

import hotreload  # noqa: E402
from hotreload import source, transaction  # noqa: E402


class Project:
    """Files of a program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.in_place = False
        """Write into the files. Who watches them may then see one half written."""
        self._ticks = itertools.count(1)

    def write(self, path: str, text: str) -> Path:
        """Write a file. Each one is newer than the one before by a second."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file if self.in_place else file.with_name(file.name + ".new")
        written.write_text(textwrap.dedent(text))
        stamp = time.time_ns() + next(self._ticks) * 10 ** 9
        os.utime(written, ns=(stamp, stamp))
        written.replace(file)
        return file

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        text = (self.folder / path).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.write(path, text)

    def load(self, text: str, name: str = "m") -> ModuleType:
        """Write a module and import it."""
        self.write(name.replace(".", "/") + ".py", text)
        importlib.invalidate_caches()
        return importlib.import_module(name)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    modules, records = set(sys.modules), set(source.records)
    yield Project(tmp_path)
    transaction.probe = None
    for name in set(sys.modules) - modules:
        if name in source.records:
            del sys.modules[name]
    for name in set(source.records) - records:
        del source.records[name]


@pytest.fixture
def reload():
    return hotreload.reload
