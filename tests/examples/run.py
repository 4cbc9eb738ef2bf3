"""Run a module of tests; on a debug build again and again, to see that no
reference is lost or left."""

import gc
import sys
import unittest

ROUNDS = 5


def run(name):
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    if not result.wasSuccessful() or not result.testsRun:
        sys.exit(1)


def main(name):
    run(name)
    if not hasattr(sys, "gettotalrefcount"):
        return
    deltas = [0] * ROUNDS
    before = after = 0
    for i in range(-3, ROUNDS):
        run(name)
        gc.collect()
        after = sys.gettotalrefcount()
        deltas[i] = after - before
        before = after
    # A single one is a cache that has been filled.
    if sum(1 for delta in deltas if delta != 0) > 1:
        sys.exit(f"{name} leaks references: {deltas}")


if __name__ == "__main__":
    main(sys.argv[1])
