"""Is tp_traverse_change complete?

Over a heap in which an instance of every type written in C is alive:

  types    every type that has tp_traverse has tp_traverse_change
  parity   of every object, the two visit the same references
  fields   every use of a Py_VISIT_CHANGE macro in the sources was met with a
           reference to visit (a debug build knows which one it executes)

The exit status is 1 if anything is amiss.  Run it with the interpreter to be
audited:

    python tests/audit/audit.py
    python tests/audit/audit.py --verbose
"""

import argparse
import gc
import os
import sys

import _testinternalcapi

import heap
import makers
import sources

DEBUG = hasattr(sys, "gettotalrefcount")


class Audit:
    """What was found; problems make it fail."""

    def __init__(self):
        self.problems = []
        self.lines = []

    def problem(self, kind, text):
        self.problems.append(f"{kind}: {text}")

    def say(self, text):
        self.lines.append(text)


def audit_types(audit, made):
    wanted = heap.types_to_audit()
    without = [cls for cls in wanted
               if not _testinternalcapi.traversal_functions(cls)[1]]
    for cls in sorted(without, key=heap.name_of):
        audit.problem("types", f"{heap.name_of(cls)} has tp_traverse, "
                               f"but not tp_traverse_change")
    exact = {type(x) for x in heap.objects()} | {type(m.instance) for m in made}
    # A type may be there to be derived from; and a module that is imported
    # again makes types of the same name.
    alive = {heap.name_of(base) for cls in exact for base in cls.__mro__}
    for cls in sorted(wanted - exact, key=heap.name_of):
        name = heap.name_of(cls)
        if name in alive:
            continue
        if name not in makers.UNMAKEABLE:
            audit.problem("types", f"no instance of {name}")
    for name, reason in sorted(makers.UNMAKEABLE.items()):
        if any(heap.name_of(cls) == name for cls in exact):
            audit.problem("types", f"{name} is alive, though: {reason}")
        audit.say(f"not made: {name}: {reason}")
    have = len(wanted) - len(without)
    audit.say(f"types: {have} of {len(wanted)} with a tp_traverse of their own "
              f"have tp_traverse_change ({100 * have / len(wanted):.1f} %)")


def audit_parity(audit, made):
    objects = heap.objects()
    objects += [m.instance for m in made]
    count = len(objects)
    # Order matters as well: it is how the engine finds a reference again.
    for x in _testinternalcapi.traverse_change_mismatches(objects, True):
        audit.problem("parity", f"{heap.name_of(type(x))}: the references of "
                                f"{object.__repr__(x)} differ")
    audit.say(f"parity: {count:,} objects compared")


def audit_fields(audit, made):
    visits = sources.all_visits()
    places = sources.Places(visits)
    met = set()
    for x in [*heap.objects(), *(m.instance for m in made)]:
        try:
            references = _testinternalcapi.traverse_change_references(x)
        except TypeError:
            continue
        for referent, where, *_ in references:
            if where is not None:
                met.add(where)
    unknown = set()
    seen = set()
    for where in met:
        visit = places.find(where)
        (unknown if visit is None else seen).add(visit or where)
    excused = {(v.file, v.function, v.field)
               for v in visits} & makers.UNFILLED.keys()
    for visit in visits:
        if visit not in seen \
                and (visit.file, visit.function, visit.field) not in excused:
            audit.problem("fields", f"{visit.file}:{visit.first}: "
                                    f"{visit.function}: nothing was ever in "
                                    f"{visit.field}")
    for (file, function, field), reason in sorted(makers.UNFILLED.items()):
        if (file, function, field) not in excused:
            audit.problem("fields", f"{file}: {function}: no field {field}")
        audit.say(f"not filled: {file}: {field}: {reason}")
    audit.say(f"fields: {len(seen)} of {len(visits)} uses of the macros were "
              f"met with a reference"
              + (f", {len(unknown)} inside of other macros" if unknown else ""))


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true",
                        help="also list what could not be made, and why")
    options = parser.parse_args()

    audit = Audit()
    for name, error in heap.import_extensions():
        audit.say(f"not built: {name}: {error}")
    made, errors = heap.populate()
    for error in errors:
        audit.problem("makers", error)
    audit_types(audit, made)
    audit_parity(audit, made)
    if DEBUG:
        audit_fields(audit, made)
    for line in audit.lines:
        if options.verbose or not line.startswith("not "):
            print(line)
    for problem in audit.problems:
        print(problem)
    print(f"audit: {len(made)} objects made, {len(audit.problems)} problems "
          f"on a {'debug' if DEBUG else 'release'} build")
    return 1 if audit.problems else 0


if __name__ == "__main__":
    gc.disable()
    status = main()
    sys.stdout.flush()
    # What the makers left waiting in threads is not waited for.
    os._exit(status)
