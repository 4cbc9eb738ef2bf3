"""No remap of any one object to anything else crashes the interpreter.

In a heap with an instance of every type written in C, one object at a time is
remapped to something that does not fit: an int, a list, a function, a class,
another object of its type, an instance of a subclass.  A child process makes a
few such remaps, one after the other, then exercises the heap (calls, iterates,
prints, pickles, compares, collects) and exits.  It may print what it likes and
exit with any status: it must not be killed by a signal, and not hang; nor may the
engine panic.  If it is, each of its remaps is made again in a process of its own.

    python tests/fuzz/type_confusion.py                       # 2,000 remaps
    python tests/fuzz/type_confusion.py --remaps 100000 --batch 100 --jobs 2
    python tests/fuzz/type_confusion.py --seed 1 --only 17    # one of them again
    python tests/fuzz/type_confusion.py --seed 1 --only 100-199

The seed and the numbers of the remaps that fail are printed.
"""

import _queue
import _thread
import argparse
import collections
import ctypes
import decimal
import faulthandler
import gc
import io
import itertools
import os
import pathlib
import pickle
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import types
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "audit"))
import children
import heap
import makers

# The last line of a child that comes to its end.
EXERCISED = "exercised"

HANG = 60       # seconds

# CPython's own C code asserts that of these and their subclasses it is asked
# to compare the flags of a context only.
# Known by the class itself: its name may be what is replaced.
FLAGS = type(decimal.Context().flags)
NOT_COMPARED = FLAGS.__base__

# Any interpreter overflows its stack if a coroutine function is assigned to the one;
# and if a stream cannot be closed, of which a traceback that cannot be raised is shown:
# that opens another one.
NOT_REPLACED = [warnings._warn_unawaited_coroutine, *(
    vars(cls)["close"] for cls in vars(io).values()
    if isinstance(cls, type) and "close" in vars(cls))]

# What repr() and the others are not replaced by: functions that trust their caller,
# or end the process, or make one more.
UNSAFE_MODULES = ("_test", "_xxtest", "_ctypes", "faulthandler", "_signal")
UNSAFE = [os.abort, os.kill, os.killpg, os.fork, os.forkpty, os.execv, os.execve,
          os._exit, time.pthread_getcpuclockid]

# Nor by methods that may wait for ever.
MAY_WAIT = _thread.LockType, _queue.SimpleQueue

KINDS = ("int", "list", "function", "class", "same type", "subclass",
         "str", "dict", "instance")


class Victim:
    """An ordinary class of the program."""

    def method(self):
        return self

    @property
    def attribute(self):
        return 1


def function_of_the_program(x=(1, 2), *, y=None):
    def inner():
        return x, y
    return inner


def generator_of_the_program(x):
    yield x
    yield from [x, x]


class World:
    """The rich heap.  What is remapped in it is reached through it alone."""

    def __init__(self):
        self.made, errors = heap.populate()
        if errors:
            sys.exit("\n".join(errors))
        # Of one maker; a child would wait for a thread that it does not have.
        faulthandler.cancel_dump_traceback_later()
        # In any interpreter the flags of a context are in its memory, and do not keep
        # it alive: what does may be replaced.
        for made in self.made:
            if type(made.instance) is FLAGS:
                for context in made.keep:
                    ctypes.pythonapi.Py_IncRef(ctypes.py_object(context))
        self.more = self.of_the_program()

    def of_the_program(self):
        generator = generator_of_the_program([1])
        next(generator)
        try:
            raise ValueError(generator)
        except ValueError as e:
            error = e
        classes = [type(f"C{i}", (Victim,), {"x": i, "__slots__": ("a",)})
                   for i in range(2)]
        return [Victim(), Victim().method, classes, [c() for c in classes],
                function_of_the_program, function_of_the_program([3])(),
                generator, error, error.__traceback__,
                {Victim(): Victim()}, {Victim()}, frozenset([Victim()]),
                types.SimpleNamespace(a=Victim()), property(function_of_the_program),
                super(classes[0], classes[0]()),
                __builtins__, sys.modules, sys.path, World]

    def targets(self):
        """Every object of the heap, in an order that a second process with
        the same seed makes again."""
        found, seen = [], set()
        todo = collections.deque([m.instance for m in self.made])
        todo.extend(self.more)
        while todo:
            x = todo.popleft()
            if id(x) in seen or x is self or x is found or x is todo:
                continue
            seen.add(id(x))
            found.append(x)
            if len(found) >= 60_000:
                break
            todo.extend(gc.get_referents(x))
        return found


def replacement(old, kind, others):
    match kind:
        case "int":
            return 12345678901234567890
        case "list":
            return [1, 2, 3]
        case "function":
            return lambda *args, **kwargs: None
        case "class":
            return type("Replacement", (), {})
        case "str":
            return "a string of some length"
        case "dict":
            return {"a": 1, 2: "b"}
        case "instance":
            return Victim()
        case "same type":
            same = [x for x in others if type(x) is type(old) and x is not old
                    and not half_filled(x) and not unsafe(x) and not held(x)]
            return random.choice(same) if same else None
        case "subclass":
            cls = type(old)
            if cls is type:
                return type("Sub", (old,), {})
            if half_filled(old):
                return None
            return type("Sub", (cls,), {})(old)


def unsafe(x):
    if type(x) is not types.BuiltinFunctionType:
        return False
    if type(x.__self__) in MAY_WAIT:
        return True
    module = x.__module__
    return any(x is y for y in UNSAFE) or (
        type(module) is str and module.startswith(UNSAFE_MODULES))


def half_filled(x):
    """Is it a list of a C module's own, with room for items?  C code trusts that
    there is no other, but gc.get_referents() finds it."""
    return type(x) is list and len(gc.get_referents(x)) != len(x)


def held(x):
    """A lock that another thread has: whoever comes to wait for it waits for ever."""
    return type(x) is _thread.LockType and x.locked()


def quietly(call):
    try:
        return call()
    except BaseException:       # CancelledError is none of Exception
        return None


def exercise(world):
    """Uses everything in ways that C code takes for granted."""
    for x in [*(m.instance for m in world.made), *world.more]:
        quietly(lambda: repr(x))
        quietly(lambda: str(x))
        quietly(lambda: hash(x))
        if type(x) is FLAGS or NOT_COMPARED not in type(x).__mro__:
            quietly(lambda: x == x)
            quietly(lambda: x < x)
        quietly(lambda: len(x))
        quietly(lambda: bool(x))
        quietly(lambda: list(itertools.islice(iter(x), 5)))
        quietly(lambda: pickle.dumps(x))
        quietly(lambda: x.__reduce_ex__(4))
        quietly(lambda: x.__class__.__mro__)
        match x:    # isinstance() may be what is replaced
            case type() | types.BuiltinFunctionType():
                pass
            case _:
                quietly(lambda: x())
                quietly(lambda: x(1))
        for name in quietly(lambda: dir(x)) or ():
            if not name.startswith("__") or name in ("__dict__", "__doc__"):
                quietly(lambda: getattr(x, name))
    gc.collect()
    quietly(lambda: world.of_the_program())
    gc.collect()


def choose(targets, number, seed):
    """What it is called, and the pairs of one remap; None if there is none."""
    chooser = random.Random(f"{seed}/{number}")
    random.seed(number)
    old = chooser.choice(targets)
    kind = chooser.choice(KINDS)
    if isinstance(old, World) or any(old is x for x in NOT_REPLACED):
        return None
    new = quietly(lambda: replacement(old, kind, targets))
    if new is None:
        return None
    return (f"#{number}: {heap.name_of(type(old))} at {id(old):#x} -> {kind}",
            [(old, new)])


def child(world, targets, numbers, seed):
    """A few remaps; runs in a process of its own."""
    chosen = [choose(targets, number, seed) for number in numbers]
    targets.clear()
    # A remap may replace the functions that this goes on with.
    remap, say, flush, abort = gc.remap, print, sys.stdout.flush, os.abort
    while chosen:
        choice = chosen.pop()
        if choice is None:
            continue
        say(choice[0])
        flush()
        try:
            say(remap(choice[1]))
        except (TypeError, ValueError, RuntimeError, MemoryError) as e:
            say(f"{type(e).__name__}: {e}")
        except SystemError as e:
            say(e)
            if "panicked" in str(e):
                abort()
            raise
    exercise(world)
    say(EXERCISED)
    flush()


def run_child(world, targets, numbers, seed, log):
    """Forks; returns what children.watch() returns."""
    pid = os.fork()
    if pid:
        return children.watch(pid, HANG)
    # In the child: everything goes to the log, and it ends as programs end.
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(0)
    os.chdir(os.path.dirname(log))
    faulthandler.enable()
    for name in ("SIGTERM", "SIGALRM", "SIGUSR1", "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    child(world, targets, numbers, seed)
    raise SystemExit    # sys.exit() may be what is replaced


def numbers(text):
    """What is named on the command line: 17, or all from 17 to 20."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def shown(numbers):
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def worker(options, first, directory):
    """Every jobs-th batch from the first on; returns how many remaps failed,
    or batches whose remaps do not fail alone."""
    heap.import_extensions()
    world = World()
    targets = world.targets()
    log = os.path.join(directory, f"log-{first}")
    exercised = 0
    def fails(numbers, report):
        nonlocal exercised
        killed = run_child(world, targets, numbers, options.seed, log)
        text = pathlib.Path(log).read_text(errors="replace")
        exercised += EXERCISED in text.splitlines()
        if killed == 0 and options.only is None or not report:
            return killed != 0
        # How it ended is of more use than how it began.
        if "AddressSanitizer" in text:
            text = text[text.index("AddressSanitizer"):][:6000]
        print(f"remaps {shown(numbers)}: {children.how(killed)}\n{text[-6000:]}", flush=True)
        return killed != 0

    if options.only is not None:
        return fails(options.only, True)
    failed = 0
    size = options.batch
    for start in range(first * size, options.remaps, options.jobs * size):
        if start % (100 * size) == 0 and start:
            print(f"{start} of {options.remaps}", flush=True)
        batch = range(start, min(start + size, options.remaps))
        if fails(batch, False):
            alone = sum(fails([number], True) for number in batch)
            failed += alone or fails(batch, True)
    pathlib.Path(log).with_suffix(".exercised").write_text(f"{exercised}")
    return failed


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remaps", type=int, default=2000, metavar="N")
    parser.add_argument("--batch", type=int, default=10, metavar="N",
                        help="how many remaps a child makes [default: 10]")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="how many processes fork children")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=numbers, metavar="NUMBER[-NUMBER]",
                        help="repeat these remaps of the seed alone, in one child")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    children.restart_with_fixed_hashes(
        options.seed, "allocator_may_return_null=1")
    if options.only is not None:
        options.jobs = 1
    # They wait for nobody: no child needs them.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded")
    print(f"seed {options.seed}", flush=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    # Not cleaned up by the stack: see in_parallel().
    directory = tempfile.mkdtemp()
    failed = children.in_parallel(
        options.jobs, lambda first: worker(options, first, directory))
    # A program of which a part has been replaced may end before that.
    exercised = sum(int(file.read_text())
                    for file in pathlib.Path(directory).glob("*.exercised"))
    shutil.rmtree(directory)
    print(f"type confusion: {options.remaps} remaps, seed {options.seed}, "
          f"{exercised} children exercised the heap to the end: "
          f"{failed} crash or hang")
    return 1 if failed or options.only is None and not exercised else 0


if __name__ == "__main__":
    sys.exit(main())
