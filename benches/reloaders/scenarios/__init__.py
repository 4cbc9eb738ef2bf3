"""The battery: edits of a module, and what a running program should see.

Each scenario is a module ``m`` (and others), code that runs before the edit,
the edit, and code that runs after the reload in the same namespace. Its asserts
decide.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

ALL: dict[str, Scenario] = {}


@dataclass(frozen=True)
class Scenario:
    """One edit."""

    name: str
    files: dict[str, str]
    before: str
    edits: list[dict[str, str]]
    after: list[str]
    origin: str = ""
    """The issue or the test that it was taken from."""
    reload: tuple[str, ...] = ("m",)

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]


Edit = str | tuple[str, str] | list[tuple[str, str]]


@dataclass
class Group:
    """Scenarios on one theme."""

    name: str
    origin: str = ""
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str, old: str, before: str, new: Edit, after: str, *,
                 others: dict[str, str] | None = None,
                 edits: dict[str, Edit] | None = None,
                 again: tuple[Edit, str] | None = None, origin: str = "") -> None:
        """Add a scenario.

        `new` is the edited text of ``m``, or pairs of what to replace in it by what.
        `others` are other modules, `edits` what is edited in them; `again` is
        a second edit of ``m``, with its asserts.
        """
        files = {"m.py": _text(old)}
        for path, text in (others or {}).items():
            files[path] = _text(text)
        changed = {path: _edited(files.get(path, ""), edit)
                   for path, edit in {"m.py": new, **(edits or {})}.items()}
        steps = [{path: text for path, text in changed.items() if text != files.get(path)}]
        checks = [_text(after)]
        if again is not None:
            steps.append({"m.py": _edited(changed["m.py"], again[0])})
            checks.append(_text(again[1]))
        modules = tuple(path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                        for path in steps[0])
        full = f"{self.name}/{name}"
        assert full not in ALL, full
        ALL[full] = Scenario(full, files, _text(before), steps, checks,
                             origin or self.origin, modules)


def _text(text: str) -> str:
    return textwrap.dedent(text).strip("\n") + "\n"


def _edited(text: str, edit: Edit) -> str:
    if isinstance(edit, str):
        return _text(edit)
    for old, new in [edit] if isinstance(edit, tuple) else edit:
        assert old in text, (old, text)
        text = text.replace(old, new)
    return text


def load() -> dict[str, Scenario]:
    """All scenarios, by name."""
    from . import (  # noqa: F401
        classes, data, everyday, failures, functions, libraries, modules, registries)
    return ALL
