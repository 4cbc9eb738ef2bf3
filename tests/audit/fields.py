"""Every reference field of every type: an old object in it, a remap, the new
one read back.

For each reference that an instance made by a maker holds:

  open fields      take any object: one is put there, and remapped
  typed fields     take a fresh object of the kind that they hold now
  the others       (kept, refused, tables, tagged pointers): what is there now
                   is remapped

An object is put into a field by _testinternalcapi.exchange_reference(), which
reaches also what no Python code can set.  What must come of it follows from
what the field says of itself: the reference has followed; it was kept, and is
counted as left behind; the table dropped it (a cache that is cleared); or the
remap was refused with a TypeError that names the field, or says why the object
itself cannot be replaced, and nothing has changed.

    python tests/audit/fields.py [MAKER ...]
"""

import argparse
import collections
import gc
import os
import re
import sys
import types

import _testinternalcapi

import heap
import makers
import sources

DEBUG = hasattr(sys, "gettotalrefcount")
IMMORTAL = 1 << 30

Reference = collections.namedtuple(
    "Reference", "referent where field type accept has_address")


def references(x):
    return [Reference(*r)
            for r in _testinternalcapi.traverse_change_references(x)]


def replaceable(x):
    """Can this be a key of gc.remap()?"""
    return sys.getrefcount(x) < IMMORTAL \
        and not (type(x) is str and sys._is_interned(x))


def fresh(x, of_others):
    """Two objects of the kind of x, to be the old and the new one; None if
    no way is known to make them."""
    match x:
        case tuple() if type(x) is tuple and x:
            return [tuple([*x]) for _ in "12"]
        case dict() if type(x) is dict:
            return [dict(x) for _ in "12"]
        case list() if type(x) is list:
            return [list(x) for _ in "12"]
        case set() if type(x) is set:
            return [set(x) for _ in "12"]
        case str() if type(x) is str and len(x) > 1:
            return ["".join([x[:1], x[1:]]) for _ in "12"]
        case bytes() if type(x) is bytes and len(x) > 1:
            return [b"".join([x[:1], x[1:]]) for _ in "12"]
        case int() if type(x) is int:
            return [10**20 + i for i in range(2)]
    if isinstance(x, types.CodeType):
        return [x.replace() for _ in "12"]
    usable = [y for y in of_others if y is not x and replaceable(y)]
    if len(usable) >= 2 and usable[0] is not usable[1]:
        return usable[:2]
    # Shared by all instances: a class or a function of the program.
    match x:
        case type() if issubclass(x, BaseException):
            return [type("E", (Exception,), {}) for _ in "12"]
        case type():
            return [type("C", (), {}) for _ in "12"]
    if isinstance(x, (types.FunctionType, types.BuiltinFunctionType)):
        return [makers.Thing(), makers.Thing()]
    return None


class Case:
    """One reference of one instance."""

    def __init__(self, maker, ordinal, reference, visit):
        self.maker = maker
        self.ordinal = ordinal
        self.reference = reference
        self.visit = visit          # a sources.Visit, None on a release build

    def name(self):
        """Of the field: its last member, "" if it has no name."""
        if self.visit is not None:
            return self.visit.name
        return re.split(r"->|\.", self.reference.field or "")[-1].strip("()")

    def key(self):
        """The same for all cases of one field."""
        return self.visit or self.name() or self.maker.type_name

    def __str__(self):
        return f"{self.maker.name}[{self.ordinal}] {self.name()}".rstrip()

    def expected(self):
        """The outcomes that are right."""
        r = self.reference
        if not r.has_address:
            return {"follows", "dropped", "refuses", "kept"} - (
                {"kept"} if r.accept is None else set())
        if r.accept == "refuse":
            return {"refuses"}
        if r.accept == "keep":
            # What stands in the way of the object stands in the way first;
            # the bases of a class are changed as a whole.
            return {"kept", "refuses", "dropped"} | (
                {"follows"} if self.name() == "tp_base" else set())
        if r.field is None or r.type is not None:
            return {"follows"}
        return {"follows", "kept", "refuses"}


def outcome(instance, ordinal, old_and_new):
    """Remaps the one pair of the list; returns what came of the reference."""
    count = len(references(instance))
    try:
        result = gc.remap(old_and_new)
    except TypeError as e:
        assert references(instance)[ordinal].referent is old_and_new[0][0]
        return "refuses", str(e)
    after = references(instance)
    assert len(after) == count, "the number of references has changed"
    if after[ordinal].referent is old_and_new[0][1]:
        return "follows", ""
    if after[ordinal].referent is not old_and_new[0][0]:
        return "broken", "the field holds something else"
    if result.left_behind[0] < 1:
        return "broken", "kept, but not counted"
    return "kept", ""


def with_address(case, instance, others):
    """Puts an object into the field."""
    reference = case.reference
    if reference.field is None:
        pair = [makers.Thing(), makers.Thing()]
    else:
        pair = fresh(reference.referent, others)
        if pair is None:
            return "untried", f"no fresh {heap.name_of(type(reference.referent))}"
    pairs = [(pair[0], pair[1])]
    del pair, reference
    before = _testinternalcapi.exchange_reference(instance, case.ordinal,
                                                  pairs[0][0])
    try:
        return outcome(instance, case.ordinal, pairs)
    finally:
        _testinternalcapi.exchange_reference(instance, case.ordinal, before)


def occurrences(instance, x):
    return sum(r.referent is x for r in references(instance))


def without_address(case, instance, others):
    """Remaps what is there."""
    old = case.reference.referent
    new = next((x for x in others if x is not old), None)
    if not replaceable(old):
        return "untried", f"it holds {object.__repr__(old)}"
    shared = new is None
    if shared:
        # The same for all instances: it is put back everywhere below.
        new = (fresh(old, ()) or [makers.Thing()])[0]
    pairs = [(old, new)]
    case.reference = case.reference._replace(referent=None)
    del old, new
    others.clear()
    seen = occurrences(instance, pairs[0][0])
    try:
        gc.remap(pairs)
    except TypeError as e:
        return "refuses", str(e)
    left, come = (occurrences(instance, x) for x in pairs[0])
    if shared:
        gc.remap([pairs[0][::-1]])
    if come and left < seen:
        return "follows", ""
    return ("kept" if left else "dropped"), ""


def run(maker, places):
    """Yields (case, outcome, text) for each reference that a maker's instance
    holds."""
    ordinal = 0
    while True:
        # Fresh ones each time: a replaced reference is not always put back.
        instances = [maker.make() for _ in "123"]
        instance = instances[0][0]
        held = references(instance)
        if ordinal >= len(held):
            return
        reference = held[ordinal]
        visit = places.find(reference.where) if reference.where else None
        case = Case(maker, ordinal, reference, visit)
        others = [r[ordinal].referent for r in
                  (references(x[0]) for x in instances[1:])
                  if ordinal < len(r)]
        is_type = reference.referent is type(instance)
        fixed = reference.accept in ("keep", "refuse")
        del held, reference
        if is_type and case.reference.field is None:
            pass        # tests/conformance/test_instances.py
        elif case.reference.has_address and not fixed:
            yield case, *with_address(case, instance, others)
        else:
            yield case, *without_address(case, instance, others)
        ordinal += 1


def run_all(names=(), verbose=False):
    """Returns the results by maker, and what is wrong with them."""
    heap.import_extensions()
    places = sources.Places(sources.all_visits()) if DEBUG else None
    results, problems = [], []
    tried, untried = set(), collections.defaultdict(list)
    for maker in makers.load():
        if names and maker.name not in names:
            continue
        traversal, change = _testinternalcapi.traversal_functions(
            type(maker.make()[0]))
        if not traversal:
            continue    # it holds no references
        if not change:
            problems.append(f"{maker.name}: no tp_traverse_change")
            continue
        for case, what, text in run(maker, places):
            if verbose:
                print(f"{what:8} {case}", flush=True)
            results.append((case, what))
            if what == "untried":
                untried[case.key()].append(f"{case}: not tried: {text}")
                continue
            tried.add(case.key())
            if what not in case.expected():
                problems.append(f"{case}: {what} {text}")
            if what == "refuses" and case.name() \
                    and " must be " not in text \
                    and not text.startswith(("cannot ", "__class__ ",
                                             "__bases__ ")):
                problems.append(f"{case}: the error does not name a field: "
                                f"{text}")
    for key, texts in untried.items():
        if key not in tried:
            problems.append(texts[0])
    return results, problems


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("makers", nargs="*", metavar="MAKER",
                        help="only these, as module.function")
    parser.add_argument("--verbose", action="store_true",
                        help="list every case")
    options = parser.parse_args()
    results, problems = run_all(options.makers, options.verbose)
    for problem in problems:
        print(problem)
    counts = collections.Counter(what for _, what in results)
    print(f"fields: {len(results)} cases: "
          + ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
          + f"; {len(problems)} problems "
          f"on a {'debug' if DEBUG else 'release'} build")
    return 1 if problems else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # What the makers left waiting in threads is not waited for.
    os._exit(status)
