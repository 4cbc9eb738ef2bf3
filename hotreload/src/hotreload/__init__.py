"""Edit a running program and keep its state.

    >>> import hotreload, shop
    >>> report = hotreload.reload(shop)

Needs an interpreter that has `gc.remap`.
"""

from __future__ import annotations

import gc

if not hasattr(gc, "remap"):
    raise ImportError("hotreload needs an interpreter with gc.remap")

from typing import Any

from .errors import ReloadError, ReloadRefused
from .report import Report
from .source import track_imports
from .transaction import reload

__all__ = ["Report", "ReloadError", "ReloadRefused", "reload", "track_imports"]



def load_ipython_extension(shell: Any) -> None:
    """``%load_ext hotreload``"""
    from . import ipython
    ipython.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext hotreload``"""
    from . import ipython
    ipython.unload(shell)


track_imports()
