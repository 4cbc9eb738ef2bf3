"""Which files have been written, without asking for each of them.

Linux tells (inotify): one read answers for a thousand files. This is an
economy and nothing else. Where it is not to be had, where it does not tell
of everything (network file systems, symbolic links), or as soon as anything
has happened, files are asked one by one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable

# What a write, a replacement, or a change of the time of a file shows up as.
_MODIFY, _ATTRIB, _CLOSE_WRITE, _DELETE_SELF, _MOVE_SELF = 0x2, 0x4, 0x8, 0x400, 0x800
_EVENTS = _MODIFY | _ATTRIB | _CLOSE_WRITE | _DELETE_SELF | _MOVE_SELF

_EVENT = struct.Struct("iIII")  # struct inotify_event: wd, mask, cookie, len

# ext, XFS, Btrfs, tmpfs, overlay, F2FS, ZFS
_TELLING = {0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x794C7630, 0xF2F52010, 0x2FC12FC1}


class Watch:
    """Files that have not been written since they were last asked."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._quiet: set[str] = set()
        self._paths: dict[int, set[str]] = {}
        self._folders: dict[str, bool] = {}

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def to_ask(self, paths: Iterable[str]) -> list[str]:
        """The files that may have been written; they are watched from now on."""
        self._read_events()
        asked = [path for path in paths if path not in self._quiet]
        for path in asked:
            if self._tells(path):
                number = self._libc.inotify_add_watch(self._fd, os.fsencode(path), _EVENTS)
                if number >= 0:
                    self._quiet.add(path)
                    self._paths.setdefault(number, set()).add(path)
        return asked

    def ask_again(self, path: str) -> None:
        """A file has been written, and not been taken in yet."""
        self._quiet.discard(path)

    def _read_events(self) -> None:
        if self._fd < 0:
            return
        with contextlib.suppress(BlockingIOError):
            while events := os.read(self._fd, 65536):
                position = 0
                while position < len(events):
                    number, _, _, length = _EVENT.unpack_from(events, position)
                    position += _EVENT.size + length
                    if number < 0:  # there were too many
                        self._quiet.clear()
                    self._quiet -= self._paths.get(number, set())

    def _tells(self, path: str) -> bool:
        folder = os.path.dirname(path)
        if folder not in self._folders:
            # struct statfs begins with f_type.
            answer = (ctypes.c_long * 32)()
            self._folders[folder] = (
                self._fd >= 0 and os.path.realpath(folder) == folder
                and self._libc.statfs(os.fsencode(folder), ctypes.byref(answer)) == 0
                and answer[0] in _TELLING)
        return self._folders[folder] and not os.path.islink(path)


def make_watch() -> Watch | None:
    """A watch, or None where there is no inotify."""
    try:
        return Watch()
    except (AttributeError, OSError):
        return None
