"""Reload when a source file of the program is saved."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from . import source
from .report import Report
from .transaction import reload

_ROUND = 500
"""Milliseconds after which newly imported modules are watched, too."""

_LOOK = 0.02
_LOOKS = 10
"""Seconds between two looks at a file that is being written, and how many there are."""


class Watcher(threading.Thread):
    """A daemon thread that reloads what has been saved.

    `on_reload` is called with the report of each reload, `on_error` with the
    exception of each that failed.
    """

    def __init__(self, on_reload: Callable[[Report], object],
                 on_error: Callable[[BaseException], object]) -> None:
        super().__init__(name="hotreload", daemon=True)
        self._on_reload = on_reload
        self._on_error = on_error
        self._stop_watching = threading.Event()

    def stop(self) -> None:
        self._stop_watching.set()

    def run(self) -> None:
        from watchfiles import watch
        while not self._stop_watching.is_set():
            folders = _folders()
            if not folders:
                self._stop_watching.wait(_ROUND / 1000)
                continue
            begun = False
            for changes in watch(*folders, recursive=False, watch_filter=_is_source,
                                 debounce=200, step=20, rust_timeout=_ROUND,
                                 yield_on_timeout=True, stop_event=self._stop_watching,
                                 raise_interrupt=False):
                # A file may have been saved before its folder was watched.
                if changes or not begun:
                    self.reload()
                begun = True
                if _folders() != folders:
                    break

    def reload(self) -> None:
        """Reload what has been edited, and tell."""
        _wait_until_written()
        try:
            report = reload()
        except BaseException as error:
            self._on_error(error)
        else:
            if report:
                self._on_reload(report)


def _wait_until_written() -> None:
    """Some editors empty a file before they write it. What is in between is no edit."""
    before = None
    for _ in range(_LOOKS):
        stamps = [source.stamp(record.path) for record in source.touched([*source.records.values()])]
        if stamps == before and all(stamp is not None and stamp[1] for stamp in stamps):
            return
        before = stamps
        time.sleep(_LOOK)


def _folders() -> list[str]:
    return sorted({os.path.dirname(record.path) for record in list(source.records.values())})


def _is_source(change: object, path: str) -> bool:
    return path.endswith(".py")
