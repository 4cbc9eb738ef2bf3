"""One side of a comparison: a process of an interpreter that measures what it is asked to.

Asked with a line of JSON, it answers with one. It runs on the unpatched interpreter as well.
"""

import gc
import json
import os
import pathlib
import platform
import subprocess
import sys
import sysconfig
import time

import heap

clock = time.process_time


class Side:
    """A running process, seen from the one that asks."""

    def __init__(self, python):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("PYTHON")}
        environment["PYTHONHASHSEED"] = "0"
        self.process = subprocess.Popen(
            [python, "-S", "-s", str(pathlib.Path(__file__).resolve())], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.hello = self.ask("hello")

    def ask(self, verb, **arguments):
        print(json.dumps([verb, arguments]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"error: a measuring process ended ({self.process.wait()})")
        return json.loads(answer)

    def close(self):
        # It does not take the heap apart at its end.
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def serve():
    roots = []
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        if verb == "build":
            roots.append(heap.build(**arguments))
            answer = len(gc.get_objects())
        else:
            answer = VERBS[verb](**arguments)
        print(json.dumps(answer), flush=True)
    os._exit(0)


def hello():
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    build = "release"
    for option, name in (("--with-pydebug", "debug"), ("--with-address-sanitizer", "asan"),
                         ("--enable-optimizations", "pgo")):
        if option in options:
            build = name
    return {"version": platform.python_version(), "compiler": platform.python_compiler(),
            "build": build, "remap": hasattr(gc, "remap")}


# gc.remap


class Key:
    pass


class Holder:
    pass


def remap(size, repetitions):
    roots = heap.build(size)
    gc.disable()
    in_list, in_dict, in_attribute = [Key()], {"key": Key()}, Holder()
    in_attribute.key = Key()
    many = [[Key()] for _ in range(10_000)]
    number, string, nested = [float("0.5")], ["".join(["a", " string"])], {(Key(), 1): 1}

    def new_class():
        kind = type("Class", (), {"method": lambda self: 1})
        return [kind, kind()]

    class_holder = new_class()

    # Made anew each time, and passed without a name: the holder's is the only reference.
    pairs = {
        "in a list": lambda: [(in_list[0], Key())],
        "in a dict": lambda: [(in_dict["key"], Key())],
        "in an attribute": lambda: [(in_attribute.key, Key())],
        "10,000 keys": lambda: [(holder[0], Key()) for holder in many],
        "a class with an instance": lambda: [(class_holder[0], new_class()[0])],
        "a float, not tracked": lambda: [(number[0], number[0] + 1.0)],
        "a string": lambda: [(string[0], "".join(["a ", str(time.monotonic_ns())]))],
        "a key of a key of a dict": lambda: [(next(iter(nested))[0], Key())],
    }
    times = {name: [] for name in pairs}
    times |= {"referrers": [], "collect": []}
    phases, visited = {}, 0

    growth = {"one key": "in a list", "10,000 keys": "10,000 keys",
              "a float, not tracked": "a float, not tracked"}
    for keys, name in growth.items():
        growth[keys] = [peak_growth(pairs[name]()) for _ in range(5)]
    if None in growth["one key"]:
        growth = {}

    for _ in range(repetitions):
        key = in_list[0]
        start = clock()
        found = gc.get_referrers(key)
        times["referrers"].append(clock() - start)
        assert in_list in found
        del key, found
        for name, make in pairs.items():
            argument = make()
            start = clock()
            result = gc.remap(argument)
            times[name].append(clock() - start)
            expected = {"10,000 keys": 10_000, "a class with an instance": None}.get(name, 1)
            assert expected in (None, result.references), (name, result)
            visited = result.visited
            for phase, seconds in result.seconds.items():
                phases.setdefault(name, {}).setdefault(phase, []).append(seconds)
            del argument, result
        start = clock()
        gc.collect()
        times["collect"].append(clock() - start)
    for of_name in phases.values():
        for phase, seconds in of_name.items():
            of_name[phase] = round(sorted(seconds)[len(seconds) // 2], 6)
    assert roots
    return {"times": times, "phases": phases, "growth": growth, "visited": visited}


def peak_growth(argument):
    """By how many bytes does the resident memory grow, at its peak, while this is remapped?"""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = peak()
    except OSError:
        return None
    gc.remap(argument)
    return peak() - before


def peak():
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise OSError("no VmHWM")


# Everyday code


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def sum(self):
        return self.x + self.y


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


def attributes():
    point = Point(1, 2)
    for _ in range(400_000):
        point.x = point.y
        point.y = point.x


def function(a, b=2, *, c=3):
    return a


def calls():
    point = Point(1, 2)
    for i in range(100_000):
        function(i)
        function(i, c=4)
        point.sum()


def instances():
    for i in range(100_000):
        Point(i, i)


def slotted_instances():
    for i in range(100_000):
        Slotted(i, i)


def dicts():
    for i in range(2_000):
        table = {}
        for j in range(50):
            table[j, i] = j
        for j in range(50):
            del table[j, i]
        dict.fromkeys("abcdefgh", i).update(x=1, y=2)


def sets():
    base = set(range(0, 100, 3))
    for i in range(16_000):
        other = {i, i + 1, i + 2}
        other |= base
        other -= {3, 6, 9}
        frozenset(other)
        i in base


def lists_and_tuples():
    for i in range(6_000):
        items = [(i, j) for j in range(50)]
        items.append(tuple(items))
        items.sort(key=len)
        items[1:10] = []


def numbers(limit):
    for i in range(limit):
        yield i


def generators():
    for _ in range(40):
        sum(numbers(10_000))


def cycles():
    """Garbage for the collector: its young collections are part of the time."""
    for i in range(100_000):
        a = [i]
        a.append(a)


def collect():
    gc.collect()


LOOPS = {
    "attribute access": attributes,
    "calls of functions and methods": calls,
    "making instances": instances,
    "making instances with slots": slotted_instances,
    "dict operations": dicts,
    "set operations": sets,
    "lists and tuples": lists_and_tuples,
    "generators": generators,
    "making cyclic garbage": cycles,
}


def measure(name):
    run = LOOPS.get(name, collect)
    if name in LOOPS:
        run()
    start = clock()
    run()
    return clock() - start


VERBS = {"hello": hello, "remap": remap, "time": measure}

if __name__ == "__main__":
    serve()
