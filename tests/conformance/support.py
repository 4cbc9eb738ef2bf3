"""What the conformance tests of gc.remap() share.

A local variable that holds an old object is a reference like any other and
changes with the rest.  A test therefore keeps its old and new objects in a
Pairs object, which hands the list of pairs to gc.remap(): that list and its
pairs are the one place that is never changed.

RemapTestCase.remap() does not only call gc.remap(): it compares the reference
counts of every object in the pairs with what they must be, down to one.

main() runs a file's tests from a flat loop (no native frame lies between the
interpreter's entry and a test) and then runs each of them again: the total
reference count and the number of allocated blocks must come to rest.
"""

import array
import collections
import faulthandler
import gc
import subprocess
import sys
import sysconfig
import textwrap
import unittest
import weakref

DEBUG = hasattr(sys, "gettotalrefcount")
ASAN = "--with-address-sanitizer" in sysconfig.get_config_var("CONFIG_ARGS")
BUILD = "debug" if DEBUG else "asan" if ASAN else "release"

# sys.getrefcount() says this much or more of immortal objects.
IMMORTAL = 1 << 30


class Thing:
    """An object that is nothing but itself."""

    __slots__ = ("name", "__weakref__")

    def __init__(self, name="thing"):
        self.name = name

    def __repr__(self):
        return f"<{self.name}>"


class Key:
    """Equal and hashed by value."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        if not isinstance(other, Key):
            return NotImplemented
        return self.value == other.value

    def __hash__(self):
        return hash(("Key", self.value))

    def __repr__(self):
        return f"Key({self.value!r})"


def fresh_str(text):
    """An equal string that is not interned."""
    half = len(text) // 2
    return "".join([text[:half], text[half:]])


def fresh_int(digits=30):
    """An int that is no constant of any code."""
    return int("1" + "0" * digits)


class Pairs:
    """The (old, new) pairs of one remap: Pairs(old, new, old2, new2, ...)."""

    __slots__ = ("list",)

    def __init__(self, *objects):
        assert len(objects) % 2 == 0
        self.list = list(zip(objects[::2], objects[1::2]))

    @classmethod
    def things(cls, count=1):
        self = cls()
        self.list = [(Thing(f"old{i}"), Thing(f"new{i}")) for i in range(count)]
        return self

    @classmethod
    def swap(cls, a, b):
        return cls(a, b, b, a)

    @property
    def old(self):
        return self.list[0][0]

    @property
    def new(self):
        return self.list[0][1]

    def old_at(self, index):
        return self.list[index][0]

    def new_at(self, index):
        return self.list[index][1]

    def __len__(self):
        return len(self.list)


def external_refcounts(pairs):
    """{id: how many references there are besides those of the pairs}; None
    for immortal objects."""
    held = collections.Counter(
        id(x) for pair in {id(pair): pair for pair in pairs.list}.values()
        for x in pair)
    return {
        id(pair[side]): (
            None if sys.getrefcount(pair[side]) >= IMMORTAL
            # Less the argument of getrefcount().
            else sys.getrefcount(pair[side]) - 1 - held[id(pair[side])]
        )
        for pair in pairs.list
        for side in (0, 1)
    }


def own_references(obj):
    """How many references to itself a class keeps whatever happens to others:
    the first entry of its MRO and the owner of its own descriptors."""
    if not isinstance(obj, type):
        return 0
    mro = type.__dict__["__mro__"].__get__(obj)
    descriptors = type.__dict__["__dict__"].__get__(obj).values()
    return (sum(c is obj for c in mro)
            + sum(type(d).__name__ in ("getset_descriptor", "member_descriptor")
                  and d.__objclass__ is obj
                  for d in descriptors))


def collect():
    gc.collect()


class RemapTestCase(unittest.TestCase):

    maxDiff = None

    def remap(self, pairs, *, strict=False, left_behind=None, collisions=0,
              rehashed=None, dropped=0, references=None, kept=0):
        """Call gc.remap() and compare all the counts.

        left_behind     what the result must say (default: 0 for each pair)
        collisions      likewise
        rehashed        likewise, where it is certain
        dropped         how many references to the first new object go because
                        keys were merged; or {index of the pair: how many}
        references      references changed (default: as many as there were,
                        and the weak ones)
        kept            1 where native code that called Python code has not
                        returned yet: each old object is kept alive until then
        """
        if left_behind is None:
            left_behind = (0,) * len(pairs)
        if not isinstance(dropped, dict):
            dropped = {0: dropped}
        collect()
        before = external_refcounts(pairs)
        own = {id(x): own_references(x) for pair in pairs.list for x in pair}
        weak = sum(weakref.getweakrefcount(old)
                   for old in {id(old): old for old, new in pairs.list
                               if old is not new}.values())
        result = gc.remap(pairs.list, strict=strict)
        self.assertIsInstance(result, gc.RemapResult)
        collect()
        after = external_refcounts(pairs)

        expected = dict(before)
        moved = {}
        for index, (old, new) in enumerate(
                [(id(old), id(new)) for old, new in pairs.list]):
            if old == new or old in moved:
                continue
            stay = left_behind[index] + own[old]
            moved[old] = before[old] - stay
            expected[old] += kept - moved[old]
            if expected[new] is not None:
                expected[new] += moved[old]
        for index, count in dropped.items():
            if count:
                expected[id(pairs.new_at(index))] -= count
        if references is None and not any(own.values()):
            references = sum(moved.values()) + weak

        wrong = [
            f"{what} is {is_}, not {should_be}"
            for what, is_, should_be in (
                ("left_behind", result.left_behind, left_behind),
                ("collisions", result.collisions, collisions),
                ("rehashed", result.rehashed, rehashed),
                ("references", result.references, references),
                ("the reference count of (old, new)",
                 self.described(pairs, after),
                 self.described(pairs, expected)))
            if should_be is not None and is_ != should_be]
        if wrong:
            with self.subTest("gc.remap()"):
                self.fail("\n".join(wrong))
        return result

    @staticmethod
    def described(pairs, counts):
        """Counts in the order of the pairs."""
        return [(counts[id(old)], counts[id(new)]) for old, new in pairs.list]

    def refused(self, pairs, exception, regex=".", *, strict=False):
        """gc.remap() raises, and no reference count has changed."""
        collect()
        before = external_refcounts(pairs)
        caught = None
        try:
            gc.remap(pairs.list, strict=strict)
        except exception as exc:
            caught = f"{type(exc).__name__}: {exc}"
        collect()
        after = external_refcounts(pairs)
        self.assertIsNotNone(caught, f"{exception.__name__} not raised")
        self.assertRegex(caught, regex)
        self.assertEqual(
            self.described(pairs, after), self.described(pairs, before))
        return caught

    def reached(self, pairs):
        """Call gc.remap() where a type may not implement the slot, or may
        refuse: returns whether all references were changed.  If not, the
        result counts them, or nothing at all has changed."""
        collect()
        before = external_refcounts(pairs)
        result = None
        try:
            result = gc.remap(pairs.list)
        except TypeError:
            pass        # the exception itself refers to the objects
        collect()
        after = external_refcounts(pairs)
        if result is None:
            self.assertEqual(after, before)
            return False
        self.assertEqual(result.left_behind,
                         tuple(after[id(old)] for old, _ in pairs.list))
        return not any(result.left_behind)

    def assertDictSound(self, d):
        """Every key of the table is found, under its own hash."""
        self.assertEqual(len(list(d)), len(d))
        for key, value in list(d.items()):
            self.assertIn(key, d)
            self.assertIs(d[key], value)
        key = value = None

    def assertSetSound(self, s):
        self.assertEqual(len(list(s)), len(s))
        for item in list(s):
            self.assertIn(item, s)
        self.assertEqual(len(set(list(s))), len(s))


def run_script(test, source, *options):
    """Run a program of its own, which may crash; returns what it printed.
    The allocator spoils freed memory."""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "dev", "-W", "ignore", *options,
         "-c", textwrap.dedent(source)],
        capture_output=True, text=True, timeout=300)
    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout


# --- Running ------------------------------------------------------------------

def no_leak_check(reason):
    """The test (or all of a class) is not run again to compare totals; the
    reason says why."""
    assert reason

    def decorate(test):
        test.no_leak_check = reason
        return test
    return decorate


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


LONGEST_RUN = 900  # seconds
WARM_UP = 2
MOST_RUNS = 10


def settle():
    sys._clear_internal_caches()
    for _ in range(3):
        gc.collect()


def hunt(test):
    """Run a test again and again.  What is counted must rest for two runs in
    a row; returns None, or a text that says what kept growing."""
    measures = [("allocated blocks", sys.getallocatedblocks)]
    if DEBUG:
        measures.append(("references", sys.gettotalrefcount))
    # Arrays hold no references of their own.
    last = array.array("q", [0] * len(measures))
    resting = array.array("q", [0] * len(measures))
    history = [array.array("q", [0] * MOST_RUNS) for _ in measures]
    for run in range(MOST_RUNS):
        scratch = unittest.TestResult()
        test.run(scratch)
        if not scratch.wasSuccessful():
            return ("fails when it is run again:\n"
                    + "\n".join(text for _, text
                                in scratch.failures + scratch.errors))
        del scratch
        settle()
        for which in range(len(measures)):
            now = measures[which][1]()
            history[which][run] = now - last[which]
            grew = now > last[which]
            last[which] = now
            del now
            if run >= WARM_UP:
                resting[which] = 0 if grew else resting[which] + 1
        if min(resting) >= 2:
            return None
    return "; ".join(
        f"{name} keep growing: {list(history[which])[1:]}"
        for which, (name, _) in enumerate(measures) if resting[which] < 2)


def main():
    faulthandler.enable()
    # Threads that wait for each other show where, and then the run ends.
    faulthandler.dump_traceback_later(LONGEST_RUN, exit=True)
    arguments = sys.argv[1:]
    verbose = "-v" in arguments
    check_leaks = "--no-leaks" not in arguments
    wanted = [a for a in arguments if not a.startswith("-")]
    suite = unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])
    tests = [test for test in flatten(suite)
             if not wanted or any(w in test.id() for w in wanted)]
    del suite
    runner = unittest.TextTestRunner(verbosity=2 if verbose else 1)
    result = runner._makeResult()
    for test in tests:
        problems = len(result.failures) + len(result.errors)
        skipped = len(result.skipped)
        test.run(result)
        if (len(result.failures) + len(result.errors) > problems
                or len(result.skipped) > skipped or not check_leaks
                or hasattr(test, "no_leak_check")
                or hasattr(getattr(test, test._testMethodName),
                           "no_leak_check")):
            continue
        leaks = hunt(test)
        if leaks:
            try:
                raise AssertionError(leaks)
            except AssertionError:
                result.addFailure(test, sys.exc_info())
    result.printErrors()
    sys.stderr.flush()
    broken = len(result.failures) + len(result.errors)
    print(f"Ran {len(tests)} tests on a {BUILD} build: "
          f"{broken or 'no'} failures")
    sys.exit(1 if broken or not tests else 0)
