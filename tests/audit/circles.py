"""An object of every type in each field of its own, then let go: the collector
frees it.

Where tp_clear leaves a field, or there is no tp_clear, CPython relies on no program
being able to make a circle that leads through such fields alone.  gc.remap() could,
so it has to refuse.  For each reference that an instance made by a maker holds, a
child process replaces what is there by the instance:

  open fields      hold a fresh object, put there first
  the others       what they hold, if nothing else holds it

What was not refused, and has led to a circle, must be collected.  Where programs can
make the same circle without gc.remap(), it need not; that they can, and that it is
not collected either, is looked at as well.

    python tests/audit/circles.py [MAKER ...]
"""

import argparse
import collections
import gc
import itertools
import os
import pickle
import signal
import sys
import warnings

import _lsprof
import _testinternalcapi

import makers
from fields import DEBUG, occurrences, references, replaceable

# Held: by what it is registered with, or as long as a call that is under way.  Kept:
# the field keeps what it has.  Shared: what is there cannot be replaced alone.
OUTCOMES = {"untracked", "held", "kept", "shared", "refused", "collected",
            "by programs"}


def circle_of_a_generator():
    def f(x):
        yield x
    made = f(None)
    made.gi_frame.f_locals["x"] = made
    return made


def circle_of_an_async_generator():
    async def f(x):
        yield x
    made = f(None)
    made.ag_frame.f_locals["x"] = made
    return made


def circle_of_a_profiler():
    made = _lsprof.Profiler()
    made.__init__(made)
    return made


# Types of which programs can make a circle that is never collected, and how.
BY_PROGRAMS = {
    "builtins.generator": circle_of_a_generator,
    "builtins.async_generator": circle_of_an_async_generator,
    "_lsprof.Profiler": circle_of_a_profiler,
}


def alive(cls):
    return sum(type(x) is cls for x in gc.get_objects())


def is_collected(made):
    """Takes the only item out of the list and lets go of it."""
    cls = type(made[0])
    before = alive(cls)
    made.clear()
    for _ in "12":
        gc.collect()
    return alive(cls) < before


def ends(maker):
    """Is an instance collected if nothing is done with it?"""
    made = [maker.make()[0]]
    if not gc.is_tracked(made[0]):
        return "untracked"
    return "collected" if is_collected(made) else "held"


def closed(maker, ordinal):
    """Puts an instance in place of what its reference refers to: "end" if there is
    no such reference, or what came of it."""
    instance, needed = maker.make()
    held = references(instance)
    if ordinal >= len(held):
        return "end"
    reference = held[ordinal]
    is_open = (reference.has_address and reference.field is None
               and reference.referent is not type(instance))
    old = [makers.Thing() if is_open else reference.referent]
    del held, reference
    if is_open:
        _testinternalcapi.exchange_reference(instance, ordinal, old[0])
    elif not replaceable(old[0]) or (
            # The list's, and that of the argument.
            sys.getrefcount(old[0]) > 2 + occurrences(instance, old[0])):
        return "shared"
    try:
        gc.remap([(old[0], instance)])
    except (TypeError, ValueError):
        return "refused"
    finally:
        old.clear()
    if not occurrences(instance, instance):
        return "kept"
    made = [instance]
    del instance, needed
    return "collected" if is_collected(made) else "leaked"


def in_child(call, *args):
    """Calls it in a copy of this process; returns what it returns, or the error."""
    sys.stdout.flush()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        # A thread that is not there any more may have held a lock.
        signal.alarm(60)
        sys.unraisablehook = lambda unraisable: None
        try:
            result = call(*args)
        except BaseException as e:
            result = f"{type(e).__name__}: {e}"
        with open(write, "wb") as file:
            pickle.dump(result, file)
        # What the makers left waiting in threads is not waited for.
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        text = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return pickle.loads(text) if not status else f"exit status {status}"


def run(names=(), verbose=False):
    """Returns the outcomes, with how many times each, and what is wrong."""
    outcomes, problems = collections.Counter(), []

    def note(name, what):
        outcomes[what] += 1
        if verbose:
            print(f"{what:11} {name}")
        if what == "leaked":
            problems.append(f"{name}: not refused, and not collected")
        elif what not in OUTCOMES:
            problems.append(f"{name}: {what}")

    by_programs = [name for name, make in BY_PROGRAMS.items()
                   if in_child(lambda: is_collected([make()])) is False]
    for name in BY_PROGRAMS.keys() - by_programs:
        problems.append(f"{name}: programs can make no such circle any more")
    for maker in makers.load():
        if names and maker.name not in names:
            continue
        what = in_child(ends, maker)
        if what != "collected":
            note(maker.name, what)
            continue
        for ordinal in itertools.count():
            what = in_child(closed, maker, ordinal)
            if what == "end":
                break
            if what == "leaked" and maker.type_name in by_programs:
                what = "by programs"
            note(f"{maker.name}[{ordinal}]", what)
    return outcomes, problems


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("makers", nargs="*", metavar="MAKER",
                        help="only these, as module.function")
    parser.add_argument("--verbose", action="store_true",
                        help="list every case")
    options = parser.parse_args()
    # Of fork(), as makers have threads, and of coroutines that are let go.
    warnings.simplefilter("ignore")
    outcomes, problems = run(options.makers, options.verbose)
    for problem in problems:
        print(problem)
    print(f"circles: {outcomes.total()} cases: "
          + ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items()))
          + f"; {len(problems)} problems "
          f"on a {'debug' if DEBUG else 'release'} build")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
