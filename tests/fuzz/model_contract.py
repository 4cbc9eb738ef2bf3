"""The contract of gc.remap(), for graphs that are described by numbers.

A node is (kind, edges).  See model_kinds.py for the kinds, and Outcome for
what is said of a remap.
"""

from model_kinds import (
    CACHES, CALLABLE, CLASSES, IMMUTABLE, KINDS, LOOKED_INTO, MAPPINGS, WEAK,
    WEAKLY)


class Unhashable(Exception):
    """Or hashed by itself."""


class Undefined(Unhashable):
    """Hashed by a frozenset that holds it, which does not ask for the hashes
    of its items again."""


class Hashes:
    """Numbers for nodes: equal if, and only if, the objects are equal."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.known = {}         # node to number, or to why it has none
        self.path = []          # nodes that are looked at
        self.numbers = {}       # what is equal to number

    def __call__(self, edge):
        number = self.known.get(edge)
        if number is None:
            number = self.known[edge] = self.number(edge)
        if type(number) is not int:
            raise number
        return number

    def number(self, edge):
        if edge in self.path:
            around = [self.nodes[n][0]
                      for n in self.path[self.path.index(edge):]]
            return Undefined if "frozenset" in around else Unhashable
        self.path.append(edge)
        try:
            struct = (~edge,) if edge < 0 else self.struct(edge)
        except Unhashable as e:
            return type(e)
        finally:
            self.path.pop()
        return self.numbers.setdefault(struct, len(self.numbers))

    def struct(self, n):
        name, edges = self.nodes[n]
        how = KINDS[name].hash
        if how is None:
            raise Unhashable
        if name == "instance" and self.nodes[edges[0]][0] == "valueclass":
            return name, edges[0], self(edges[1])
        if how == "identity" or name == "instance":
            return "identity", n
        if name == "constant":
            return name, "is", edges[0]
        if name == "method":
            return name, edges[1], self(edges[0])
        parts = [self(edge) for edge in self.parts(name, edges)]
        if name == "frozenset":
            return name, frozenset(parts)
        return {"subtuple": "tuple", "subref": "ref", "callref": "ref"}.get(
            name, name), *parts

    def parts(self, name, edges):
        return edges[:1] if name in ("key", "slotkey") else edges

    def hashable(self, edge):
        try:
            self(edge)
        except Unhashable:
            return False
        return True


def held(nodes, n):
    return nodes[n][1]


def held_by_hash(nodes, n):
    """The nodes that the hash of one certainly depends on."""
    name, edges = nodes[n]
    if KINDS[name].hash != "value" or (
            name == "instance" and nodes[edges[0]][0] == "class"):
        return []
    return edges


def touched(changed, nodes, held_by):
    """The nodes that hold a changed one, at any depth."""
    found = set(changed)
    while True:
        more = {n for n in range(len(nodes)) if n not in found
                and not found.isdisjoint(held_by(nodes, n))}
        if not more:
            return found
        found |= more


def keys_of(nodes, n):
    """The keys of a table or cache."""
    name, edges = nodes[n]
    return edges[KINDS[name].start::KINDS[name].table or 2]


def rebuilt(name, edges, hashes):
    """A table as if its items had been inserted in order; how many merged."""
    size = KINDS[name].table
    start = KINDS[name].start
    out, where, merged = edges[:start], {}, 0
    for at in range(start, len(edges), size):
        item = edges[at:at + size]
        number = hashes(item[0])
        if number in where:
            merged += 1
            # The first key with the last value.
            out[where[number] + 1:where[number] + size] = item[1:]
        else:
            where[number] = len(out)
            out += item
    return out, merged


def holds_itself(nodes, starts, through):
    """Do nodes reach themselves through nodes of these kinds?"""
    done, path = set(), set()

    def visit(n):
        if n < 0 or n in done or nodes[n][0] not in through:
            return False
        if n in path:
            return True
        path.add(n)
        name, edges = nodes[n]
        # Its keywords are in a dict.
        found = any([visit(edge) for edge in edges[name == "partial":]])
        path.discard(n)
        done.add(n)
        return found
    return any([visit(n) for n in starts])


def bases_of(nodes, n):
    return [edge for edge in nodes[n][1][:2] if edge >= 0]


def ancestors(nodes, n):
    """The classes that one inherits from: itself only in a circle."""
    found = set()
    more = bases_of(nodes, n)
    while more:
        base = more.pop()
        if base not in found:
            found.add(base)
            more += bases_of(nodes, base)
    return found


def linearised(nodes, n, below=()):
    """The MRO of a class; None if there is none."""
    if n in below:
        return None
    bases = bases_of(nodes, n)
    rows = [linearised(nodes, base, (*below, n)) for base in bases]
    if None in rows or len({*bases}) < len(bases):
        return None
    rows = [row[:] for row in rows] + [bases]
    mro = [n]
    while any(rows):
        for row in rows:
            if row and not any([row[0] in other[1:] for other in rows]):
                head = row[0]
                break
        else:
            return None
        mro.append(head)
        rows = [[x for x in row if x != head] for row in rows]
    return mro


class Outcome:
    """What a remap must come to."""

    def __init__(self, nodes, pairs):
        self.before = nodes
        self.old = [a for a, _ in pairs]
        self.changed = changed = {a: b for a, b in pairs if a != b}
        self.nodes = [(name, [changed.get(edge, edge) for edge in edges])
                      for name, edges in nodes]
        self.collisions = 0
        self.rehashed = 0           # or more
        self.more_collisions = 0    # in caches that start anew
        self.refused = None     # why
        self.may_refuse = False
        self.may_leave = False  # references behind
        self.undefined = False  # what becomes of it
        self.either = {}        # node to other edges that it may have
        self.pairs()
        self.fields()
        self.weak_references()
        if holds_itself(self.nodes, changed.values(), IMMUTABLE):
            self.refuse("holds itself")
        if self.refused is None:
            self.tables()

    def mapping(self):
        """The mapping is a dict of the old objects, and repaired as well."""
        hashes = Hashes(self.nodes)
        numbers = set()
        for n in self.old:
            try:
                # Keys that become equal merge there as well.
                self.undefined |= hashes(n) in numbers
                numbers.add(hashes(n))
            except Unhashable:
                self.may_refuse = True

    def refuse(self, why):
        self.refused = why

    def pairs(self):
        for a, b in self.changed.items():
            if self.before[a][0] == "cell" != self.before[b][0]:
                # Closures are tuples, which do not know that they are.
                self.refuse(f"cell {a}")

    def fields(self):
        for n, (name, edges) in enumerate(self.before):
            letters = KINDS[name].letters(len(edges))
            if not {*letters} & {*"fmXcst"}:
                continue
            for letter, edge in zip(letters, edges):
                if edge in self.changed:
                    self.field(n, name, letter, self.changed[edge])
        while self.orders():
            pass

    def orders(self):
        """A class on its way out keeps bases with which it, or another, would
        have no MRO; true if one does that did not."""
        classes = [n for n, (name, _) in enumerate(self.before)
                   if name in CLASSES]
        conflicts = [n for n in classes if self.conflict(n)]
        kept = False
        for n in conflicts:
            around = n in ancestors(self.nodes, n)
            kept |= not around and self.keeps_bases(n) or any(
                [self.keeps_bases(m) for m in (
                    n, *sorted(ancestors(self.nodes, n)))])
        self.may_refuse |= bool(conflicts) and not kept
        return kept

    def conflict(self, n):
        """Has a class no MRO, and not because of one that it inherits from?"""
        return linearised(self.nodes, n) is None and (
            n in ancestors(self.nodes, n)
            or all([linearised(self.nodes, base) is not None
                    for base in bases_of(self.nodes, n)]))

    def keeps_bases(self, n):
        name, edges = self.nodes[n]
        bases = self.before[n][1][:2]
        if n not in self.changed or edges[:2] == bases:
            return False
        self.either[n] = [edges]
        self.nodes[n] = (name, bases + edges[2:])
        return True

    def field(self, n, name, letter, new):
        kind = self.nodes[new][0]
        if letter == "f" and kind not in CALLABLE:
            self.refuse(f"function of {n}")
        elif letter == "X" and kind != "variable":
            self.refuse(f"variable in {n}")
        elif letter == "m" and kind not in MAPPINGS:
            self.may_refuse = True
        elif letter in "cst":
            stays = n not in self.changed or (
                letter == "c" and n in self.changed.values())
            if stays:
                if kind not in CLASSES:
                    self.refuse(f"class of {n}")
                return
            # On its way out itself: it need not fit, and keeps what it has.
            self.may_leave = True
            own = 1 if letter == "c" else 2
            kept = self.before[n][1][:own] + self.nodes[n][1][own:]
            if kind in CLASSES:
                self.either[n] = [kept]
            else:
                self.nodes[n] = (name, kept)

    def weak_references(self):
        for name, edges in self.before:
            for letter, edge in zip(KINDS[name].letters(len(edges)), edges):
                if letter in WEAK and edge in self.changed and (
                        self.nodes[self.changed[edge]][0] not in WEAKLY):
                    self.refuse(f"weak reference to {edge}")

    def tables(self):
        hashes = Hashes(self.nodes)
        concerned = touched(self.changed, self.before, held_by_hash)
        for n, (name, edges) in enumerate(self.nodes):
            if name in CACHES or KINDS[name].table:
                self.rehashed += not concerned.isdisjoint(
                    keys_of(self.before, n))
            try:
                if KINDS[name].table:
                    edges, merged = rebuilt(name, edges, hashes)
                    self.nodes[n] = (name, edges)
                    self.collisions += merged
            except Undefined:
                self.undefined = True
            except Unhashable:
                self.refuse(f"key in {n}")
                return
            if name in CACHES:
                self.cache(n, name, hashes, concerned)

    def cache(self, n, name, hashes, concerned):
        """Starts anew if a key is concerned, and may if it holds what is."""
        keys = keys_of(self.before, n)
        if not touched(self.changed, self.before, held).isdisjoint(keys):
            self.either[n] = [[]]
        if not concerned.isdisjoint(keys):
            self.may_refuse |= not all(
                [hashes.hashable(k) for k in keys_of(self.nodes, n)])
            self.more_collisions += len(keys)
            self.nodes[n] = (name, [])
