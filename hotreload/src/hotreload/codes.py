"""Code objects: which of them are the same, and which belong together.

Two code objects are the same if they do the same, wherever in the file they
stand.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator
from types import CodeType
from typing import Any

_FIELDS = (
    "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars",
    "co_flags", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount",
    "co_exceptiontable", "co_qualname")


def same_code(one: CodeType, two: CodeType) -> bool:
    """Whether the two do the same; their lines may differ."""
    if one is two:
        return True
    if any(getattr(one, field) != getattr(two, field) for field in _FIELDS):
        return False
    if len(one.co_consts) != len(two.co_consts):
        return False
    in_class = is_class_body(one)
    for a, b in zip(one.co_consts, two.co_consts):
        if not _same_constant(a, b):
            # A class body stores its line as __firstlineno__.
            if not (in_class and a == one.co_firstlineno and b == two.co_firstlineno):
                return False
    return True


def _same_constant(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, CodeType):
        return same_code(one, two)
    if isinstance(one, tuple):
        return len(one) == len(two) and all(map(_same_constant, one, two))
    if isinstance(one, frozenset):
        return one == two and set(map(type, one)) == set(map(type, two))
    # repr() tells 0.0 from -0.0, and finds that nan is nan.
    return repr(one) == repr(two)


def is_class_body(code: CodeType) -> bool:
    return not code.co_flags & inspect.CO_OPTIMIZED and code.co_name != "<module>"


def inner_codes(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if isinstance(const, CodeType)]


def definitions(code: CodeType) -> Iterator[CodeType]:
    """The functions made when the module is executed, in their order."""
    for inner in inner_codes(code):
        if is_class_body(inner):
            yield from definitions(inner)
        else:
            yield inner


def all_codes(code: CodeType) -> Iterator[CodeType]:
    """The code object and all within it."""
    yield code
    for inner in inner_codes(code):
        yield from all_codes(inner)


def pair_inner(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The code objects within two that belong together, at any depth.

    They are matched by qualified name. Where a name occurs more than once
    (lambdas), it has to occur equally often in both, or else only those that
    are the same are matched.
    """
    by_name: dict[str, list[CodeType]] = defaultdict(list)
    for code in inner_codes(new):
        by_name[code.co_qualname].append(code)
    old_by_name: dict[str, list[CodeType]] = defaultdict(list)
    for code in inner_codes(old):
        old_by_name[code.co_qualname].append(code)
    for name, olds in old_by_name.items():
        news = by_name[name]
        if len(olds) != len(news):
            news = [next((n for n in news if same_code(o, n)), o) for o in olds]
        for o, n in zip(olds, news):
            if o is not n:
                yield o, n
                yield from pair_inner(o, n)


def replaceable(old: CodeType, new: CodeType) -> bool:
    """Whether a function that runs the old code can run the new."""
    return old.co_freevars == new.co_freevars
