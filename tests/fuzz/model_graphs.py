"""Random graphs, and smaller ones."""

import random

from model_contract import Hashes, linearised, rebuilt
from model_kinds import (
    CACHES, CALLABLE, CLASSES, KINDS, MAPPINGS, WEAK_TABLES, WEAKLY)

OPTIONAL = "bAhKst"     # where an int will do
WEIGHTS = {"thing": 6, "tuple": 5, "frozenset": 4, "dict": 4, "key": 3,
           "set": 3, "list": 2, "ordered": 2, "class": 0.5, "valueclass": 0.7,
           "instance": 2, "through": 0.6, "constant": 0.6, "error": 0.6,
           "slotted": 0.6, "cell": 0.6, "generator": 0.6, "partial": 0.6}


def allows(nodes, hashes, n, letter, edge):
    """May a node have this edge?"""
    if letter == "I":
        return edge == n
    if letter in "st" and edge < 0:
        return edge == ~0
    if edge < 0:
        return letter == "n" or letter in OPTIONAL
    if edge >= (n if letter.islower() else len(nodes)):
        return False
    name = nodes[edge][0]
    match letter:
        case "b" | "A":
            return True
        case "h" | "K":
            return hashes.hashable(edge)
        case "Q":
            return name in WEAKLY and hashes.hashable(edge)
        case "w":
            return name in WEAKLY and name not in WEAK_TABLES
        case "V":
            return name in WEAKLY
        case "f":
            return name in CALLABLE
        case "m":
            return name in MAPPINGS
        case "c":
            return name in CLASSES
        case "s":
            return name == "class"
        case "t":
            return name == "valueclass"
        case "X":
            return name == "variable"
    return False


def valid(nodes):
    """Can the heap be built?"""
    hashes = Hashes(nodes)
    shared = set()
    for n, (name, edges) in enumerate(nodes):
        kind = KINDS[name]
        if len(edges) < len(kind.fixed):
            return False
        for letter, edge in zip(kind.letters(len(edges)), edges):
            if not allows(nodes, hashes, n, letter, edge):
                return False
        if name == "ref":
            # weakref.ref() would return the one that there is.
            if edges[0] in shared:
                return False
            shared.add(edges[0])
        if kind.table and rebuilt(name, edges, hashes)[1]:
            return False
        if name in CLASSES and (edges[0] < 0 <= edges[1]
                                or linearised(nodes, n) is None):
            return False
        if name in CACHES and len({hashes(e) for e in edges[::2]}) < len(
                edges) // 2:
            return False
    return True


class Generator:

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.nodes = []
        self.hashes = Hashes(self.nodes)

    def graph(self):
        rng, nodes = self.rng, self.nodes
        names = [*KINDS]
        weights = [WEIGHTS.get(name, 1) for name in names]
        size = 4 + min(int(rng.expovariate(0.1)), 40)
        for name in rng.choices(names, weights, k=size):
            if not (rng.random() < 0.15 and self.twin()):
                self.early(name)
        for n, (name, edges) in enumerate(nodes):
            self.late(n, KINDS[name], edges)
        pauses = {n: rng.randrange(3) for n in range(size)
                  if rng.random() < 0.05}
        steps = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            if steps and rng.random() < 0.5:
                # Back again, if it was a swap.
                steps.append(([(b, a) for a, b in steps[-1][0]]
                              if len({b for _, b in steps[-1][0]})
                              == len(steps[-1][0]) else steps[-1][0],
                              self.options()))
            else:
                pairs = self.pairs()
                if pairs:
                    steps.append((pairs, self.options()))
        return nodes, pauses, steps

    def early(self, name):
        """A new node, with the edges that it needs to be made."""
        n = len(self.nodes)
        kind = KINDS[name]
        letters = [c for c in kind.fixed if c.islower()]
        if kind.early is None:
            letters += kind.group * self.rng.randrange(4)
        edges = [self.edge(n, letter) for letter in letters]
        if None in edges or name == "ref" and (name, edges) in self.nodes:
            name, edges = "thing", []
        self.nodes.append((name, edges))
        if name in CLASSES and (edges[0] < 0 <= edges[1]
                                or linearised(self.nodes, n) is None):
            self.nodes[n] = (name, [~0, ~0])
        elif name == "frozenset":
            self.nodes[n] = (name, rebuilt(name, edges, self.hashes)[0])

    def twin(self):
        """A new node that is equal to another, or will be."""
        n = len(self.nodes)
        name, edges = self.nodes[self.rng.randrange(n)] if n else ("ref", [])
        if KINDS[name].hash != "value" or name in ("ref", "frozenset"):
            return False
        edges = edges[:]
        if self.rng.random() < 0.7:
            at = self.rng.randrange(len(edges))
            edge = self.edge(n, KINDS[name].letters(len(edges))[at])
            edges[at] = edges[at] if edge is None else edge
        self.nodes.append((name, edges))
        return True

    def late(self, n, kind, edges):
        """The other edges of a node."""
        if kind.early is None:
            return
        edges += [self.edge(n, letter) for letter in kind.fixed[kind.early:]]
        for _ in range(self.rng.randrange(5) if kind.group else 0):
            item = [self.edge(n, letter) for letter in kind.group]
            if None not in item:
                edges += item
        name = self.nodes[n][0]
        if kind.table:
            edges[:] = rebuilt(name, edges, self.hashes)[0]
        elif name in CACHES:
            known = {self.hashes(edges[at]): edges[at:at + 2]
                     for at in range(0, len(edges), 2)}
            edges[:] = [edge for item in known.values() for edge in item]

    def edge(self, n, letter):
        rng = self.rng
        if letter == "I":
            return n
        if letter == "n":
            return ~rng.randrange(3)
        other = None
        if letter in OPTIONAL:
            other = ~0 if letter in "st" else ~rng.randrange(3)
            if rng.random() < 0.1:
                return other
        limit = n if letter.islower() else len(self.nodes)
        for _ in range(8 if limit else 0):
            edge = limit - 1 - int(rng.random() ** 2 * limit)
            if allows(self.nodes, self.hashes, n, letter, edge):
                return edge
        return other

    def options(self):
        rng = self.rng
        options = {}
        if rng.random() < 0.3:
            options["collect"] = rng.randrange(3)
        if rng.random() < 0.2:
            options["again"] = rng.randrange(3)
        if rng.random() < 0.1:
            options["fuse"] = 1 + int(rng.expovariate(0.3))
        if rng.random() < 0.2:
            options["strict"] = True
        if rng.random() < 0.4:
            options["as"] = rng.choice(("list", "dict"))
        return options

    def old(self):
        """A node, rather one that something refers to."""
        n = self.rng.randrange(len(self.nodes))
        edges = [edge for edge in self.nodes[n][1] if edge >= 0]
        return self.rng.choice(edges) if edges else n

    def new(self, *olds):
        """A node that fits in their places, mostly."""
        careless = self.rng.random() < 0.01
        for _ in range(12):
            n = self.rng.randrange(len(self.nodes))
            if n not in olds and all(
                    [self.fits(old, n, careless) for old in olds]):
                return n
        return None

    def fits(self, old, new, careless=False):
        name, other = self.nodes[old][0], self.nodes[new][0]
        if careless:
            # What a class says about the hashes of instances is not followed.
            return name == other or not {name, other} <= CLASSES
        if name in CLASSES or name == "variable":
            return name == other
        return all([other in group for group in (WEAKLY, CALLABLE, MAPPINGS)
                    if name in group]) and (
            not self.hashes.hashable(old) or self.hashes.hashable(new))

    def pairs(self):
        a = self.old()
        how = self.rng.choice(("one", "one", "swap", "rotation", "merge",
                               "chain", "many"))
        b = self.new(a)
        if b is None:
            return []
        pairs = [(a, b)]
        match how:
            case "swap":
                if self.fits(b, a):
                    pairs.append((b, a))
            case "rotation" | "chain":
                c = self.new(b, a) if how == "rotation" else self.new(b)
                if c not in (None, a):
                    pairs.append((b, c))
                    if how == "rotation" and self.fits(c, a):
                        pairs.append((c, a))
            case "merge":
                c = self.old()
                if c not in (a, b) and self.fits(c, b):
                    pairs.append((c, b))
            case "many":
                for _ in range(self.rng.randrange(1, 6)):
                    c = self.old()
                    d = self.new(c)
                    if d is not None and c not in [x for x, _ in pairs]:
                        pairs.append((c, d))
        if self.rng.random() < 0.05:
            c = self.old()
            if c not in [x for x, _ in pairs]:
                pairs.append((c, c))
        self.rng.shuffle(pairs)
        return pairs


def generate(seed, number):
    return Generator(f"{seed}/{number}").graph()


def without(nodes, pauses, steps, gone):
    """The graph without a node; None if another needs it."""
    number = {n: n - (n > gone) for n in range(len(nodes))}
    kept = []
    for n, (name, edges) in enumerate(nodes):
        if n == gone:
            continue
        for at in reversed(range(len(edges))):
            if edges[at] == gone:
                edges = cut(name, edges, at)
                if edges is None:
                    return None
        kept.append((name, [number.get(edge, edge) for edge in edges]))
    return (kept, {number[n]: pauses[n] for n in pauses if n != gone},
            [([(number[a], number[b]) for a, b in pairs
               if gone not in (a, b)], options) for pairs, options in steps])


def cut(name, edges, at):
    """The edges without one of them."""
    if at >= len(edges):
        return edges
    kind = KINDS[name]
    if kind.letters(len(edges))[at] in OPTIONAL:
        return edges[:at] + [~0] + edges[at + 1:]
    return cut_item(name, edges, at)


def cut_item(name, edges, at):
    kind = KINDS[name]
    past = at - len(kind.fixed)
    if past < 0:
        return None
    at -= past % len(kind.group)
    return edges[:at] + edges[at + len(kind.group):]


def smaller(nodes, pauses, steps):
    """Graphs with a little less, the boldest steps first."""
    for at in range(len(steps)):
        yield nodes, pauses, steps[:at] + steps[at + 1:]
    for n in reversed(range(len(nodes))):
        yield without(nodes, pauses, steps, n)
    if pauses:
        yield nodes, {}, steps
    for at, (pairs, options) in enumerate(steps):
        for less in ([(pairs[:i] + pairs[i + 1:], options)
                      for i in range(len(pairs))]
                     + [(pairs, {k: v for k, v in options.items()
                                 if k != name}) for name in options]):
            yield nodes, pauses, steps[:at] + [less] + steps[at + 1:]
    for n, (name, edges) in enumerate(nodes):
        others = [("thing", [])] if name != "thing" else []
        for at in reversed(range(len(edges))):
            others.append((name, cut_item(name, edges, at)))
            if edges[at] != ~0:
                others.append((name, cut(name, edges, at)))
        for node in others:
            if node[1] is not None:
                yield nodes[:n] + [node] + nodes[n + 1:], pauses, steps
