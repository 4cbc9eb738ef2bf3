"""Run a module of tests; on a debug build each of them again and again, to see
that no reference is lost or left."""

import gc
import sys
import unittest

ROUNDS = 10
TRIES = 30


def cases(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from cases(test)
        else:
            yield test


def leaked(test):
    """Caches of the interpreter fill up at first; a leak is one each round."""
    method = getattr(test, test._testMethodName)
    for _ in range(TRIES):
        gc.collect()
        before = sys.gettotalrefcount()
        for _ in range(ROUNDS):
            method()
        gc.collect()
        difference = sys.gettotalrefcount() - before
        if abs(difference) < ROUNDS:
            return 0
    return difference


def main(name):
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    tests = list(cases(suite))
    # Not suite.run(): it calls the tests through C code, and then gc.remap() keeps
    # old objects until that code has returned.
    runner = unittest.TextTestRunner(verbosity=0)
    result = runner._makeResult()
    for test in tests:
        test.run(result)
    result.printErrors()
    if not result.wasSuccessful() or not result.testsRun:
        sys.exit(1)
    if hasattr(sys, "gettotalrefcount"):
        leaks = {test.id(): leaked(test) for test in tests}
        leaks = {name: count for name, count in leaks.items() if count}
        if leaks:
            sys.exit(f"references leaked in {ROUNDS} rounds: {leaks}")


if __name__ == "__main__":
    main(sys.argv[1])
