"""Reloading `__main__`.

A program that has been started as a script is not to start again. Of its
module only definitions, imports and some assignments are executed: those that
are new or edited, and those that definitions need while they are made (the
``app`` of ``@app.route``). What it does besides (``main()``, loops, ``if __name__ ==
"__main__":``) is left out. What that has made, and what has not been edited, the draft
gets from the program.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

from .functions import is_a
from .match import CONTAINERS
from .outline import DEFINITIONS, Outline
from .plan import VALUES
from .source import Record, Source

_DECLARATIONS = (*DEFINITIONS, ast.Import, ast.ImportFrom, ast.TypeAlias)
_BLOCKS = (ast.For, ast.With, ast.Match)
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
_CONTAINERS = {"bytearray", "Counter", "defaultdict", "deque", "dict", "list", "OrderedDict", "set"}


def prepare(module: ModuleType, draft: ModuleType, record: Record, new: Source) -> CodeType:
    """Put into the draft what is not executed, and return the code to execute."""
    namespace = vars(module)
    script = _Script(namespace, record.source, new)
    tree = ast.fix_missing_locations(ast.Module(script.statements(), []))
    executed = Outline(tree.body)
    for name, value in namespace.items():
        gone = record.source is not None and name in record.source.outline \
            and name not in new.outline
        if name not in vars(draft) and not gone and name not in executed:
            vars(draft)[name] = value
    return compile(tree, new.path, "exec", dont_inherit=True)


class _Script:
    """Which statements of a script are executed again."""

    def __init__(self, namespace: dict[str, Any], old: Source | None, new: Source) -> None:
        self._namespace = namespace
        self._body = new.tree.body
        self._outline = Outline(_without_blocks(self._body))
        self._before = Outline(_without_blocks(old.tree.body)) if old is not None else None
        self._blocks = Outline(_blocks(self._body))
        declared = {name for name in self._outline if self._outline.is_definition(name)
                    or self._outline.is_import(name)}
        self._executed = declared | self._values(new.skeleton.makers | new.skeleton.bases)
        # What is done to a module that is imported is done to others.
        self._filled = {name for name in self._executed if not self._outline.is_import(name)}

    def _values(self, makers: set[str]) -> set[str]:
        """The names whose initialisers are executed."""
        anew = {name for name in makers if self._is_made_anew(name)}
        while more := {name for name in self._outline.needed_by(anew) - anew
                       if self._is_made_anew(name)}:
            anew |= more
        executed = anew | {name for name in self._outline if self._is_edited(name)}
        while more := self._outline.needed_by(executed) - executed - self._namespace.keys():
            executed |= more
        return executed

    def _is_made_anew(self, name: str) -> bool:
        """Whether definitions, which may register with a value, get another one."""
        value = self._namespace.get(name)
        return name in self._outline and not self._is_made_by_blocks(name) \
            and type(value) not in VALUES \
            and (not is_a(value, CONTAINERS) or self._is_container(name))

    def _is_edited(self, name: str) -> bool:
        if self._is_made_by_blocks(name):
            return False
        if self._before is None or name not in self._before:
            return self._before is not None or name not in self._namespace
        contents = self._is_container(name)
        return self._before.source(name, mutations=contents) \
            != self._outline.source(name, mutations=contents)

    def _is_made_by_blocks(self, name: str) -> bool:
        """Whether the program has a value that is left to ``for``, ``with`` or ``match``."""
        return name in self._namespace and (
            name in self._blocks
            or self._is_container(name) and bool(self._blocks.mutations(name)))

    def _is_container(self, name: str) -> bool:
        """Whether the text says that it is one: to call its methods starts nothing."""
        nodes = self._outline.initialisers(name)
        return bool(nodes) and all(
            isinstance(node, ast.AugAssign) or _makes_container(node.value) for node in nodes)

    def statements(self) -> list[ast.stmt]:
        """The statements to execute."""
        return _filtered(self._body, self._is_kept)

    def _is_kept(self, statement: ast.stmt) -> bool:
        if _is_declaration(statement) or statement is self._body[0] and _is_text(statement):
            return True
        if isinstance(statement, ast.Delete) and (names := _deleted(statement)):
            return names <= self._executed
        outline = Outline([statement])
        if not self._executed.isdisjoint(outline):
            return True
        filled = self._filled.intersection(outline.filled)
        if isinstance(statement, ast.Expr):
            return any(map(self._is_container, filled))
        return bool(filled)


def _filtered(body: list[ast.stmt], keep: Callable[[ast.stmt], bool]) -> list[ast.stmt]:
    """Some statements of a block, and of the ``if`` and ``try`` in it."""
    kept: list[ast.stmt] = []
    for statement in body:
        if not _is_entered(statement):
            if not isinstance(statement, ast.If) and keep(statement):
                kept.append(statement)
            continue
        made: Any = copy.copy(statement)
        for field in ("body", "orelse", "finalbody"):
            if hasattr(made, field):
                setattr(made, field, _filtered(getattr(made, field), keep))
        wanted = made.body or made.orelse or getattr(made, "finalbody", ())
        if isinstance(statement, ast.If):
            wanted = wanted or keep(ast.Expr(statement.test))
        else:
            made.handlers = [copy.copy(handler) for handler in made.handlers]
            for handler in made.handlers:
                handler.body = _filtered(handler.body, keep)
                wanted = wanted or handler.body
                handler.body = handler.body or [ast.Pass()]
        if wanted:
            made.body = made.body or [ast.Pass()]
            kept.append(made)
    return kept


def _is_entered(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):
        return not any(isinstance(node, ast.Name) and node.id == "__name__"
                       for node in ast.walk(statement.test))
    return isinstance(statement, (ast.Try, ast.TryStar))


def _without_blocks(body: list[ast.stmt]) -> list[ast.stmt]:
    return _filtered(body, lambda statement: not isinstance(statement, (*_BLOCKS, ast.While))
                     or _is_declaration(statement))


def _blocks(body: list[ast.stmt]) -> list[ast.stmt]:
    """What is left out of a script, but is not what it is started for."""
    found: list[ast.stmt] = []

    def note(statement: ast.stmt) -> bool:
        if isinstance(statement, _BLOCKS) and not _is_declaration(statement):
            found.append(statement)
        return False
    _filtered(body, note)
    return found


def _is_declaration(statement: ast.stmt) -> bool:
    """Whether a statement defines or imports, or all that is in its block does."""
    if isinstance(statement, ast.With):
        return all(map(_is_declaration, statement.body))
    return isinstance(statement, _DECLARATIONS)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _deleted(statement: ast.Delete) -> set[str]:
    return {target.id for target in statement.targets if isinstance(target, ast.Name)}


def _makes_container(node: ast.AST | None) -> bool:
    """Whether an expression is certain to make a list, a dict, a set…"""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", None))
        return name in _CONTAINERS
    return isinstance(node, _DISPLAYS)
