"""The heap that the benchmarks walk: the same objects, in the same order, in every run.

A *record* is a handful of tracked objects that refer to each other, to older records and to
untracked leaves (ints, floats, strings), roughly as an application's data does:

    an instance with inline values      name, number, tags, parent, parts
    an instance with slots              record, weight, next
    a list of six                       older objects, numbers, and a tuple of two
                                        numbers, which the collector does not track
    a dict of five, string keys         older objects and strings
    a dict of three, object keys        instances as keys, so a general table
    a tuple of four                     the above
    a small set                         of instances, in one record of two

Three of four references go to objects of nearly the same age, the fourth to any older one.
"""

import gc
import random


class Record:
    """An instance with inline values."""

    def __init__(self, name, number, tags, parent):
        self.name = name
        self.number = number
        self.tags = tags
        self.parent = parent
        self.parts = None


class Node:
    """An instance with slots."""

    __slots__ = ("record", "weight", "next")

    def __init__(self, record, weight, next):
        self.record = record
        self.weight = weight
        self.next = next


def build(size, seed=10194):
    """Return the roots of a heap of about `size` objects that the collector tracks."""
    random_below = random.Random(seed).randrange
    records = [Record("first", 0, (), None)]
    nodes = [Node(records[0], 0.0, None)]
    roots = [records, nodes]
    tracked = 4
    names = [f"name {i}" for i in range(1000)]

    def older(sequence):
        if random_below(4):
            return sequence[-1 - random_below(min(len(sequence), 100))]
        return sequence[random_below(len(sequence))]

    number = 0
    while tracked < size:
        number += 1
        name = names[number % 1000]
        parent = older(records)
        items = [parent, older(nodes), number, name, older(records).parts, (number, 2.5)]
        table = {"name": name, "items": items, "owner": older(records), "n": number, "x": 0.5}
        index = {parent: number, older(records): items, name: None}
        tags = {older(records), older(nodes), parent} if number % 2 else name
        record = Record(name, number, tags, parent)
        node = Node(record, float(number), older(nodes))
        record.parts = (items, table, index, node)
        records.append(record)
        nodes.append(node)
        tracked += 6 + number % 2
    gc.collect()
    return roots
