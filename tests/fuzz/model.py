"""gc.remap() does to a random heap what a model of its contract says.

A graph is a description: nodes of every kind of container, which refer to each
other by number, in cycles and at any depth, and a few mappings to apply one
after the other: one-way, swaps, rotations, merges, chains.  The heap is built
from it, remapped, and compared with what the model makes of the description:
each reference by identity, the order of tables, lookups, reference counts, the
numbers in the result.  Where the model says that the remap is refused, and
where a __hash__ or __eq__ raises in the middle, nothing may have changed.

    python tests/fuzz/model.py                          # 3,000 graphs
    python tests/fuzz/model.py --graphs 100000 --jobs 2
    python tests/fuzz/model.py --seed 1 --only 17       # one of them again

A graph that fails is made smaller as long as it fails, and printed as a call
of replay().  Each trial runs in a process of its own, which may crash or hang.
"""

import argparse
import collections
import gc
import mmap
import os
import random
import resource
import signal
import sys
import time

from model_graphs import generate, smaller, valid
from model_heap import Heap
from model_kinds import ignore

HANG = 60       # seconds
SHOWN = 5       # problems that are made smaller and printed
MOST = 100      # problems, after which a process gives up


def run(graph, counts):
    """Builds the heap, and makes the remaps; raises a Problem."""
    nodes, pauses, steps = graph
    heap = Heap(nodes, pauses)
    heap.compare(nodes, either={})
    for numbers, options in steps:
        if not heap.step(numbers, options, counts):
            break


def replay(nodes, steps, pauses={}):
    """Runs a graph that has been printed."""
    nodes = [(name, [*edges]) for name, *edges in nodes]
    counts = collections.Counter()
    run((nodes, pauses, steps), counts)
    print(*counts.items())


def attempt(graph):
    """Runs it in a process of its own; returns what is wrong, or None."""
    sys.stdout.flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        signal.alarm(HANG)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        text = ""
        try:
            run(graph, collections.Counter())
        except Exception as e:
            text = f"{type(e).__name__}: {e}"
        os.write(writer, text.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        text = file.read().decode(errors="replace")
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return text or None


def shrunk(graph, text):
    """A graph that still fails, of which nothing can be left out."""
    while True:
        for candidate in smaller(*graph):
            if candidate and valid(candidate[0]):
                found = attempt(candidate)
                if found and not found.startswith("ValueError: two nodes"):
                    graph, text = candidate, found
                    break
        else:
            return graph, text


def show(graph, text):
    nodes, pauses, steps = graph
    print(f"    {text}\nmodel.replay([")
    for n, (name, edges) in enumerate(nodes):
        print(f"    {(name, *edges)},    # {n}")
    print(f"], {steps}, {pauses})", flush=True)


def worker(options, first, at, writer):
    """Every jobs-th graph from the first on; writes what it found."""
    sys.unraisablehook = ignore
    counts = collections.Counter()
    bad = 0
    for number in range(first, options.graphs, options.jobs):
        at[:] = number.to_bytes(8)
        if number % 10_000 == 0 and number > first:
            print(f"{number} of {options.graphs}", flush=True)
        signal.alarm(HANG)
        try:
            run(generate(options.seed, number), counts)
        except Exception as e:
            text = ascii(f"{type(e).__name__}: {e}")[1:-1][:300]
            os.write(writer, f"problem {number} {text}\n".encode())
            bad += 1
            if bad == MOST:
                break
    for name in ("remaps", "refused", "blown", "collisions", "unsure"):
        os.write(writer, f"count {name} {counts[name]}\n".encode())


def work(options, first_of_all):
    """Runs the graphs; one that kills its process is a problem, and another
    process goes on after it."""
    counts, problems = collections.Counter(), []
    at = memoryview(mmap.mmap(-1, 8 * options.jobs))
    todo = [*range(first_of_all, first_of_all + options.jobs)]
    while todo:
        reader, writer = os.pipe()
        pids = []
        for first in todo:
            share = 8 * (first % options.jobs)
            pid = os.fork()
            if pid == 0:
                worker(options, first, at[share:share + 8], writer)
                os._exit(0)
            pids.append((pid, share))
        os.close(writer)
        with open(reader) as file:
            for line in file:
                what, key, text = line.rstrip("\n").split(" ", 2)
                if what == "count":
                    counts[key] += int(text)
                else:
                    problems.append((int(key), text))
        todo = []
        for pid, share in pids:
            status = os.waitpid(pid, 0)[1]
            if os.WIFSIGNALED(status):
                number = int.from_bytes(at[share:share + 8])
                problems.append(
                    (number, signal.Signals(os.WTERMSIG(status)).name))
                todo.append(number + options.jobs)
    return counts, problems


def arguments():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=3000, metavar="N")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="how many processes")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, metavar="NUMBER",
                        help="repeat this graph of the seed alone")
    return parser.parse_args()


def main():
    options = arguments()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    if os.environ.get("PYTHONHASHSEED") != "0":
        # So that a seed makes the same tables again.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-B", *sys.argv,
                                  *(["--seed", str(options.seed)]
                                    if "--seed" not in sys.argv else [])])
    print(f"seed {options.seed}", flush=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    first = 0
    if options.only is not None:
        first, options.jobs, options.graphs = options.only, 1, options.only + 1
        print(*generate(options.seed, first), sep="\n")
    # What is made from here on is all that is collected.
    gc.freeze()
    start = time.monotonic()
    counts, problems = work(options, first)
    seconds = time.monotonic() - start
    for number, text in problems:
        print(f"graph {number}: {text}")
    for number, text in problems[:SHOWN]:
        print(f"graph {number}, made smaller:")
        show(*shrunk(generate(options.seed, number), text))
    graphs = options.graphs - first
    print(f"{counts['remaps']} remaps, {counts['collisions']} keys merged, "
          f"{counts['blown']} undone because a hash raised, "
          f"{counts['unsure']} not compared, "
          f"{seconds:.1f} s")
    print(f"model: {graphs} graphs, seed {options.seed}, "
          f"{counts['refused']} refused: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
