"""Whatever Python code does in the middle of a remap, all tables are in order after it.

Between the change of the references and the end of the repairs runs a __hash__, an
__eq__, a mro() or a finalizer.  Here it copies tables, makes others, files, looks up and
deletes keys, makes instances of classes whose hash changes, iterates, drops tables,
collects, and calls gc.remap() itself; in some remaps an exception is raised in the end.
Then each key of each table must be found, no two may be equal, the hash of a frozenset
must be that of its elements, and a table that such code has not touched must have
exactly the keys of before: the old ones if the remap has failed, else the new ones.

    python tests/fuzz/window.py                     # 1500 remaps
    python tests/fuzz/window.py --remaps 100000
    python tests/fuzz/window.py --seed 1 --only 17  # one of them again

The seed and the numbers of the remaps that leave something in disorder are printed.
An OrderedDict is neither made nor used in the middle: when keys of it have another hash
than its table knows, that can leave it with a circle, in any interpreter.
"""

import argparse
import collections
import copy
import faulthandler
import gc
import random
import sys
import time
import weakref

HANG = 60       # seconds for one remap
STEPS = 30      # in the middle of one


class Thing:
    """Hashed by identity."""


class Key:
    """Hashed by what it holds; Python code runs whenever it is hashed or compared."""

    act = staticmethod(lambda: None)

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        Key.act()
        return hash(self.value)

    def __eq__(self, other):
        Key.act()
        return type(other) is Key and self.value == other.value


class HashableSet(set):
    """Changes, although it is a key: in the middle of a remap only, and not while it is one."""

    def __hash__(self):
        return hash(frozenset(self))


class Meta(type):
    """Python code runs when a class has other bases."""

    def mro(cls):
        Key.act()
        return super().mro()


WRAPS = [
    lambda x: x,
    lambda x: Key(x),
    lambda x: (x, 1),
    lambda x: frozenset([x]),
    lambda x: frozenset([Key(x)]),
    lambda x: Key((Key(x), 2)),
    lambda x: Key(frozenset([Key(x)])),
    lambda x: frozenset([frozenset([Key(x)]), 3]),
    lambda x: weakref.ref(x),
    lambda x: weakref.ref(x),
]


def by_key(keys):
    return weakref.WeakKeyDictionary(
        {key: 1 for key in keys if isinstance(key, Key)})


KINDS = [
    collections.OrderedDict.fromkeys, dict.fromkeys, set, frozenset,
    lambda keys: collections.defaultdict(int, dict.fromkeys(keys)),
    by_key,
]


class Remap:
    """One remap, with what goes on in the middle of it."""

    def __init__(self, rng):
        self.rng = rng
        self.old = [Thing() for _ in range(4)]
        self.new = [Thing() for _ in range(4)]
        self.pairs = [*zip(self.old, self.new)]
        self.merges = rng.random() < 0.2
        if self.merges:
            self.new[1] = self.new[0]
            self.pairs[1] = self.old[1], self.new[0]
        self.classes = []
        if rng.random() < 0.4:
            self.add_class()
        self.keys = [self.key(rng.choice(self.old))
                     for _ in range(rng.randrange(3, 12))] + [1, "a", "b"]
        self.keys += [cls() for cls in self.classes for _ in range(2)]
        self.tables = [self.table(KINDS) for _ in range(rng.randrange(1, 8))]
        self.made = []
        self.iterators = []
        self.touched = set()
        self.busy = False
        self.failed = False
        self.failure_rate = rng.choice([0, 0, 0.03, 0.1])
        self.steps = 0
        # Finalizers run in the middle, too.
        self.finalized = 0

    def add_class(self):
        class Former:
            pass

        class Latter:
            def __hash__(self):
                return 42

            def __eq__(self, other):
                return self is other

        make = Meta if self.rng.random() < 0.5 else type
        self.classes.append(make("Instance", (Former,), {}))
        self.pairs.append((Former, Latter))

    def key(self, thing):
        key = self.rng.choice(WRAPS)(thing)
        if self.rng.random() < 0.4:
            hash(key)
        return key

    def table(self, kinds):
        keys = self.rng.sample(self.keys, self.rng.randrange(1, len(self.keys)))
        return self.rng.choice(kinds)(keys)

    def any_table(self):
        tables = [table for table in self.tables + self.made
                  if not isinstance(table, collections.OrderedDict)]
        return self.rng.choice(tables) if tables else set()

    def touch(self, table):
        self.touched.add(id(table))
        return table

    # What goes on in the middle.

    def act(self):
        if self.busy:
            return
        self.busy = True
        try:
            # Not for ever: each table that is made is hashed in turn, and what is changed
            # while it is repaired, again and again, is given up in the end.
            if self.steps < STEPS and self.rng.random() < 0.3:
                self.steps += 1
                self.step()
            if not self.failed and self.rng.random() < self.failure_rate:
                self.failed = True
                raise ZeroDivisionError
        finally:
            self.busy = False

    def step(self):
        act = self.rng.choice([
            self.make, self.copy, self.copy, self.add, self.add, self.add, self.discard,
            self.clear, self.nest, self.hash_all, self.iterate, self.go_on, self.drop,
            self.collect, self.remap, self.instance, self.finalize,
        ])
        try:
            act()
        except (KeyError, RuntimeError, StopIteration):
            pass
        except TypeError:
            pass    # the hash of a weak reference to what has gone

    def make(self):
        self.made.append(self.table(KINDS[1:]))

    def copy(self):
        table = self.any_table()
        how = [copy.copy]
        if not isinstance(table, weakref.WeakKeyDictionary):
            how += [set, frozenset, dict.fromkeys]
        self.made.append(self.rng.choice(how)(table))

    def changing(self):
        table = self.any_table()
        if isinstance(table, (frozenset, weakref.WeakKeyDictionary,
                              HashableSet)):
            raise KeyError
        return self.touch(table)

    def add(self):
        table, key = self.changing(), self.rng.choice(self.keys)
        if isinstance(table, set):
            table.add(key)
        else:
            table[key] = self.rng.choice([1, 2, Finalized(self)])

    def discard(self):
        table, key = self.changing(), self.rng.choice(self.keys)
        if isinstance(table, set):
            table.discard(key)
        else:
            table.pop(key, None)

    def clear(self):
        self.changing().clear()

    def nest(self):
        """Sets that are keys of each other, made from the outermost inwards."""
        sets = [HashableSet() for _ in range(self.rng.randrange(2, 25))]
        sets[-1].add(self.rng.choice(self.keys))
        for outer, inner in [*zip(sets, sets[1:])][::-1]:
            outer.add(inner)
        self.made += sets

    def hash_all(self):
        for key in self.keys:
            hash(key)

    def iterate(self):
        self.iterators.append(iter(self.any_table()))

    def go_on(self):
        if self.iterators:
            next(self.rng.choice(self.iterators))

    def drop(self):
        tables = self.rng.choice([self.tables, self.made])
        if tables:
            del tables[self.rng.randrange(len(tables))]

    def collect(self):
        gc.collect(self.rng.randrange(3))

    def remap(self):
        gc.remap({Thing(): Thing()})

    def instance(self):
        for cls in self.classes:
            self.keys.append(cls())
        self.keys.append(self.key(self.rng.choice(self.new)))

    def finalize(self):
        Finalized(self)

    # The remap, and what is to hold after it.

    def run(self):
        """What is in disorder."""
        before = {id(table): [*map(id, self.items(table))] for table in self.tables}
        names = {id(old): id(new) for old, new in self.pairs}
        Key.act = self.act
        try:
            gc.remap(self.pairs)
            done = True
        except (ZeroDivisionError, RuntimeError):
            done = False
        finally:
            Key.act = lambda: None
        self.done = done
        self.iterators.clear()
        for table in self.tables + self.made:
            yield from self.check(table)
        for table in self.tables:
            if id(table) in self.touched or done and self.merges:
                continue
            keys = before[id(table)]
            if done:
                keys = [names.get(key, key) for key in keys]
            if [*map(id, self.items(table))] != keys and not isinstance(
                    table, (set, frozenset)):
                yield f"{type(table).__name__} has other keys"

    def items(self, table):
        if isinstance(table, weakref.WeakKeyDictionary):
            table = table.data
        return [*table]

    def check(self, table):
        name = type(table).__name__
        if isinstance(table, weakref.WeakKeyDictionary):
            table = table.data
        keys = [*table]
        if len(keys) != len(table):
            yield f"{name} of {len(table)} has {len(keys)} keys"
        lost = [type(key).__name__ for key in keys if key not in table]
        if lost:
            yield f"{name} does not find {', '.join(lost)}"
        if any(a == b for i, a in enumerate(keys) for b in keys[:i]):
            yield f"{name} has equal keys"
        if isinstance(table, frozenset) and hash(table) != hash(frozenset(keys)):
            yield f"{name} has another hash than its elements"


class Finalized:
    """Its finalizer does something, too."""

    def __init__(self, remap):
        self.remap = remap

    def __del__(self):
        remap = self.remap
        if not remap.busy and remap.finalized < 20:
            remap.finalized += 1
            remap.busy = True
            try:
                remap.step()
            finally:
                remap.busy = False


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(10 ** 6))
    parser.add_argument("--remaps", type=int, default=1500,
                        help="how many remaps to make (default: %(default)s)")
    parser.add_argument("--only", type=int, metavar="N",
                        help="make the remap with this number only")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    numbers = range(args.remaps) if args.only is None else [args.only]
    begin = time.monotonic()
    done = failed = touched = 0
    problems = 0
    for number in numbers:
        # On a hang, the last line says which.
        faulthandler.dump_traceback_later(HANG, exit=True)
        remap = Remap(random.Random(f"{args.seed}.{number}"))
        for problem in remap.run():
            problems += 1
            print(f"remap {number}, {'done' if remap.done else 'undone'}: {problem}",
                  flush=True)
        done += remap.done
        failed += not remap.done
        touched += len(remap.touched) + len(remap.made)
    faulthandler.cancel_dump_traceback_later()
    print(f"{done} remaps done, {failed} undone, {touched} tables made or changed "
          f"meanwhile, {time.monotonic() - begin:.1f} s")
    print(f"window: {len(numbers)} remaps, seed {args.seed}: {problems} problems")
    return problems != 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
