"""Benchmarks of `gc.remap`: run with `cargo xtask bench`.

Three questions, each answered with ratios of two sides that take turns (A B A B ...), so that
whatever else the machine does hits both:

  remap    gc.remap against gc.get_referrers (one pass over the heap, the floor) and gc.collect,
           and what it adds to the memory of the process;
  collect  gc.collect of the patched interpreter against that of the unpatched one;
  loops    everyday code on the one against the other.

Times are CPU times. A ratio is that of the medians, or the median of the ratios of pairs where
the sides are two processes; "min-max" is the smallest and largest ratio of a pair.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import report  # noqa: E402
import sides  # noqa: E402
from statistics import geometric_mean, median, quantiles  # noqa: E402

FULL = {"sizes": {1_000_000: 21, 5_000_000: 11},
        "collect": {1_000_000: (5, 8), 5_000_000: (4, 4)},
        "loops": (8, 5)}
QUICK = {"sizes": {100_000: 5}, "collect": {100_000: (2, 3)}, "loops": (2, 2)}

# Bytes for each object of the heap; a pointer would be 8. The kernel counts pages, in batches.
MEMORY_TARGET = 0.25

# Less than this is not called a difference between two builds.
FLOOR_OF_NOISE = 0.02


def main():
    args = arguments()
    if args.report:
        return report.run(args.report, args.results, args.docs, check=args.check)
    here = sides.Side(sys.executable)
    try:
        if not here.hello["remap"]:
            sys.exit("error: this interpreter has no gc.remap; run `cargo xtask bench`")
    finally:
        here.close()
    plan = QUICK if args.quick else FULL
    result = header(args, here.hello)
    rows = result["rows"] = []
    for size, repetitions in plan["sizes"].items():
        if "remap" in args.only:
            rows += remap_rows(size, args.repetitions or repetitions)
    versus = {"collect", "loops"} & set(args.only)
    if versus and usable(args.unpatched, here.hello, result):
        for size, (rounds, pairs) in plan["collect"].items():
            if "collect" in versus:
                rows += versus_rows("collect", args.unpatched, rounds, pairs, size)
        if "loops" in versus:
            rows += versus_rows("loops", args.unpatched, *plan["loops"])
    if args.quick:
        for one in rows:
            one["verdict"] = None
    progress(None)
    print(report.terminal(result))
    output = args.output
    if output is None and not args.quick and set(args.only) == {"remap", "collect", "loops"}:
        output = args.results / f"{args.name or result['build']}.json"
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(result, indent=1) + "\n")
        print(f"\nwritten to {output}; `--report {output.stem}` writes the docs from it")
    return 0


def arguments():
    parser = argparse.ArgumentParser(
        prog="cargo xtask bench --", description=__doc__.partition("\n\n")[0],
        epilog="examples: `cargo xtask bench -- --quick`, `cargo xtask bench -- --only remap`, "
        "`cargo xtask bench -- --report release`")
    parts = ("remap", "collect", "loops")
    parser.add_argument("--quick", action="store_true",
                        help="a small heap and few repetitions, under a minute; not saved")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART",
                        help="measure only these parts: remap collect loops; not saved")
    parser.add_argument("--repetitions", type=int, help="of the part `remap`, on each heap")
    parser.add_argument("--unpatched", default=os.environ.get("GC_REMAP_UNPATCHED_PYTHON"),
                        metavar="PYTHON", help="the interpreter to compare with "
                        "[default: the environment's GC_REMAP_UNPATCHED_PYTHON]")
    parser.add_argument("--name", help="of the saved results [default: the build's, `release`]")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE",
                        help="save the results here")
    parser.add_argument("--report", metavar="NAME",
                        help="measure nothing: write the docs from the saved results NAME")
    parser.add_argument("--check", action="store_true",
                        help="with --report: write nothing, fail if the docs would change")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results",
                        help="where results are saved [default: benches/results]")
    parser.add_argument("--docs", type=pathlib.Path, default=ROOT / "docs",
                        help="where the report goes [default: docs]")
    return parser.parse_args()


def header(args, hello):
    commit = git("rev-parse", "--short=12", "HEAD")
    modified = git("status", "--porcelain", "--", "src", "build.rs", "cpython-patches")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit.strip() + ("+" if modified.strip() else ""),
        "cpus": os.cpu_count(),
        "compiler": hello["compiler"],
        "python": hello["version"],
        "build": hello["build"],
        "quick": args.quick,
    }


def git(*args):
    try:
        return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True,
                              check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown" if args[0] == "rev-parse" else ""


def progress(text):
    if sys.stderr.isatty():
        print("\r\x1b[K" + (text or ""), end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def row(part, title, objects, top, bottom, target=None, **more):
    """A row of the table from the paired times of two sides, in seconds."""
    ratios = [a / b for a, b in zip(top, bottom)]
    value = median(top) / median(bottom)
    more.setdefault("verdict", None if target is None else value <= target)
    return {"part": part, "title": title, "objects": objects, "unit": "ratio",
            "value": round(value, 4), "low": round(min(ratios), 4),
            "high": round(max(ratios), 4), "repetitions": len(ratios), "target": target,
            "seconds": [round(median(top), 6), round(median(bottom), 6)], **more}


def remap_rows(size, repetitions):
    progress(f"gc.remap on {size:,} objects, {repetitions} repetitions ...")
    side = sides.Side(sys.executable)
    try:
        answer = side.ask("remap", size=size, repetitions=repetitions)
    finally:
        side.close()
    times, objects = answer["times"], answer["visited"]
    rows = []
    floor, collect, one = times["referrers"], times["collect"], times["in a list"]
    for holder in ("in a list", "in a dict", "in an attribute"):
        rows.append(row("remap", f"one key, {holder} / `get_referrers`", objects,
                        times[holder], floor, target=1.5))
    rows[0]["phases"] = answer["phases"]["in a list"]
    rows.append(row("remap", "one key, in a list / `collect`", objects, one, collect, target=0.5))
    rows.append(row("remap", "10,000 keys / one key", objects, times["10,000 keys"], one,
                    target=2.0, phases=answer["phases"]["10,000 keys"]))
    for kind in ("a class with an instance", "a float, not tracked", "a string",
                 "a key of a key of a dict"):
        rows.append(row("kinds", f"{kind} / `get_referrers`", objects, times[kind], floor))
    for keys, growths in answer["growth"].items():
        # The first is the largest as a rule: what it leaves free, the next ones use again.
        each = [growth / objects for growth in growths]
        target = MEMORY_TARGET if keys == "one key" else None
        rows.append({"part": "memory", "title": f"memory added by remapping {keys}",
                     "objects": objects, "unit": "bytes an object",
                     "value": round(max(each), 4), "low": round(min(each), 4),
                     "high": round(max(each), 4), "repetitions": len(each), "target": target,
                     "verdict": None if target is None else max(each) <= target})
    return rows


def usable(unpatched, hello, result):
    """Is there something to compare with? Says so if not."""
    if not unpatched:
        progress("no unpatched interpreter to compare with (GC_REMAP_UNPATCHED_PYTHON): skipped")
        return False
    side = sides.Side(unpatched)
    side.close()
    for what in ("version", "build", "compiler"):
        if side.hello[what] != hello[what]:
            progress(f"the unpatched interpreter is another {what}: comparison skipped")
            return False
    # The script can be tried without an unpatched interpreter, but that proves nothing.
    result["same_interpreter"] = side.hello["remap"]
    return True


def versus_rows(part, unpatched, rounds, pairs, size=None):
    """Patched against unpatched, and unpatched against itself: what that shows is noise."""
    loops = sides.LOOPS if part == "loops" else ["gc.collect()"]
    ratios = {name: [] for name in loops}
    control = {name: [] for name in loops}
    times = {name: ([], []) for name in loops}
    for number in range(rounds):
        objects = f" of {size:,} objects" if size else ""
        progress(f"{part}{objects}, patched and unpatched, round {number + 1} of {rounds} ...")
        # New processes in each round, and in another order: memory lies differently in each.
        order = [("patched", sys.executable), ("unpatched", unpatched), ("again", unpatched)]
        order = order[number % 3:] + order[:number % 3]
        side = {}
        try:
            for name, python in order:
                side[name] = sides.Side(python)
                if size:
                    side[name].ask("build", size=size)
            for name in loops:
                here = {}
                for _ in range(pairs):
                    for which, _python in order:
                        seconds = side[which].ask("time", name=name)
                        here.setdefault(which, []).append(seconds)
                a, b, c = here["patched"], here["unpatched"], here["again"]
                times[name][0].extend(a)
                times[name][1].extend(b)
                ratios[name] += [x / y for x, y in zip(a, b)]
                control[name] += [z / y for y, z in zip(b, c)]
        finally:
            for one in side.values():
                one.close()
    rows = []
    for name in loops:
        rows.append(row(part, name, size, *times[name]))
        rows[-1]["value"] = round(median(ratios[name]), 4)
    if part == "loops":
        # How one loop lies in memory decides more than any patch: their mean is what is judged.
        overall = [geometric_mean(turn) for turn in zip(*ratios.values())]
        noise = [geometric_mean(turn) for turn in zip(*control.values())]
        rows.append(rows[0] | {"title": "geometric mean of these", "value":
                    round(median(overall), 4), "low": round(min(overall), 4),
                    "high": round(max(overall), 4)})
        del rows[-1]["seconds"]
    else:
        noise = control[loops[0]]
    # The middle half of the control's pairs: a neighbour that wakes up is not the usual noise.
    low, _, high = quantiles(noise, n=4)
    noise = max(FLOOR_OF_NOISE, (high - low) / 2)
    rows[-1] |= {"noise": round(noise, 4), "target": 1.0,
                 "verdict": rows[-1]["value"] <= 1 + noise}
    return rows


if __name__ == "__main__":
    sys.exit(main())
