"""Child processes that may crash or hang: what fuzz scripts share."""

import os
import signal
import sys
import time


def restart_with_fixed_hashes(seed, asan_options):
    """Begins the script anew, unless it has been begun so: a seed names the same
    objects again, and what the address sanitizer finds is a signal, too."""
    if os.environ.get("PYTHONHASHSEED") == "0":
        return
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ["ASAN_OPTIONS"] = f"detect_leaks=0:abort_on_error=1:{asan_options}"
    os.execv(sys.executable, [sys.executable, "-B", *sys.argv,
                              *(["--seed", str(seed)]
                                if "--seed" not in sys.argv else [])])


def watch(pid, seconds):
    """Waits; returns the signal that killed it, 0 for none, None if it hangs."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if time.monotonic() > deadline:
            # faulthandler says where it was.
            os.kill(pid, signal.SIGABRT)
            time.sleep(1)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.002)


def how(killed):
    """What watch() has returned, in words."""
    return "hangs" if killed is None else killed and signal.Signals(killed).name


def in_parallel(jobs, worker):
    """Calls worker(0), worker(1)… in processes of their own; returns the sum of
    what they return, each no more than 100.

    Children of theirs unwind this stack when they exit: nothing may be cleaned up
    by it.
    """
    pids = []
    for first in range(jobs):
        pid = os.fork()
        if pid == 0:
            os._exit(min(worker(first), 100))
        pids.append(pid)
    return sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)
