"""Functions that make an instance of every type written in C.

A maker fills as many reference fields of its instance as it can with objects
of its own, which can be replaced: no None, no small int, no interned string.
It makes a fresh, independent instance of the same shape each time, so that
what one instance holds fits into the same field of another.
"""

import dataclasses
import importlib
import pathlib
from collections.abc import Callable


class Thing:
    """An object that is nothing but itself; it can be called and iterated."""

    def __call__(self, *args, **kwargs):
        return Thing()

    def __iter__(self):
        return iter([Thing(), Thing()])


@dataclasses.dataclass(frozen=True)
class Maker:
    """How to make an instance of one type."""

    type_name: str      # module.qualname of what it returns
    function: Callable
    keep: bool          # it returns a tuple: the instance, and what it needs

    @property
    def name(self):
        return f"{self.function.__module__.removeprefix('makers.')}" \
               f".{self.function.__name__}"

    def make(self):
        """Returns the instance and a tuple of what must live as long."""
        made = self.function()
        return (made[0], made[1:]) if self.keep else (made, ())


MAKERS = []
UNMAKEABLE = {}     # type name: why Python code cannot make an instance
UNFILLED = {}       # (file, function, field): why no maker fills it


def maker(type_name, keep=False):
    """Registers the decorated function as a maker of instances of a type."""
    def register(function):
        MAKERS.append(Maker(type_name, function, keep))
        return function
    return register


def unmakeable(type_name, reason):
    """Says why there is no maker for a type."""
    UNMAKEABLE[type_name] = reason


def unfilled(file, function, field, reason):
    """Says why no maker fills a field; all names as in the source, but
    "field" without blanks."""
    UNFILLED[file, function, field] = reason


def load():
    """Imports all modules of this package; returns the makers."""
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        if path.stem != "__init__":
            importlib.import_module(f"makers.{path.stem}")
    return MAKERS
