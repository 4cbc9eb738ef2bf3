"""What `hotreload` raises of its own.

A syntax error, or an exception that the edited module raises when it is
executed, is raised as it is.
"""


class ReloadError(Exception):
    """The module cannot be reloaded. The program is as it was."""


class ReloadRefused(ReloadError):
    """The edit cannot be taken into this program, and the message says why."""


def explanation(refusal: Exception) -> str:
    """Why `gc.remap` has refused, in terms of the program."""
    old = getattr(refusal, "old", None)
    if old is None:
        return f"the edit does not fit what the program has: {refusal}"
    cls = old if isinstance(old, type) else type(old)
    name = getattr(old, "__qualname__", None) if callable(old) else None
    what = f"{old.__module__}.{name}" if name else f"an instance of {cls.__module__}.{cls.__qualname__}"
    others = len(getattr(refusal, "others", ()))
    more = f" (and {others} more reason{'' if others == 1 else 's'})" if others else ""
    return f"{what} cannot be replaced: {getattr(refusal, 'reason', refusal)}{more}"
