"""A swap done twice is invisible: CPython's own tests pass in a storm of them.

While test files run, every N-th collection swaps two random live objects of
one type with gc.remap(), and swaps them back.  Whatever the tests hold, keep
iterating over or have half built, they must pass as they do in calm weather.

    python tests/fuzz/storm.py test_dict test_set          # these test files
    python tests/fuzz/storm.py --every 1 --seed 7 test_gc
    python tests/fuzz/storm.py --list                      # those of the long run
    python tests/fuzz/storm.py                             # all of those

Each file runs in a process of its own.  The seed and the number of swaps are
printed for each; the exit status is 1 if a file fails, or if none was swapped.

Keys that have become equal are one from then on, by contract: no swap back makes
two of them.  A file that fails after that says nothing, and runs again with
another seed.
"""

import argparse
import collections
import gc
import os
import random
import signal
import subprocess
import sys
import time
import types

# Not test_set: it iterates over sets that the storm repairs, which may raise
# RuntimeError by contract, and has keys whose __eq__ is random.
FILES = """
    test_bool test_bytes test_call test_class test_cmath test_codecs
    test_collections test_compare test_complex test_contextlib test_copy
    test_coroutines test_csv test_dataclasses test_decorators test_defaultdict
    test_deque test_descr test_dict test_dictviews test_enum test_enumerate
    test_exceptions test_extcall test_float test_format test_frame
    test_functools test_generators test_genexps
    test_heapq test_index test_isinstance test_iter test_itertools test_json
    test_keywordonlyarg test_list test_listcomps test_memoryview test_named_expressions
    test_operator test_ordered_dict test_pickle test_property test_random
    test_range test_re test_scope test_slice test_sort test_string
    test_struct test_super test_syntax test_traceback test_tuple test_types
    test_str test_unpack test_userdict test_userlist test_weakref
    test_weakset test_with
""".split()

# Swapping these is either refused each time or moves the ground that the
# storm itself stands on.
LEFT_ALONE = ("frame", "module", "traceback")

# It counts the entries of a cache that starts anew when a class is replaced.
COUNTS_CACHED = "test_functools"


# regrtest's audit hook hears of the swap back, and could refuse it if it were
# a function of another signature by then.
AUDIT_HOOK = "_test_audit_hook"

TRIES = 5       # of a file in which keys were merged
PAIRS = 5       # that are swapped, one after the other, each time


class Storm:
    """Counts collections, and has two objects swapped twice now and then."""

    def __init__(self, every, seed, classes):
        self.every = every
        self.classes = classes  # may they be swapped?
        self.random = random.Random(seed)
        self.collections = 0
        self.swaps = 0
        self.refused = 0
        self.merged = 0
        self.reasons = collections.Counter()
        self.waiting = False
        self.calm = 0   # until then

    now = staticmethod(time.monotonic)

    def start(self):
        signal.signal(signal.SIGPROF, lambda *_: self.swap())
        gc.callbacks.append(self.collected)

    def schedule(self):
        # Not from a callback of the collector, which is still busy then.
        signal.setitimer(signal.ITIMER_PROF, 20e-6)

    def collected(self, phase, info):
        if phase != "stop":
            return
        self.collections += 1
        if self.collections % self.every == 0 and not self.waiting \
                and self.now() > self.calm:
            self.waiting = True
            self.schedule()

    def swap(self):
        began = self.now()
        objects, remap, pause = gc.get_objects(), gc.remap, time.sleep
        for _ in range(PAIRS):
            pairs = self.choose(objects)
            if pairs is None:
                continue
            # Between the two remaps no Python code may run: it may be what is swapped.
            try:
                there = remap(pairs)
            except Exception as e:
                if "during a garbage collection" in str(e):
                    break
                self.refused += 1
                self.reasons[str(e)[:60]] += 1
                continue
            # Or the tests see it.  Theirs may be the __eq__ that fails, or that
            # changes the very table that is being repaired.
            left, waits = 20, 50_000
            while left:
                try:
                    remap(pairs)
                    break
                except Exception as e:
                    if "during a garbage collection" in str(e) and waits:
                        # Of another thread, which may make one after the other.
                        waits -= 1
                        pause(0.0002)
                        continue
                    left -= 1
                    if not left:
                        raise
            self.swaps += 1
            self.merged += there.collisions
        # With a thread that makes one collection after the other the test would
        # not get on.
        self.calm = 2 * self.now() - began
        self.waiting = False

    def choose(self, objects):
        """Two objects of one type, as the pairs of a swap."""
        for _ in range(20):
            kind = type(self.random.choice(objects))
            if kind.__name__ not in LEFT_ALONE and (
                    self.classes or not issubclass(kind, type)):
                same = [x for x in objects if type(x) is kind]
                if len(same) > 1:
                    a, b = self.random.sample(same, 2)
                    # The first remap makes an instance of gc.RemapResult, which the
                    # second could not make one of another class.
                    mine = (self, self.__dict__, objects, same, gc.remap,
                            gc.RemapResult)
                    if not any(x is y for x in (a, b) for y in mine) and not (
                            kind is types.FunctionType
                            and AUDIT_HOOK in (a.__name__, b.__name__)):
                        return [(a, b), (b, a)]
        return None


def run_here(options):
    """Runs one file in this process; the exit status is regrtest's."""
    storm = Storm(options.every, options.seed,
                  classes=COUNTS_CACHED not in options.files)
    from test.libregrtest.main import main
    # In the background of a shell it is ignored, which some tests do not expect.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.set_threshold(300, 5, 5)
    storm.start()
    try:
        # A second try would hide what the storm does.  TestLeaks of test_csv counts
        # all references, also of what is kept until C code has returned.  Another one
        # puts a len() into builtins that takes no list: the storm could not choose.
        sys.argv[1:] = ["--ignore", "TestLeaks",
                        "--ignore", "test_lru_reentrancy_with_len", *options.files]
        main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        gc.callbacks.clear()
        sys.stdout = sys.__stdout__
        print(f"storm: {storm.collections} collections, {storm.swaps} swaps "
              f"done twice, {storm.refused} refused, {storm.merged} keys merged",
              flush=True)
        if options.verbose:
            for reason, n in storm.reasons.most_common(10):
                print(f"  {n} x {reason}")


def run_once(options, name, seed):
    """One file in a process of its own: what it printed, its exit status."""
    command = [sys.executable, "-B", __file__, "--here",
               "--every", str(options.every), "--seed", str(seed),
               *(["--verbose"] if options.verbose else []), name]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=options.timeout)
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b"").decode(errors="replace"), "timeout"
    return done.stdout, done.returncode


def run_each(options):
    failed, swaps = [], 0
    for name in options.files or FILES:
        start = time.monotonic()
        for seed in range(options.seed, options.seed + TRIES):
            out, status = run_once(options, name, seed)
            lines = [x for x in out.splitlines() if x.startswith("storm: ")]
            # A crash is one, whatever was merged before.
            if status in (0, "timeout") or status < 0 or not lines \
                    or lines[-1].endswith(" 0 keys merged"):
                break
            print(f"{name}: again, with seed {seed + 1}: {lines[-1]}", flush=True)
        summary = lines[-1] if lines else "no swaps"
        if lines:
            swaps += int(lines[-1].split(", ")[1].split()[0])
        print(f"{name}: {'ok' if status == 0 else f'FAILS ({status})'}: "
              f"{summary} ({time.monotonic() - start:.0f} s)", flush=True)
        if options.verbose and lines:
            print(out[out.rindex("storm: "):])
        if status != 0:
            failed.append(name)
            print(out[-6000:], flush=True)
    print(f"storm: {len(options.files or FILES)} files, {swaps} swaps done "
          f"twice, seed {options.seed}, {len(failed)} fail"
          f"{': ' + ' '.join(failed) if failed else ''}")
    return 1 if failed or not swaps else 0


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="TEST_FILE")
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="swap at every N-th collection [default: 1]")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--timeout", type=int, default=900, metavar="SECONDS",
                        help="for one file")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true",
                        help="say why swaps were refused")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list:
        print(*FILES, sep="\n")
        return 0
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3))
    return run_here(options) if options.here else run_each(options)


if __name__ == "__main__":
    sys.exit(main())
