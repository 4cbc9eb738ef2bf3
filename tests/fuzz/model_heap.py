"""The heap of a graph: built, remapped, compared with what it should be."""

import gc
import sys
import weakref

from model_contract import Hashes, Outcome, linearised
from model_kinds import (
    CLASSES, KINDS, UNORDERED, WEAK, WEAK_TABLES, WEAKLY, Boom, Fuse)


LARGE_SET = {*range(1000, 1500)}
LARGE_DICT = dict.fromkeys(LARGE_SET)


class Problem(Exception):
    """The heap is not what it should be."""


class Heap:
    """The objects of a description.

    A local variable that holds an old object is changed like any other.  The
    objects are in one list, which counts as a reference to each; what it
    loses comes back from the pairs.
    """

    def __init__(self, nodes, pauses):
        self.nodes = nodes
        self.alive = []
        for n, (name, edges) in enumerate(nodes):
            self.make(KINDS[name], edges)
            if n in pauses:
                gc.collect(pauses[n])
        for fill_tables in (False, True):
            for n, (name, edges) in enumerate(nodes):
                kind = KINDS[name]
                if kind.fill and bool(kind.table) == fill_tables:
                    kind.fill(self.alive[n], *self.objects(
                        edges[kind.early or 0:]))
        self.ids = {}
        for n in range(len(nodes)):
            self.ids[id(self.alive[n])] = n
        if len(self.ids) != len(nodes):
            raise ValueError("two nodes are one object")

    def make(self, kind, edges):
        self.alive.append(kind.make(*self.objects(edges[:kind.early])))

    def objects(self, edges):
        return [~edge if edge < 0 else self.alive[edge] for edge in edges]

    def read(self, n, count):
        """The edges of an object."""
        name = self.nodes[n][0]
        kind = KINDS[name]
        if kind.read is None:
            return []
        return [self.label(x) for x in kind.read(self.alive[n], count)]

    def label(self, x):
        found = self.ids.get(id(x))
        if found is None:
            return ~x if type(x) is int else f"{type(x).__name__} object"
        return found

    def compare(self, nodes, either=None):
        """With what should be there.  Without either, sets are in their
        order; else it is taken over."""
        settled = []
        for n, (name, edges) in enumerate(nodes):
            found = self.read(n, len(edges))
            same = found == edges
            if not same and either is not None:
                same = found in either.get(n, ()) or (
                    name in UNORDERED
                    and items(name, found) == items(name, edges))
            if not same:
                raise Problem(f"{n} is {name} {found}, not {edges}")
            settled.append((name, found))
        self.nodes = settled
        self.compare_counts()
        self.compare_lookups()

    def compare_counts(self):
        strong = [1] * len(self.nodes)
        weak = [0] * len(self.nodes)
        for name, edges in self.nodes:
            for letter, edge in zip(KINDS[name].letters(len(edges)), edges):
                if edge >= 0:
                    (weak if letter in WEAK else strong)[edge] += copies(
                        name, letter, self.nodes[edge][0])
        for n, (name, _) in enumerate(self.nodes):
            if name in CLASSES:
                # Has references of its own.
                continue
            # Less the argument of getrefcount().
            found = sys.getrefcount(self.alive[n]) - 1
            if found != strong[n]:
                raise Problem(f"{n} ({name}) has {found} references, "
                              f"not {strong[n]}")
            found = weakref.getweakrefcount(self.alive[n])
            if found != weak[n]:
                raise Problem(f"{n} ({name}) has {found} weak references, "
                              f"not {weak[n]}")

    def compare_lookups(self):
        hashes = Hashes(self.nodes)
        for n, (name, edges) in enumerate(self.nodes):
            size = KINDS[name].table
            if size:
                start = KINDS[name].start
                self.look_up(n, {hashes(edges[at]): edges[at + size - 1]
                                 for at in range(start, len(edges), size)},
                             hashes, size)
            if name == "frozenset":
                if hash(self.alive[n]) != hash(frozenset([*self.alive[n]])):
                    raise Problem(f"hash of {n} ({name})")
            elif name == "ordered":
                if [*reversed(self.alive[n])] != [*self.alive[n]][::-1]:
                    raise Problem(f"reversed {n} ({name})")
            elif name in CLASSES:
                self.look_at_class(n)

    def look_up(self, n, expected, hashes, size):
        """Everything hashable is found in the table, or not."""
        name = self.nodes[n][0]
        table = self.alive[n]
        if len(table) != len(expected):
            raise Problem(f"length of {n} ({name})")
        spread = spread_out(table)
        for edge in range(-3, len(self.nodes)):
            if not (hashes.hashable(edge)
                    and self.may_be_key(name, edge)):
                continue
            number = hashes(edge)
            key = ~edge if edge < 0 else self.alive[edge]
            if (key in table) != (number in expected):
                raise Problem(f"{edge} in {n} ({name}): {key in table}")
            if (key in spread) != (number in expected):
                raise Problem(f"hash of {edge} in {n} ({name})")
            if size == 2 and number in expected:
                found = self.label(table[key])
                if found != expected[number]:
                    raise Problem(f"{n} ({name}) [{edge}] is {found}, "
                                  f"not {expected[number]}")

    def may_be_key(self, name, edge):
        if name in WEAK_TABLES:
            return edge >= 0 and self.nodes[edge][0] in WEAKLY
        return name != "context" or (
            edge >= 0 and self.nodes[edge][0] == "variable")

    def look_at_class(self, n):
        cls = self.alive[n]
        found = [self.ids[id(c)] for c in cls.__mro__ if id(c) in self.ids]
        if found != linearised(self.nodes, n):
            raise Problem(f"MRO of {n}: {found}")
        found = sorted([self.label(c) for c in cls.__subclasses__()])
        if found != sorted([m for m, (name, edges) in enumerate(self.nodes)
                            if name in CLASSES and n in edges[:2]]):
            raise Problem(f"subclasses of {n}: {found}")

    def pairs(self, numbers, how):
        """What is passed to gc.remap(), which does not change it."""
        if how == "dict":
            hashes = Hashes(self.nodes)
            if len({hashes(a) for a, _ in numbers
                    if hashes.hashable(a)}) == len(numbers):
                return {self.alive[a]: self.alive[b] for a, b in numbers}
        return [[self.alive[a], self.alive[b]] if how == "list" else
                (self.alive[a], self.alive[b]) for a, b in numbers]

    def step(self, numbers, options, counts):
        """One remap, and the comparison; false if that is all one can say."""
        outcome = Outcome(self.nodes, numbers)
        if options.get("as") == "dict":
            outcome.mapping()
        pairs = self.pairs(numbers, options.get("as"))
        if "collect" in options:
            gc.collect(options["collect"])
        result = raised = text = None
        Fuse.left = options.get("fuse", 0)
        try:
            result = gc.remap(pairs, strict=options.get("strict", False)
                              and not outcome.may_leave)
        except (TypeError, RuntimeError, Boom) as e:
            raised = type(e)
            text = f"{raised.__name__}: {e}"
        blown = "fuse" in options and not Fuse.left
        Fuse.left = 0
        counts["remaps"] += 1
        if raised is None:
            self.alive_again(pairs, numbers, outcome.changed)
            pairs.clear()
            counts["collisions"] += outcome.collisions
            if outcome.refused is not None or blown:
                raise Problem(f"not refused: {outcome.refused or 'raised'}")
            counts["unsure"] += outcome.undefined
            if not outcome.undefined:
                self.compare(outcome.nodes, outcome.either)
                self.compare_result(result, outcome)
                if "again" in options:
                    gc.collect(options["again"])
                    self.compare(self.nodes)
            return not outcome.undefined
        pairs.clear()
        counts["blown" if raised is Boom else "refused"] += 1
        self.compare(self.nodes)
        if not (raised is Boom and blown or outcome.refused is not None
                or outcome.may_refuse or outcome.undefined):
            raise Problem(f"refused: {text}")
        return True

    def alive_again(self, pairs, numbers, changed):
        for n in range(len(self.alive)):
            found = self.ids.get(id(self.alive[n]))
            if found != changed.get(n, n):
                raise Problem(f"{n} has become {found}")
        at = 0
        for pair in pairs:
            self.alive[numbers[at][0]] = pair if type(pairs) is dict else (
                pair[0])
            at += 1

    def compare_result(self, result, outcome):
        more = result.collisions - outcome.collisions
        if not 0 <= more <= outcome.more_collisions:
            raise Problem(f"{result.collisions} collisions, "
                          f"not {outcome.collisions}")
        if result.rehashed < outcome.rehashed:
            raise Problem(f"{result.rehashed} tables rehashed, "
                          f"not {outcome.rehashed}")
        if not outcome.may_leave and any([*result.left_behind]):
            raise Problem(f"left behind {result.left_behind}")
        if any([outcome.before[n][0] in CLASSES for n in outcome.changed]):
            # Has references of its own.
            return
        expected = len(outcome.changed) + sum([
            copies(name, letter, outcome.before[edge][0])
            for name, edges in outcome.before
            for letter, edge in zip(KINDS[name].letters(len(edges)), edges)
            if edge in outcome.changed])
        if result.references != expected:
            raise Problem(f"{result.references} references changed, "
                          f"not {expected}")


def spread_out(table):
    """A large table with the keys of a small one, and the hashes that it
    remembers: in a small one a key may be found by chance."""
    if type(table) in (set, frozenset):
        spread = LARGE_SET.copy()
        spread.update(table)
    elif isinstance(table, dict) and not hasattr(table, "move_to_end"):
        spread = LARGE_DICT.copy()
        dict.update(spread, table)
    else:
        spread = table
    return spread


def copies(name, letter, of):
    """How many references an edge is."""
    # The keys of an OrderedDict are in a dict and in a list, and so are those
    # of a cache; all but a str or an int are in one tuple, which is.
    return 2 if letter == "K" and (
        name == "ordered" or name == "lru" and of in ("text", "number")) else 1


def items(name, edges):
    """Of a table without an order."""
    start, size = KINDS[name].start, KINDS[name].table
    return edges[:start], sorted([
        [str(edge) for edge in edges[at:at + size]]
        for at in range(start, len(edges), size)])
