"""Where modules come from, and the text that they were last executed from.

`track_imports()` notes the text of each module of the program when it is
imported, since after an edit there is no other way to know which initialisers
were edited.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import struct
import sys
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType, ModuleType
from typing import Any

from . import codes
from .errors import ReloadError
from .outline import Outline, Skeleton, imported_modules, skeleton

Stamp = tuple[int, int]


class Source:
    """The text of a module at one time, and what can be read from it."""

    def __init__(self, text: bytes, path: str, loader: Any = None) -> None:
        self.text = text
        self.path = path
        self._loader = loader

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def imports(self, package: str) -> Iterator[str]:
        """Names of modules that the text imports, and some that it does not."""
        return imported_modules(self.tree, package)

    @cached_property
    def outline(self) -> Outline:
        return Outline(self.tree.body)

    @cached_property
    def code(self) -> CodeType:
        compile_source = getattr(self._loader, "source_to_code", None)
        if compile_source is not None:
            code: CodeType = compile_source(self.text, self.path)
            return code
        return compile(self.text, self.path, "exec", dont_inherit=True)

    @cached_property
    def definitions(self) -> list[CodeType]:
        return list(codes.definitions(self.code))

    @cached_property
    def qualnames(self) -> set[str]:
        """The qualified names of all functions, also of those within functions."""
        return {code.co_qualname for code in codes.all_codes(self.code)}

    @cached_property
    def skeleton(self) -> Skeleton:
        return skeleton(self.text)


@dataclass(slots=True)
class Record:
    """What is known of a loaded module."""

    name: str
    path: str
    stamp: Stamp | None
    source: Source | None
    """None if the module was loaded before anybody looked."""
    old_codes: dict[str, list[weakref.ref[CodeType]]] = field(default_factory=dict)
    """Inner code objects of former versions, which closures may still run."""
    former: set[str] = field(default_factory=set)
    """The qualified names of functions that former versions had."""

    def take(self, source: Source, stamp: Stamp) -> None:
        """Note that the program has another version of the module."""
        if self.source is not None:
            self.former |= self.source.qualnames - source.qualnames
        self.source, self.stamp = source, stamp

    def retire_inner(self, code: CodeType) -> None:
        """Remember what is within a code object that a function is about to lose."""
        for inner in codes.inner_codes(code):
            for retired in codes.all_codes(inner):
                refs = self.old_codes.get(retired.co_qualname, ())
                alive = [ref for ref in refs if ref() is not None]
                self.old_codes[retired.co_qualname] = [*alive, weakref.ref(retired)]

    def pair_inner(self, old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]]:
        """Code objects within two that live closures run, and should run.

        Closures may be older than the present version of the module.
        """
        pairs: dict[int, tuple[CodeType, CodeType]] = {}
        inner = list(codes.pair_inner(old, new))
        names = Counter(code.co_qualname for _, code in inner)
        for old_inner, new_inner in inner:
            candidates = [old_inner]
            if names[old_inner.co_qualname] == 1:
                refs = self.old_codes.get(old_inner.co_qualname, ())
                candidates += [code for ref in refs if (code := ref()) is not None]
            for code in candidates:
                if codes.replaceable(code, new_inner) and not codes.same_code(code, new_inner):
                    pairs[id(code)] = code, new_inner
        return list(pairs.values())


records: dict[str, Record] = {}
"""The modules of the program whose text is known, by name."""


def stamp(path: str) -> Stamp | None:
    """What changes when a file is written, or None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def path_of(module: ModuleType) -> str:
    """The source file of a module.

    Raises `ReloadError`, which says what the module is instead.
    """
    name = module.__name__
    spec = getattr(module, "__spec__", None)
    loader: Any = getattr(module, "__loader__", None) or getattr(spec, "loader", None)
    path: str | None = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    if isinstance(loader, importlib.machinery.ExtensionFileLoader):
        raise ReloadError(f"{name} is an extension module: its machine code stays loaded "
                          "until the program ends")
    if path is None or path in ("built-in", "frozen"):
        kind = "a namespace package" if hasattr(module, "__path__") else "built-in"
        raise ReloadError(f"{name} has no source file: it is {kind}" if loader is not None
                          else f"{name} has no source file")
    if "zipimport" in type(loader).__module__:
        raise ReloadError(f"{name} was imported from the zip file {loader.archive}: unpack it, "
                          "and start the program with the folder on its path")
    if path.endswith(".pyc"):
        raise ReloadError(f"{name} was loaded from {path}, without its source: "
                          "start the program with the .py file on its path")
    if not os.path.isfile(path):
        raise ReloadError(f"the source file of {name} is gone: {path}; the program keeps what it "
                          "has, until there is such a file again")
    return os.path.abspath(path)


_INSTALLED = tuple(os.path.join(folder, "") for folder in {
    os.path.dirname(os.__file__), os.path.dirname(os.path.realpath(os.__file__)),
    os.path.dirname(os.path.abspath(__file__))})


def is_program(path: str | None) -> bool:
    """Whether a file belongs to the program, and not to what is installed."""
    if path is None or not path.endswith(".py"):
        return False
    path = os.path.abspath(path)
    return not (path.startswith(_INSTALLED) or f"{os.sep}site-packages{os.sep}" in path
                or f"{os.sep}dist-packages{os.sep}" in path)


def note(name: str, path: str) -> Record | None:
    """Note the text of a module that is, or is about to be, loaded."""
    try:
        record = Record(name, path, stamp(path), Source(read(path), path))
    except OSError:
        return None
    records[name] = record
    return record


def record_of(module: ModuleType) -> Record:
    """The record of a module; its text is unknown if it was not tracked."""
    path = path_of(module)
    record = records.get(module.__name__)
    if record is None or record.path != path:
        if _is_compiled_from(module, path):
            record = note(module.__name__, path)
        if record is None or record.path != path:
            record = records[module.__name__] = Record(module.__name__, path, None, None)
    return record


def _is_compiled_from(module: ModuleType, path: str) -> bool:
    """Whether the file is still the one from which the module's code was cached."""
    cached = getattr(module, "__cached__", None)
    status = os.stat(path)
    try:
        with open(cached or "", "rb") as file:
            header = file.read(16)
    except OSError:
        return False
    expected = [int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF]
    return header[4:] == struct.pack("<III", 0, *expected)


class _Recorder:
    """Finds what the finder of path entries finds, and notes the text."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.has_location and is_program(spec.origin):
            assert spec.origin is not None
            note(name, os.path.abspath(spec.origin))
        return spec


def track_imports() -> None:
    """Note the modules of the program that are loaded, and those to come."""
    if _Recorder not in sys.meta_path:
        finders: list[Any] = sys.meta_path
        path_finder = importlib.machinery.PathFinder
        where = finders.index(path_finder) if path_finder in finders else len(finders)
        finders.insert(where, _Recorder)
    for name, module in list(sys.modules.items()):
        if name not in records and is_program(getattr(module, "__file__", None)):
            try:
                note(name, path_of(module))
            except ReloadError:
                pass


def touched(candidates: Sequence[Record]) -> list[Record]:
    """The records whose file is another than the one they were read from.

    This is all that a reload of nothing costs.
    """
    watch = _watch() if len(candidates) >= _MANY else None
    if watch is not None:
        asked = set(watch.to_ask([record.path for record in candidates]))
        candidates = [record for record in candidates if record.path in asked] if asked else ()
    found = []
    for record in candidates:
        try:
            status = os.stat(record.path)
        except OSError:
            continue
        if (status.st_mtime_ns, status.st_size) != record.stamp:
            found.append(record)
            if watch is not None:
                watch.ask_again(record.path)
    return found


_MANY = 100
"""From so many files on it pays to be told of changes."""

_the_watch: list[Any] = []


def _watch() -> Any:
    if not _the_watch:
        from .changes import make_watch
        _the_watch.append(make_watch())
    return _the_watch[0]


def _after_fork() -> None:
    # What the child reads the parent would not get.
    for watch in filter(None, _the_watch):
        watch.close()
    _the_watch.clear()


os.register_at_fork(after_in_child=_after_fork)
