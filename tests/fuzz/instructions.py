"""Between any two instructions, a remap of what they have made does no harm.

While functions with every kind of instruction run, callbacks of sys.monitoring
(before an instruction, at a line, a call, a return, an exception, a handler) replace
objects that have just been made with others, of another type or size: what is on
evaluation stacks, what one instruction has built for the next, iterators, cells,
closures, frames, exceptions.  A child process does so with a few functions, shows
their results, collects and exits.  Exceptions are all right: it must not be killed
by a signal, and not hang.

    python tests/fuzz/instructions.py                      # 40 children
    python tests/fuzz/instructions.py --children 2000 --jobs 2
    python tests/fuzz/instructions.py --seed 1 --only 17   # one of them again

The seed and the numbers of the children that fail are printed.
"""

import argparse
import collections
import faulthandler
import gc
import os
import pathlib
import random
import resource
import shutil
import sys
import sysconfig
import tempfile
import types
import typing     # or type parameters import it, with locks that may be replaced

import children
import constructs
from constructs import Context, Point, Wait, take

HANG = 60       # seconds
MEMORY = 1 << 29
ROUNDS = 40     # functions that a child runs
ENDLESS = 10 ** 5   # events of one function

monitoring = sys.monitoring
EVENTS = monitoring.events
OF_ALL_CODE = (EVENTS.RAISE | EVENTS.RERAISE | EVENTS.EXCEPTION_HANDLED
               | EVENTS.PY_UNWIND | EVENTS.PY_THROW)
OF_THE_CODE = (EVENTS.INSTRUCTION | EVENTS.LINE | EVENTS.CALL | EVENTS.PY_START
               | EVENTS.PY_RETURN | EVENTS.PY_YIELD | EVENTS.PY_RESUME | EVENTS.JUMP
               | EVENTS.BRANCH | EVENTS.STOP_ITERATION)


def raised(error):
    try:
        raise error
    except BaseException as e:
        return e


REPLACEMENTS = [
    lambda: (), lambda: (1,), lambda: (1, 2, 3, 4, 5), lambda: tuple(range(30)),
    lambda: ("a", "b"), lambda: (1, ("a",)), lambda: (types.CellType([1]),),
    lambda: [], lambda: {}, lambda: {"zz": [1]}, lambda: {1, 2}, lambda: "text",
    lambda: 5.5, lambda: 10 ** 30, Point, lambda: lambda *a, **k: [a],
    lambda: types.CellType([1]), lambda: iter([[1]]), lambda: iter(()),
    lambda: type("New", (), {}), lambda: type("New", (Point,), {}),
    lambda: ValueError(1), lambda: raised(KeyError(1)),
    lambda: raised(ExceptionGroup("new", [ValueError(1)])),
    lambda: (x for x in [[1]]), lambda: Wait().__await__(), lambda: take.__code__,
    lambda: Context().__exit__, lambda: len, lambda: types.MethodType(take, [1]),
    lambda: [1].append, lambda: slice([1], [2]), lambda: TypeError,
]


def all_codes(module):
    """The code objects of the functions and methods of a module."""
    found = set()

    def add(code):
        found.add(code)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                add(constant)
    for value in vars(module).values():
        for function in [value, *vars(value).values()] if isinstance(value, type) else [value]:
            if (isinstance(function, types.FunctionType)
                    and function.__module__ == module.__name__):
                add(function.__code__)
    return found


class Remaps:
    """The callback."""

    def __init__(self, chooser):
        self.chooser = chooser
        self.made = collections.Counter()
        self.busy = False
        self.share = 0
        self.events = 0

    def __call__(self, code, *details):
        self.events += 1
        if self.events > ENDLESS:
            # A number that a loop counts down has become another.
            os._exit(0)
        if self.busy or self.chooser.random() > self.share:
            return
        self.busy = True
        try:
            self.remap()
        except (TypeError, ValueError, RuntimeError):
            self.made["refused"] += 1
        except BaseException:
            # The program is broken as it wished to be.
            self.made["raised"] += 1
        finally:
            self.busy = False

    def remap(self):
        choose = self.chooser
        young = gc.get_objects(generation=0)[-choose.choice((3, 8, 30, 100)):]
        if not young:
            return
        old = choose.choice(young)
        same = [x for x in young if type(x) is type(old) and x is not old]
        kind = choose.random()
        new = (choose.choice(young) if kind < 0.1 else
               choose.choice(same) if kind < 0.25 and same else
               choose.choice(REPLACEMENTS)())
        # What others know as well (len, for example) stays for them what it is.
        swap = kind < 0.25 and new is not old and choose.random() < 0.5
        pairs = [(old, new), (new, old)] if swap else [(old, new)]
        del young, same, old, new
        gc.remap(pairs)
        self.made["remapped"] += 1


def child(seed, number):
    """Runs in a process of its own."""
    chooser = random.Random(f"{seed}/{number}")
    remaps = Remaps(chooser)
    sys.unraisablehook = lambda unraisable: None
    monitoring.use_tool_id(3, "remaps")
    events = chooser.choice((EVENTS.INSTRUCTION, EVENTS.INSTRUCTION, OF_THE_CODE, OF_ALL_CODE))
    for bit in range(events.bit_length()):
        if events >> bit & 1:
            monitoring.register_callback(3, 1 << bit, remaps)
    if events == OF_ALL_CODE:
        monitoring.set_events(3, events)
    else:
        for code in all_codes(constructs):
            monitoring.set_local_events(3, code, events)
    # The first generation is what the functions make, and no more than that.
    functions = tuple(constructs.ALL)
    gc.disable()
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        function = functions[int(chooser.random() * len(functions))]
        print(function.__name__, flush=True)
        remaps.events = 0
        remaps.share = chooser.choice((0.02, 0.1, 0.4))
        result = None
        try:
            result = function()
        except BaseException as error:
            result = error
        remaps.busy = True
        try:
            repr(result)
        except BaseException:
            pass
        if chooser.random() < 0.3:
            result = None
            gc.collect()
        remaps.busy = False
    remaps.busy = True
    monitoring.set_events(3, 0)
    gc.collect()
    remaps.made["to the end"] += 1
    return remaps.made


def run_child(seed, number, log):
    """Forks; returns what children.watch() returns, and writes a log."""
    pid = os.fork()
    if pid:
        return children.watch(pid, HANG)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    faulthandler.enable()
    # A list that becomes the one whose iterator extends it has no end.  With the
    # address sanitizer, which needs the addresses, a single block is limited.
    if "-fsanitize" not in sysconfig.get_config_var("PY_CFLAGS"):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    made = child(seed, number)
    with open(f"{log}.made", "a") as file:
        for name, count in made.items():
            file.write(f"{name} {count}\n")
    raise SystemExit


def worker(options, first, directory):
    """Every jobs-th child from the first on; returns how many failed."""
    log = os.path.join(directory, f"log-{first}")
    failed = 0
    numbers = [options.only] if options.only is not None else \
        range(first, options.children, options.jobs)
    for number in numbers:
        killed = run_child(options.seed, number, log)
        if killed != 0 or options.only is not None:
            text = pathlib.Path(log).read_text(errors="replace")
            print(f"child {number}: {children.how(killed)}\n{text[-4000:]}", flush=True)
        failed += killed != 0
    return failed


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=40, metavar="N")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="how many processes fork children")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", type=int, metavar="NUMBER",
                        help="repeat this child of the seed alone")
    options = parser.parse_args()
    children.restart_with_fixed_hashes(
        options.seed,
        f"allocator_may_return_null=1:max_allocation_size_mb={MEMORY >> 21}")
    if options.only is not None:
        options.jobs = options.children = 1
    print(f"seed {options.seed}", flush=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    made = collections.Counter()
    # Not cleaned up by the stack: see in_parallel().
    directory = tempfile.mkdtemp()
    failed = children.in_parallel(
        options.jobs, lambda first: worker(options, first, directory))
    for file in pathlib.Path(directory).glob("*.made"):
        for line in file.read_text().splitlines():
            name, _, count = line.rpartition(" ")
            made[name] += int(count)
    shutil.rmtree(directory)
    print(f"instructions: {options.children} children, seed {options.seed}, "
          f"{made['to the end']} of them to the end, {made['remapped']} remaps, "
          f"{made['refused']} refused: {failed} crash or hang")
    return 1 if failed or not made["remapped"] else 0


if __name__ == "__main__":
    sys.exit(main())
