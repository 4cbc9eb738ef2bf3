"""Reloading `__main__`.

A program that has been started as a script is not to start again. Of its
module only definitions, imports and some assignments are executed: those that
are new or edited, and those that definitions need while they are made (the
``app`` of ``@app.route``). What it does besides (``main()``, loops, ``if __name__ ==
"__main__":``) is left out.
"""

from __future__ import annotations

import ast
from types import CodeType, ModuleType

from .outline import DEFINITIONS, Outline
from .source import Record, Source

_DECLARATIONS = (*DEFINITIONS, ast.Import, ast.ImportFrom, ast.TypeAlias)


def prepare(module: ModuleType, draft: ModuleType, record: Record, new: Source) -> CodeType:
    """Put into the draft what is not executed, and return the code to execute."""
    old_outline = record.source.outline if record.source is not None else None
    namespace = vars(module)

    def edited(name: str) -> bool:
        if old_outline is None or name not in old_outline:
            return name not in namespace
        return old_outline.source(name) != new.outline.source(name)

    needed_to_define = new.skeleton.makers | new.skeleton.bases
    executed = {name for name in new.outline if edited(name) or name in needed_to_define}
    while needed := new.outline.needed_by(executed) - executed:
        executed |= needed
    for name, value in namespace.items():
        gone = old_outline is not None and name in old_outline and name not in new.outline
        if name not in vars(draft) and not gone and name not in executed:
            vars(draft)[name] = value

    def declarations(body: list[ast.stmt]) -> list[ast.stmt]:
        kept: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, _DECLARATIONS):
                kept.append(statement)
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                if executed.intersection(Outline([statement])):
                    kept.append(statement)
            elif isinstance(statement, ast.If) and not _asks_for_main(statement.test):
                statement.body = declarations(statement.body) or [ast.Pass()]
                statement.orelse = declarations(statement.orelse)
                kept.append(statement)
            elif isinstance(statement, ast.Try):
                statement.body = declarations(statement.body) or [ast.Pass()]
                for handler in statement.handlers:
                    handler.body = declarations(handler.body) or [ast.Pass()]
                statement.orelse = declarations(statement.orelse)
                statement.finalbody = declarations(statement.finalbody)
                kept.append(statement)
        return kept
    tree = ast.parse(new.text, new.path)
    future = [node for node in tree.body
              if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    tree.body = [*future, *(s for s in declarations(tree.body) if s not in future)]
    return compile(ast.fix_missing_locations(tree), new.path, "exec", dont_inherit=True)


def _asks_for_main(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))
