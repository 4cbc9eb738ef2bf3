"""Run the battery: each scenario in a process of its own, through each engine.

    python benches/reloaders/run.py [--engine NAME]… [--only TEXT] [--write]

`--write` makes ``docs/reloaders.md`` and ``results.json`` anew, from all engines. It needs
their packages (and those that some scenarios use):

    python -m pip install ipython jurigged hmr plone.reload pyflyby fastapi

Examples:

    python benches/reloaders/run.py                              (hotreload only)
    python benches/reloaders/run.py --engine jurigged --only enum --verbose
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "hotreload" / "src")]

import engines  # noqa: E402
import scenarios  # noqa: E402
import table  # noqa: E402

TIMEOUT = 30

HASH_SEED = "2"
"""plone.reload visits names in the order of a set. With this seed it does best."""

COUNT_RUNS = "import sys; sys.runs_of_the_program = getattr(sys, 'runs_of_the_program', 0) + 1\n"
"""Some tools run the program again, and its state is lost."""


def run_here(engine: engines.Engine, scenario: scenarios.Scenario, folder: Path) -> dict[str, Any]:
    """Run one scenario; the process is not fit for another one."""
    sys.dont_write_bytecode = True
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    clock = time.time_ns()
    result: dict[str, Any] = {"passed": False, "seconds": []}

    def write(files: dict[str, str]) -> None:
        nonlocal clock
        clock += 10 * 10 ** 9
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
            os.utime(folder / path, ns=(clock, clock))
    try:
        write(scenario.files)
        engine.start(folder, [*scenario.files])
        namespace = engine.run(COUNT_RUNS + scenario.before)
        for files, check in zip(scenario.edits, scenario.after):
            write(files)
            begin = time.perf_counter()
            try:
                engine.reload(scenario.reload)
            except (Exception, SystemExit) as error:
                result["error"] = f"{type(error).__name__}: {error}"
            result["seconds"].append(time.perf_counter() - begin)
            exec(compile(check, "after", "exec"), namespace)
        result["passed"] = True
        result["runs"] = sys.runs_of_the_program  # type: ignore[attr-defined]
    except BaseException as error:
        result["failure"] = "".join(traceback.format_exception_only(error)).strip()
        result["where"] = traceback.format_exc()
    return result


def run_forked(engine: engines.Engine, scenario: scenarios.Scenario) -> dict[str, Any]:
    """Run one scenario in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            data = json.dumps(run_here(engine, scenario, Path(folder).resolve())).encode()
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(data)
            os._exit(0)
        os.close(writer)
        data = b""
        deadline = time.monotonic() + TIMEOUT
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            while True:
                ready, _, _ = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
                if not ready:
                    os.kill(child, signal.SIGKILL)
                    break
                chunk = pipe.read(65536)
                if not chunk:
                    break
                data += chunk
        _, status = os.waitpid(child, 0)
        if not data:
            died = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "exit"
            return {"passed": False, "seconds": [], "failure": f"the process died: {died}"}
        # Where the program was is nobody's business, and another place each time.
        return json.loads(data.replace(str(Path(folder).resolve()).encode(), b"..."))


def run_engine(name: str, only: str) -> dict[str, Any]:
    """All scenarios through one engine."""
    engine = engines.ENGINES[name]()
    engine.prepare()
    results = {}
    for full, scenario in scenarios.load().items():
        if only in full:
            results[full] = run_forked(engine, scenario)
    return {"title": engine.title, "version": engine.version(), "results": results}


def run_engine_in_a_process(name: str, only: str) -> dict[str, Any]:
    """The same in a fresh interpreter, so that engines do not see each other."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        child = os.fork()
        if not child:
            Path(file.name).write_text(json.dumps(run_engine(name, only)))
            os._exit(0)
        os.waitpid(child, 0)
        return json.loads(Path(file.name).read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", action="append", choices=[*engines.ENGINES],
                        help="may be given more than once")
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name contains this")
    parser.add_argument("--write", action="store_true", help="all engines, all scenarios")
    parser.add_argument("--verbose", "-v", action="store_true", help="show tracebacks")
    options = parser.parse_args()
    names = [*engines.ENGINES] if options.write else options.engine or ["hotreload"]
    if options.write and options.only:
        parser.error("--write is for all scenarios")
    for name in names:
        try:
            engines.ENGINES[name]().version()
        except importlib.metadata.PackageNotFoundError as error:
            parser.error(f"{name} is not installed: python -m pip install {error.name}")
    battery = {}
    for name in names:
        battery[name] = run = run_engine_in_a_process(name, options.only)
        passed = sum(map(table.kept_state, run["results"].values()))
        print(f"{name}: {passed} of {len(run['results'])}", flush=True)
        if not options.write:
            for full, result in run["results"].items():
                if not result["passed"]:
                    print(f"  {full}: {result['failure']}  {result.get('error', '')}")
                    if options.verbose:
                        print(result.get("where"))
    if options.write:
        table.write(battery, scenarios.load())
    return 0


if __name__ == "__main__":
    if "PYTHONHASHSEED" not in os.environ:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, *sys.argv])
    sys.exit(main())
