"""What `hotreload` raises of its own.

A syntax error, or an exception that the edited module raises when it is
executed, is raised as it is.
"""


class ReloadError(Exception):
    """The module cannot be reloaded. The program is as it was."""


class ReloadRefused(ReloadError):
    """The edit cannot be taken into this program, and the message says why."""
