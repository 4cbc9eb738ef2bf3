"""What a reload has done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """What a reload has done.

    Names are qualified by their module: ``"shop:Cart.total"``.
    """

    modules: tuple[str, ...] = ()
    """The modules that had been edited, in the order in which they were executed."""

    way: str = "nothing"
    """``"nothing"`` had changed, only ``"bodies"`` of functions, or the module
    was executed again and its objects replaced by ``"remap"``."""

    changed: list[str] = field(default_factory=list)
    """Functions, classes and values that are new ones in place of old ones."""

    added: list[str] = field(default_factory=list)
    deleted: dict[str, list[str]] = field(default_factory=dict)
    """Definitions that are gone, each with a description of who still uses it."""

    kept: list[str] = field(default_factory=list)
    """Values that stay as they were at run time."""

    instances: int = 0
    """Instances made anew because their layout or hash changed."""

    references: int = 0
    """References replaced on the heap."""

    left_behind: dict[str, int] = field(default_factory=dict)
    """References to old definitions that could not be reached, if any."""

    held_by: dict[str, list[str]] = field(default_factory=dict)
    """What holds these, as far as it is known."""

    seconds: float = 0.0

    def __bool__(self) -> bool:
        """Whether anything had been edited."""
        return bool(self.modules)

    def __str__(self) -> str:
        """One line."""
        if not self:
            return "nothing to reload"
        parts = []
        if self.changed:
            parts.append("changed " + _list(self.changed))
        if self.added:
            parts.append("added " + _list(self.added))
        if self.deleted:
            parts.append("deleted " + _list(self.deleted))
            users = dict.fromkeys(user for found in self.deleted.values() for user in found)
            if users:
                parts.append("still used by " + _list(users, names=False))
        if not parts:
            parts.append("nothing that runs")
        if self.instances:
            parts.append(f"{_count(self.instances, 'instance')} rebuilt")
        if self.references:
            parts.append(_count(self.references, "reference"))
        if self.left_behind:
            parts.append(_count(sum(self.left_behind.values()), "reference") + " left behind, to "
                         + _list(self.left_behind))
        modules = ", ".join(self.modules)
        return f"{modules}: {'; '.join(parts)} ({_time(self.seconds)})"


def _list(texts: Iterable[str], limit: int = 4, *, names: bool = True) -> str:
    known = [text.partition(":")[2] or text if names else text for text in texts]
    more = f" and {len(known) - limit} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + more


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
