"""posix, select, mmap, _lsprof, semaphores, time and typing's variables."""

import _lsprof
import _multiprocessing
import _locale
import mmap
import os
import select
import signal
import time
import typing

from makers import Thing, maker, unfilled


@maker("posix.DirEntry")
def dir_entry():
    with os.scandir("/") as it:
        return next(it)


@maker("posix.ScandirIterator")
def scandir_iterator():
    it = os.scandir("/")
    it.close()          # or else it warns
    return it


@maker("select.poll")
def poll():
    return select.poll()


@maker("select.epoll")
def epoll():
    return select.epoll()


@maker("mmap.mmap")
def mmap_():
    return mmap.mmap(-1, 100)


@maker("_lsprof.Profiler")
def profiler():
    return _lsprof.Profiler(Thing())


@maker("_multiprocessing.SemLock")
def sem_lock():
    return _multiprocessing.SemLock(0, 1, 1, f"/audit-{os.getpid()}-"
                                    f"{time.monotonic_ns()}", True)


@maker("typing.TypeVar")
def type_var():
    class Scope[T: (Thing(), Thing()) = Thing()]:
        pass
    made, = Scope.__type_params__
    made.__constraints__, made.__default__
    return made


@maker("typing.TypeVar")
def type_var_bound():
    class Scope[T: Thing() = Thing()]:
        pass
    made, = Scope.__type_params__
    made.__bound__
    made.attribute = Thing()
    return made


@maker("typing.ParamSpec")
def param_spec():
    class Scope[**P = Thing()]:
        pass
    made, = Scope.__type_params__
    made.__default__
    made.attribute = Thing()
    return made


@maker("typing.ParamSpec")
def param_spec_bound():
    return typing.ParamSpec("P", bound=Thing(), default=Thing())


@maker("typing.ParamSpecArgs")
def param_spec_args():
    return typing.ParamSpec("P").args


@maker("typing.ParamSpecKwargs")
def param_spec_kwargs():
    return typing.ParamSpec("P").kwargs


@maker("typing.TypeVarTuple")
def type_var_tuple():
    class Scope[*Ts = Thing()]:
        pass
    made, = Scope.__type_params__
    made.__default__
    made.attribute = Thing()
    return made


@maker("typing.TypeAliasType")
def type_alias():
    type Alias[T] = Thing()
    Alias.__value__
    return Alias


@maker("typing.TypeAliasType")
def type_alias_called():
    return typing.TypeAliasType("Alias", Thing(),
                                type_params=(typing.TypeVar("T"),))


@maker("typing.Generic")
def generic():
    return object.__new__(typing.Generic)



for field in ("devpoll_Type", "kqueue_event_Type", "kqueue_queue_Type"):
    unfilled("Modules/selectmodule.c", "_select_traverse_change",
             f"state->{field}",
             "other operating systems have it")
