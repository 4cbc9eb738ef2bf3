"""Is a forgotten reference noticed?

Deletes one use of a Py_VISIT_CHANGE macro at a time from a copy of the patched
source, compiles, and runs the audit and, if that says nothing, the conformance
tests: one of them must fail.  The sample is random; its seed is printed.

    python3 tests/audit/mutate.py                     # 50 mutants
    python3 tests/audit/mutate.py --sample 5 --seed 1
    python3 tests/audit/mutate.py --only Modules/_csv.c:600

Works in a build folder of its own (build/mutants), made from build/src on the
first run; build/debug must be up to date (`cargo xtask build-python --debug`).
The exit status is 1 if a mutant survives.
"""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GC_REMAP_BUILD_DIR", ROOT / "build"))
HERE = pathlib.Path(__file__).parent


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)


class Mutants:
    """A source and a build tree in which one line at a time is missing."""

    def __init__(self, jobs):
        self.source = BUILD / "mutants" / "src"
        self.tree = BUILD / "mutants" / "tree"
        self.jobs = jobs

    def prepare(self):
        """Makes both, or brings them up to date."""
        archive = BUILD / "debug" / "engine" / "libgc_remap.a"
        if not archive.exists():
            sys.exit("there is no engine: run `cargo xtask build-python "
                     "--debug` first")
        self.tree.mkdir(parents=True, exist_ok=True)
        self.source.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "-C", BUILD / "src", "checkout-index", "--all",
                        "--force", f"--prefix={self.source}/"], check=True)
        if not (self.tree / "Makefile").exists():
            print("configure ...", flush=True)
            self.checked([self.source / "configure", "--with-pydebug",
                          f"--with-remap-engine={archive}",
                          "HAS_GIT=no-repository"])
        print("make ...", flush=True)
        self.checked(["make", f"-j{self.jobs}"])

    def checked(self, command):
        done = run(command, cwd=self.tree)
        if done.returncode:
            sys.exit(f"{done.stdout[-4000:]}\n{command[0]} failed")

    @property
    def python(self):
        return self.tree / "python"

    def compiles(self):
        return run(["make", f"-j{self.jobs}"], cwd=self.tree).returncode == 0

    def without(self, visit):
        """Deletes the lines of a visit; returns how to put them back."""
        path = self.source / visit.file
        before = path.read_text()
        lines = before.split("\n")
        lines[visit.first - 1:visit.last] = \
            [";"] + [""] * (visit.last - visit.first)
        path.write_text("\n".join(lines))
        return lambda: path.write_text(before)


def killed_by(python):
    """What notices the mutant first; None if nothing does."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = run([python, HERE / "audit.py"], env=environment)
    if done.returncode:
        reasons = [line for line in done.stdout.splitlines()
                   if line.startswith(("parity:", "types:", "fields:"))
                   and " of " not in line.split(":")[1][:12]
                   and not line.endswith(" objects compared")]
        return f"audit ({(reasons or done.stdout.splitlines() or ['crash'])[0]})"
    done = run([python, HERE / "fields.py"], env=environment)
    if done.returncode:
        return "fields"
    for script in sorted((ROOT / "tests" / "conformance").glob("test_*.py")):
        if run([python, "-s", script], env=environment).returncode:
            return script.name
    return None


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=50, metavar="N",
                        help="how many lines to delete, one at a time")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", metavar="FILE:LINE",
                        help="delete this line alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    mutants = Mutants(options.jobs)
    mutants.prepare()
    listing = run([mutants.python, "-B", "-c",
                   "import sys; sys.path.insert(0, sys.argv[1]); "
                   "import sources; "
                   "[print(v.file, v.first, v.last, v.field) "
                   "for v in sources.all_visits()]", HERE])
    lines = [line.split(" ", 3) for line in listing.stdout.splitlines()]
    if options.only:
        lines = [x for x in lines if f"{x[0]}:{x[1]}" == options.only]
        if not lines:
            sys.exit(f"no macro is used at {options.only}")
    else:
        seed = options.seed
        if seed is None:
            seed = random.SystemRandom().randrange(10**6)
        print(f"seed {seed}: {options.sample} of {len(lines)} lines")
        lines = random.Random(seed).sample(lines, options.sample)

    class Visit:
        pass

    if by := killed_by(mutants.python):
        sys.exit(f"{by} fails with every line in its place")
    survivors = 0
    for i, (file, first, last, field) in enumerate(lines, 1):
        visit = Visit()
        visit.file, visit.first, visit.last = file, int(first), int(last)
        start = time.monotonic()
        put_back = mutants.without(visit)
        try:
            if not mutants.compiles():
                sys.exit(f"{file}:{first} {field}: does not compile")
            by = killed_by(mutants.python)
        finally:
            put_back()
        survivors += by is None
        print(f"{i:3}/{len(lines)} {file}:{first} {field}: "
              f"{by or 'SURVIVES'} ({time.monotonic() - start:.0f} s)",
              flush=True)
    mutants.compiles()
    print(f"mutants: {len(lines)} lines deleted, one at a time: "
          f"{len(lines) - survivors} noticed, {survivors} survive")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
