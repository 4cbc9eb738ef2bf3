"""What a reload costs in a program with much on its heap.

    python benches/reloaders/large_heap.py [--objects N] [--rounds N]

A module of 50 classes, each with live instances, is edited in a heap of five
million objects; `gc.collect()` of the same heap, in the same process and in
turns, is what it is compared with. Also what a reload of nothing costs, with a
thousand modules.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "hotreload" / "src"))

import hotreload  # noqa: E402

CLASS = """
class Class{number}:
    edition = {edition}
    def __init__(self, x):
        self.x = x
    def method(self):
        return self.x + {body}
    @property
    def value(self):
        return self.method() * 2
"""


class Node:
    """What the heap is made of: with a list and a tuple, three objects each."""

    def __init__(self, number: int) -> None:
        self.items = [number]
        self.pair = (self.items, number)


class Program:
    """The edited module, on disk and in use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = time.time_ns()
        self.edition = self.body = 0
        self.write()
        self.module = importlib.import_module("fifty")
        self.instances = [getattr(self.module, f"Class{number % 50}")(number) for number in range(5000)]

    def write(self) -> None:
        text = "".join(CLASS.format(number=number, edition=self.edition, body=self.body)
                       for number in range(50))
        self.clock += 10 ** 9
        (self.folder / "fifty.py").write_text(text)
        os.utime(self.folder / "fifty.py", ns=(self.clock, self.clock))

    def edit_classes(self) -> None:
        self.edition += 1
        self.write()

    def edit_bodies(self) -> None:
        self.body += 1
        self.write()

    def reload(self, way: str) -> None:
        report = hotreload.reload(self.module)
        assert report.way == way, report
        assert self.instances[7].edition == self.edition
        assert self.instances[7].method() == 7 + self.body


def timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--objects", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        sys.path.insert(0, name)
        for number in range(1000):
            (folder / f"small{number}.py").write_text("X = 1\n")
            importlib.import_module(f"small{number}")
        program = Program(folder)
        heap = [Node(number) for number in range(options.objects // 3)]
        gc.collect()
        times: dict[str, list[float]] = {"gc.collect()": [], "classes": [], "bodies": [], "nothing": []}
        for _ in range(options.rounds):
            times["gc.collect()"].append(timed(gc.collect))
            program.edit_classes()
            times["classes"].append(timed(lambda: program.reload("remap")))
            program.edit_bodies()
            times["bodies"].append(timed(lambda: program.reload("bodies")))
            times["nothing"].append(timed(hotreload.reload))
        medians = {what: statistics.median(seconds) for what, seconds in times.items()}
        result = {"objects": len(gc.get_objects()),
                  "milliseconds": {what: round(s * 1000, 2) for what, s in medians.items()},
                  "classes / gc.collect()": round(medians["classes"] / medians["gc.collect()"], 2)}
        del heap
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
