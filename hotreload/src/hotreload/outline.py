"""What the text of a module says about its names.

An outline answers whether the source of a definition, or of the initialiser of
a value, has been edited. Positions do not matter, nor do comments.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)


class Outline:
    """The names that one block (a module or a class body) binds."""

    def __init__(self, body: list[ast.stmt], qualname: str = "") -> None:
        self._prefix = f"{qualname}." if qualname else ""
        self._binders: dict[str, list[ast.AST]] = defaultdict(list)
        self._mutators: dict[str, list[ast.AST]] = defaultdict(list)
        self._heads: dict[int, tuple[ast.stmt, ...]] = {}
        """The ``if``, ``for``… that each statement is in, if any."""
        self._calls: list[ast.Expr] = []
        for statement, heads in _with_heads(body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                self._calls.append(statement)
            if heads and not isinstance(statement, DEFINITIONS):
                self._heads[id(statement)] = heads
            for name in _bound(statement):
                self._binders[name].append(statement)
            for name in _mutated(statement):
                self._mutators[name].append(statement)

    def __contains__(self, name: str) -> bool:
        return name in self._binders

    def __iter__(self) -> Iterator[str]:
        return iter(self._binders)

    def is_definition(self, name: str) -> bool:
        """Whether a ``def`` or ``class`` binds the name."""
        return any(isinstance(node, DEFINITIONS) for node in self._binders.get(name, ()))

    def source(self, name: str, *, mutations: bool = False) -> list[str]:
        """What binds a name, in a form that can be compared.

        With ``mutations`` also what fills it afterwards: ``TABLE["a"] = 1``.
        """
        found = [self._in_place(node) for node in self._binders.get(name, ())]
        return found + self.mutations(name) if mutations else found

    def _in_place(self, node: ast.AST) -> str:
        return " ".join(map(_dump, [*self._heads.get(id(node), ()), node]))

    def is_import(self, name: str) -> bool:
        nodes = self._binders.get(name, ())
        return any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in nodes)

    def body(self, name: str) -> list[str]:
        """What a class or function is made of, apart from its name.

        Nothing, if there is so little of it that others may look the same.
        """
        for node in self._binders.get(name, ()):
            if isinstance(node, FUNCTIONS) and len(node.body) > 1 \
                    or isinstance(node, ast.ClassDef) and len(Outline(node.body)._binders):
                dumped = _dump(node)
                return [type(node).__name__, dumped.replace(repr(name), "''")]
        return []

    @cached_property
    def classes(self) -> dict[str, Outline]:
        """The outlines of the classes in this block, by name."""
        return {name: Outline(node.body, self._prefix + name)
                for name, nodes in self._binders.items() for node in nodes
                if isinstance(node, ast.ClassDef)}

    @cached_property
    def headers(self) -> dict[tuple[str, int], str]:
        """Decorators, arguments and annotations of each function.

        The key is the qualified name and the first line, as code objects have
        them.
        """
        found = {}
        for nodes in self._binders.values():
            for node in nodes:
                if isinstance(node, FUNCTIONS):
                    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                    found[self._prefix + node.name, first] = _header(node)
        for outline in self.classes.values():
            found.update(outline.headers)
        return found

    def decorators(self, name: str) -> list[str]:
        """The decorators of a definition, and what else makes the object."""
        parts: list[str] = []
        for node in self._binders.get(name, ()):
            if isinstance(node, DEFINITIONS):
                parts += map(_dump, node.decorator_list)
            if isinstance(node, ast.ClassDef):
                parts += map(_dump, [*node.bases, *node.keywords, *node.type_params])
        return parts

    def mutations(self, name: str) -> list[str]:
        """What is done to an object after it has been bound: ``f.tag = 1``.

        The name may have dots in it: attributes are filled, too, or bound again.
        """
        return [self._in_place(node) for node in self._mutators.get(name, ())]

    @property
    def filled(self) -> set[str]:
        """The names of objects to which something is done."""
        return set(self._mutators)

    @cached_property
    def calls(self) -> list[str]:
        """The calls that are statements of their own."""
        return [_dump(statement) for statement in self._calls]

    def makers(self, name: str) -> set[str]:
        """Names that the decorators and keywords of a definition refer to."""
        found = set()
        for node in self._binders.get(name, ()):
            if isinstance(node, DEFINITIONS):
                parts = list(node.decorator_list)
                if isinstance(node, ast.ClassDef):
                    parts += [keyword.value for keyword in node.keywords]
                found |= {n.id for part in parts for n in ast.walk(part)
                          if isinstance(n, ast.Name)}
        return found

    def initialisers(self, name: str) -> list[ast.Assign | ast.AnnAssign | ast.AugAssign]:
        """The assignments that bind a name."""
        return [node for node in self._binders.get(name, ())
                if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))]

    def needed_by(self, names: set[str]) -> set[str]:
        """Names of this block that some values are made from, or filled with."""
        nodes = [node for name in names
                 for node in (*self.initialisers(name), *self._mutators.get(name, ()))]
        return {name for name in _names(nodes) if name in self}

    def imported_names(self, package: str) -> Iterator[tuple[str, str, str]]:
        """What is imported by name: the module, the name there, and the name here."""
        seen = set()
        for nodes in self._binders.values():
            for node in nodes:
                if isinstance(node, ast.ImportFrom) and id(node) not in seen:
                    seen.add(id(node))
                    module = _absolute(node, package)
                    yield from ((module, alias.name, alias.asname or alias.name)
                                for alias in node.names)

    def imported_from(self, module: str, package: str) -> Iterator[tuple[str, str]]:
        """Pairs (name there, name here) of what is imported from a module."""
        return ((there, here) for origin, there, here in self.imported_names(package)
                if origin == module)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block, also those in its ``if``, ``try``, ``for``…"""
    for statement, _ in _with_heads(body):
        yield statement


def _with_heads(body: list[ast.stmt],
                heads: tuple[ast.stmt, ...] = ()) -> Iterator[tuple[ast.stmt, tuple[ast.stmt, ...]]]:
    """The same, each with the statements that it is in."""
    for statement in body:
        yield statement, heads
        if isinstance(statement, DEFINITIONS):
            continue
        inner = heads if isinstance(statement, (ast.Try, ast.TryStar)) else (*heads, statement)
        for field in ("body", "orelse", "finalbody"):
            yield from _with_heads(getattr(statement, field, []), inner)
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _with_heads(part.body, inner)


def imported_modules(tree: ast.Module, package: str) -> Iterator[str]:
    """Names of modules that may be imported anywhere in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What is left of a module without the bodies of its functions.

    What the names in it refer to runs at import.
    """

    shape: str
    makers: set[str]
    """Names used by decorators and metaclasses, and by the bodies of classes."""
    defaults: set[str]
    """Names used by defaults and annotations."""
    bases: set[str]
    """Names of base classes."""
    in_loops: set[str]
    """Names of functions that are defined in loops: several have the same code."""
    rebound: set[str]
    """Names that functions bind: ``global CACHE``."""


def skeleton(text: bytes) -> Skeleton:
    """Take the bodies of the functions out of a module."""
    tree = ast.parse(text)
    makers: set[str] = set()
    defaults: set[str] = set()
    bases: set[str] = set()
    in_loops: set[str] = set()
    rebound = {name for node in ast.walk(tree) if isinstance(node, ast.Global)
               for name in node.names}

    def visit(body: list[ast.stmt], in_class: bool) -> None:
        for statement, heads in _with_heads(body):
            if isinstance(statement, FUNCTIONS):
                if any(isinstance(head, (ast.For, ast.While)) for head in heads):
                    in_loops.add(statement.name)
                statement.body = []
                makers.update(_names(statement.decorator_list))
                defaults.update(_names([statement.args]))
                if statement.returns is not None:
                    defaults.update(_names([statement.returns]))
            elif isinstance(statement, ast.ClassDef):
                makers.update(_names([*statement.decorator_list, *statement.keywords]))
                bases.update(_names(statement.bases))
                visit(statement.body, True)
            elif in_class:
                makers.update(_names([statement]))
    visit(tree.body, False)
    return Skeleton(ast.dump(tree), makers, defaults, bases, in_loops, rebound)


def _names(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                yield part.id


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
    return f"{base}.{node.module}" if node.module else base


def _header(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    parts: list[ast.AST | None] = [*node.decorator_list, node.args, node.returns,
                                   *node.type_params]
    return " ".join(_dump(part) for part in parts if part is not None)


def _dump(node: ast.AST) -> str:
    """The node without positions; of a block statement only its head."""
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return ast.dump(node.target) + ast.dump(node.iter)
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return " ".join(ast.dump(item) for item in node.items)
    if isinstance(node, ast.Match):
        return ast.dump(node.subject)
    if isinstance(node, (ast.If, ast.While)):
        return ast.dump(node.test)
    return ast.dump(node)


def _bound(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
            return
        case ast.Import():
            for alias in statement.names:
                yield alias.asname or alias.name.partition(".")[0]
            return
        case ast.ImportFrom():
            for alias in statement.names:
                yield alias.asname or alias.name
            return
        case ast.AnnAssign(value=None):
            return
    for node in _expressions(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name


def _expressions(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement, without statements or scopes in it."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, (ast.stmt, ast.ExceptHandler)):
            continue
        yield child
        if not isinstance(child, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp,
                                  ast.GeneratorExp)):
            yield from _expressions(child)


def _mutated(statement: ast.stmt) -> set[str]:
    """What a statement fills: ``x[1] = 2``, ``x.append(3)``. Of ``x.y.z = 4`` also ``x.y``."""
    targets: list[ast.expr] = []
    match statement:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            pass
        case ast.AnnAssign(target=target, value=ast.expr()):
            targets = [target]
        case ast.AugAssign(target=ast.Name(id=name)):
            return {name}
        case ast.AugAssign(target=target):
            targets = [target]
        case ast.Expr(value=ast.Call(func=ast.Attribute() as function)):
            targets = [function]
    return {path for target in _unpacked(targets) for path in _paths(target)}


def _unpacked(targets: list[ast.expr]) -> Iterator[ast.expr]:
    for target in targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            yield from _unpacked(target.elts)
        elif isinstance(target, ast.Starred):
            yield from _unpacked([target.value])
        else:
            yield target


def _paths(target: ast.expr) -> Iterator[str]:
    """The names, with dots, of what a target belongs to, and its own if it is an attribute."""
    path = ""
    node = target
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        path = f".{node.attr}{path}" if isinstance(node, ast.Attribute) else ""
        node = node.value
    if isinstance(node, ast.Name) and node is not target:
        parts = f"{node.id}{path}".split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
