"""Types of an extension that was compiled for the unpatched interpreter."""

import gc

import made_before

TWIN = 1 << 21  # Py_TPFLAGS_HAVE_TRAVERSE_CHANGE


class Thing:
    pass


def remap(make):
    """Replace an object that a list and make(object) hold; returns what each
    holds then, and how many references stayed."""
    pairs = [(Thing(), Thing())]
    items = [pairs[0][0]]
    holder = make(pairs[0][0])
    left = gc.remap(pairs).left_behind
    assert items == [pairs[0][1]], items
    gc.collect()
    return holder, pairs, left


# References that tp_traverse reports and nothing can change: kept, and counted.
for cls in made_before.StaticHolder, made_before.HeapHolder:
    assert not cls.__flags__ & TWIN, cls
    holder, pairs, left = remap(cls)
    assert holder.held is pairs[0][0], cls
    assert left == (1,), (cls, left)

holder, pairs, left = remap(lambda x: made_before.OwnTraverseList([x]))
assert not made_before.OwnTraverseList.__flags__ & TWIN
assert holder[0] is pairs[0][0] and left == (1,), left

# With tp_traverse the slot is inherited, whoever compiled the type.
holder, pairs, left = remap(lambda x: made_before.PlainList([x]))
assert made_before.PlainList.__flags__ & TWIN
assert holder == [pairs[0][1]] and left == (0,), left


# A Python class has the slot for what it adds; what its base holds stays.
class Sub(made_before.StaticHolder):
    pass


def sub(x):
    s = Sub(x)
    s.attribute = x
    return s


holder, pairs, left = remap(sub)
assert holder.attribute is pairs[0][1], holder.attribute
assert holder.held is pairs[0][0] and left == (1,), left

# Cycles through them are still found.
cycle = made_before.PlainList()
cycle.append(made_before.StaticHolder(cycle))
del cycle, holder, pairs
assert gc.collect() >= 2

print("ok")
