"""Writes docs/coverage.md: each type, its references, what it derives from
identity, and which test covers it.

Made from a debug build, which knows the macro that it executes: the types and
the modules come from the running interpreter, what their fields may hold from
the sources that it was built from.

    python tests/audit/coverage.py            # writes docs/coverage.md
    python tests/audit/coverage.py --check    # exit status 1 if it would change
"""

import argparse
import collections
import os
import pathlib
import sys
import tomllib

import _testinternalcapi

import fields
import heap
import makers
import sources

HERE = pathlib.Path(__file__).parent
TARGET = HERE.parents[1] / "docs" / "coverage.md"

HEAD = """\
# Coverage: every type, every reference

Written by `cargo xtask audit --coverage` from a debug build of CPython
{version}; do not edit. It lists every type and every module written in C that
has a `tp_traverse` or an `m_traverse` of its own, test modules left out.
`tp_traverse_change` is inherited together with `tp_traverse`: subtypes without
either are covered by their base.

What a field says of an object that is to be stored in it:

| kind | meaning |
| --- | --- |
| open | any object will do |
| *a type* | an instance of it, or of a subtype |
| same type | an instance of the type that the present object has |
| callable, iterator, exception class | what C code relies on without checking |
| callback | any object but `None`, for which C code stores `NULL` |
| checked: … | the function that the field names decides |
| kept | the present reference stays, and is counted as left behind |
| refused | nothing may take its place: `gc.remap` raises `TypeError` |
| table | no address of its own: the type stores, and repairs what it must |

`ob_type`, the reference of an instance to its class, changes as assigning
`__class__` does, with the same checks.

"""


def kind_of(visit):
    kind = visit.kind
    if kind == "the type of the present one":
        return "same type"
    if kind.startswith("Py") and kind.endswith("_Type"):
        return kind.removeprefix("Py").removesuffix("_Type").lower()
    return kind


def describe(visits, has_table):
    """The references of one row."""
    parts = collections.OrderedDict()
    for visit in visits:
        if visit.macro == "_TYPE":
            continue
        parts.setdefault((kind_of(visit)), []).append(visit.name.strip("()"))
    text = "; ".join(f"{', '.join(f'`{n}`' for n in dict.fromkeys(names))}: "
                     f"{kind}" for kind, names in parts.items())
    if any(v.macro == "_TYPE" for v in visits):
        text = "`ob_type`" + (f"; {text}" if text else "")
    if has_table:
        text += ("; " if text else "") + "table"
    return text or "none of its own"


def rows():
    visits = sources.all_visits()
    places = sources.Places(visits)
    by_function = collections.defaultdict(list)
    for v in visits:
        by_function[v.file, v.function].append(v)
    derived = tomllib.loads((HERE / "derived.toml").read_text())

    makers_of = collections.defaultdict(list)
    instances = collections.defaultdict(list)
    made, _ = heap.populate()
    for m in made:
        instances[type(m.instance)].append(m.instance)
        makers_of[type(m.instance)].append(m.maker.name)
    wanted = heap.types_to_audit()
    modules = heap.modules()
    for x in heap.objects():
        if type(x) in wanted and len(instances[type(x)]) < 200:
            instances[type(x)].append(x)

    def row(name, holders, tests):
        functions, table = {}, False
        for x in holders:
            for r in map(fields.Reference._make,
                         _testinternalcapi.traverse_change_references(x)):
                visit = places.find(r.where) if r.where else None
                if visit is not None:
                    functions[visit.file, visit.function] = True
                elif not r.has_address:
                    table = True
        found = [v for key in sorted(functions) for v in by_function[key]]
        notes = [derived[f] for _, f in sorted(functions) if f in derived]
        notes += [derived[name]] if name in derived else []
        files = sorted({file for file, _ in functions})
        # A module's namespace is its type's business.
        return (name, "<br>".join(files), "yes",
                describe(found, table),
                " ".join(n["text"] for n in notes),
                ", ".join(dict.fromkeys(
                    [*(f"`{t}`" for t in tests),
                     *(f"`{n['test']}`" for n in notes if "test" in n)])))

    # A type that is there to be derived from: what its subtypes hold.
    for cls in wanted:
        if not instances[cls]:
            for m in made:
                if isinstance(m.instance, cls):
                    instances[cls].append(m.instance)
                    makers_of[cls].append(m.maker.name)
    # A module that is imported again makes types of the same name.
    named = {}
    for cls in sorted(wanted, key=lambda cls: len(makers_of[cls])):
        named[heap.name_of(cls)] = cls
    found = []
    for name, cls in named.items():
        tests = makers_of[cls]
        if not _testinternalcapi.traversal_functions(cls)[1]:
            found.append((name, "", "**no**", "", "", ""))
        elif instances[cls]:
            found.append(row(name, instances[cls], tests))
        else:
            reason = makers.UNMAKEABLE.get(name, "see the base")
            found.append((name, "", "yes", "", reason, ""))
    types = sorted(found)
    states = []
    for module in modules:
        got = row(module.__name__, [module], ["heap.modules"])
        if "Objects/moduleobject.c" in got[1] and "<br>" not in got[1]:
            continue    # no state, or m_traverse alone
        states.append((got[0], got[1].replace("<br>Objects/moduleobject.c", "")
                       .replace("Objects/moduleobject.c<br>", ""), *got[2:]))
    return types, sorted(states)


def table(lines, first):
    text = [f"| {first} | source | slot | references | derived from identity "
            f"| covered by |", "| --- | --- | --- | --- | --- | --- |"]
    for line in lines:
        text.append("| " + " | ".join(x.replace("|", "\\|") for x in line)
                    + " |")
    return "\n".join(text)


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true",
                        help="write nothing, only say whether it is up to date")
    options = parser.parse_args()
    if not fields.DEBUG:
        sys.exit("only a debug build knows which macro it executes: "
                 "run `cargo xtask audit --coverage`")
    heap.import_extensions()
    types, states = rows()
    text = HEAD.format(version=sys.version.split()[0])
    text += f"## Types ({len(types)})\n\n{table(types, 'type')}\n\n"
    text += f"## Module state ({len(states)})\n\n{table(states, 'module')}\n\n"
    text += "## Not made, not filled\n\n"
    for name, reason in sorted(makers.UNMAKEABLE.items()):
        text += f"- `{name}`: {reason}\n"
    for (file, _, field), reason in sorted(makers.UNFILLED.items()):
        text += f"- `{field}` in {file}: {reason}\n"
    if options.check:
        current = TARGET.exists() and TARGET.read_text() == text
        print(f"{TARGET.name}: {'up to date' if current else 'not up to date'}")
        return 0 if current else 1
    TARGET.write_text(text)
    print(f"{TARGET.name}: {len(types)} types, {len(states)} modules")
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # What the makers left waiting in threads is not waited for.
    os._exit(status)
