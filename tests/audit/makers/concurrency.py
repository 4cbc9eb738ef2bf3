"""Makers for contextvars, _asyncio, _thread, _abc, ast, instruction sequences."""

import _abc
import _testinternalcapi
import abc
import ast
import asyncio
import contextvars
import gc
import threading
import tokenize     # for the state of _tokenize
import _thread
import _asyncio

from makers import Thing, maker, unfilled, unmakeable
from makers.core import string


# --- contextvars -----------------------------------------------------------------

def context_with(count=2):
    """A context of its own, with so many variables."""
    context = contextvars.Context()
    variables = []
    for i in range(count):
        # Tracked by the collector: it has a default that is.
        var = contextvars.ContextVar(string("name"), default=[Thing()])
        variables.append(var)
        context.run(var.set, Thing())
    return context, variables


def tree_of(context):
    for referent in gc.get_referents(context):
        if type(referent).__name__ == "hamt":
            return referent
    raise LookupError


@maker("_contextvars.Context")
def context():
    return context_with()[0]


@maker("_contextvars.Context", keep=True)
def context_entered():
    """It refers to the one before."""
    outer, context = contextvars.Context(), contextvars.Context()
    for each in (outer, context):
        each.run(contextvars.ContextVar(string("name")).set, Thing())
    started, stop = threading.Event(), threading.Event()

    def wait():
        started.set()
        stop.wait()
    thread = threading.Thread(
        target=outer.run, args=(context.run, wait), daemon=True)
    thread.start()
    started.wait()
    return context, Stop(stop, thread)


class Stop:
    """Ends a thread together with the object that it is kept for."""

    def __init__(self, event, thread):
        self.event = event
        self.thread = thread

    def __del__(self):
        self.event.set()
        self.thread.join()


@maker("_contextvars.ContextVar")
def context_var():
    return contextvars.ContextVar(string("name"), default=[Thing()])


@maker("_contextvars.Token")
def token():
    context = contextvars.Context()
    var = contextvars.ContextVar(string("name"), default=[Thing()])
    context.run(var.set, Thing())
    return context.run(var.set, Thing())


@maker("builtins.hamt")
def hamt():
    return tree_of(context_with()[0])


class Colliding:
    """As many with the same hash as you like."""

    def __init__(self, value=0):
        self.value = value

    def __hash__(self):
        return self.value


@maker("builtins.hamt_bitmap_node", keep=True)
def hamt_bitmap_node():
    tree = _testinternalcapi.hamt()
    for key in (1, 2, 33):
        tree = tree.set(Colliding(key), Thing())
    return gc.get_referents(tree)[0], tree


@maker("builtins.hamt_array_node", keep=True)
def hamt_array_node():
    tree = _testinternalcapi.hamt()
    for i in range(32):
        tree = tree.set(Colliding(i), Thing())
    return gc.get_referents(tree)[0], tree


@maker("builtins.hamt_collision_node", keep=True)
def hamt_collision_node():
    tree = _testinternalcapi.hamt()
    for i in range(3):
        tree = tree.set(Colliding(), Thing())
    node = gc.get_referents(tree)[0]
    while type(node).__name__ != "hamt_collision_node":
        (node,) = gc.get_referents(node)
    return node, tree


@maker("builtins.keys")
def hamt_keys():
    it = context_with()[0].keys()
    next(it)
    return it


@maker("builtins.values")
def hamt_values():
    it = context_with()[0].values()
    next(it)
    return it


@maker("builtins.items")
def hamt_items():
    it = context_with()[0].items()
    next(it)
    return it


# --- _asyncio ----------------------------------------------------------------------

class Loop:
    """Enough of an event loop for futures and tasks."""

    def __init__(self):
        self.scheduled = []

    def get_debug(self):
        return True

    def is_running(self):
        return False

    def call_soon(self, *args, context=None):
        self.scheduled.append((args, context))

    def call_exception_handler(self, context):
        pass


def callbacks(future):
    for _ in range(3):
        future.add_done_callback(Thing(), context=contextvars.Context())


@maker("_asyncio.Future")
def future_pending():
    future = _asyncio.Future(loop=Loop())
    callbacks(future)
    future.attribute = Thing()
    return future


@maker("_asyncio.Future")
def future_with_result():
    future = _asyncio.Future(loop=Loop())
    future.set_result(Thing())
    return future


@maker("_asyncio.Future")
def future_with_exception():
    future = _asyncio.Future(loop=Loop())
    try:
        raise ValueError(Thing())
    except ValueError as e:
        future.set_exception(e)
    future.exception()          # nobody is to hear of it
    return future


@maker("_asyncio.Future")
def future_cancelled():
    future = _asyncio.Future(loop=Loop())
    future.cancel(Thing())
    return future


async def wait_for(future, thing):
    local = Thing()
    try:
        await future
    finally:
        local, thing


def step(task):
    """What the loop does with a task that is new, or has been woken up."""
    (args, context) = task.get_loop().scheduled.pop(0)
    context.run(*args)


@maker("_asyncio.Task")
def task_waiting():
    loop = Loop()
    future = _asyncio.Future(loop=loop)
    task = _asyncio.Task(wait_for(future, Thing()), loop=loop,
                         name=string("name"), context=contextvars.Context())
    task._log_destroy_pending = False
    step(task)
    callbacks(task)
    task.attribute = Thing()
    return task


@maker("_asyncio.Task")
def task_to_be_cancelled():
    async def f():
        pass
    task = _asyncio.Task(f(), loop=Loop(), name=string("name"),
                         context=contextvars.Context())
    task._log_destroy_pending = False
    task.cancel(Thing())
    return task


unfilled("Modules/_asynciomodule.c", "FutureObj_traverse_change",
         "fut->fut_cancelled_exc", "only a task sets it, which visits it itself")


@maker("_asyncio.Task")
def task_with_result():
    async def f():
        return Thing()
    loop = Loop()
    task = _asyncio.Task(f(), loop=loop, name=string("name"),
                         context=contextvars.Context())
    step(task)
    return task


@maker("_asyncio.Task")
def task_with_exception():
    async def f():
        raise ValueError(Thing())
    loop = Loop()
    task = _asyncio.Task(f(), loop=loop, name=string("name"),
                         context=contextvars.Context())
    step(task)
    task.exception()
    return task


@maker("_asyncio.Task")
def task_cancelled():
    async def f():
        raise asyncio.CancelledError(Thing())
    loop = Loop()
    task = _asyncio.Task(f(), loop=loop, name=string("name"),
                         context=contextvars.Context())
    task.cancel(Thing())        # the message that it has now
    step(task)
    return task


@maker("_asyncio.FutureIter")
def future_iter():
    it = iter(_asyncio.Future(loop=Loop()))
    next(it)
    return it


@maker("_asyncio.TaskStepMethWrapper")
def task_step():
    loop = Loop()
    task = _asyncio.Task(wait_for(Thing(), Thing()), loop=loop,
                         context=contextvars.Context())
    task._log_destroy_pending = False
    return loop.scheduled[0][0][0]


@maker("_asyncio.TaskStepMethWrapper")
def task_step_with_exception():
    class BadYield:
        def __await__(self):
            yield Thing()
    loop = Loop()
    task = _asyncio.Task(wait_for(BadYield(), Thing()), loop=loop,
                         context=contextvars.Context())
    task._log_destroy_pending = False
    step(task)
    return loop.scheduled[0][0][0]


# --- _thread -----------------------------------------------------------------------

class Local(threading.local):
    def __init__(self, *args, **kwargs):
        self.thing = Thing()


@maker("_thread._local")
def local():
    it = threading.local()
    it.attribute = Thing()
    return it


@maker(__name__ + ".Local")
def sub_local():
    it = Local(Thing(), Thing(), name=Thing())
    it.attribute = Thing()
    return it


@maker("_thread.lock")
def lock():
    return _thread.allocate_lock()


@maker("_thread.RLock")
def rlock():
    return _thread.RLock()


@maker("_thread._ThreadHandle")
def thread_handle():
    return _thread._ThreadHandle()


unmakeable("_thread._localdummy", "private to the state of a thread")


# --- _abc ----------------------------------------------------------------------------

@maker("_abc._abc_data", keep=True)
def abc_data():
    class Abstract(abc.ABC):
        pass

    class Registered:
        pass
    class Derived(Abstract):
        pass
    Abstract.register(Registered)
    issubclass(Derived, Abstract)       # is in the cache now
    issubclass(Thing, Abstract)         # is in the other cache
    return Abstract._abc_impl, Abstract, Registered, Derived


# --- Syntax trees and instructions -----------------------------------------------------

@maker("ast.Name")
def ast_name():
    name = ast.Name(id=string("name"), ctx=ast.Load(), lineno=Thing())
    name.extra = Thing()
    return name


@maker("ast.Module")
def ast_module():
    return ast.parse("a = [b + 1, (c, d)]\ndef f(x: int): return x")


@maker("builtins.InstructionSequence")
def instruction_sequence():
    seq = _testinternalcapi.new_instruction_sequence()
    seq.add_nested(_testinternalcapi.new_instruction_sequence())
    return seq


unmakeable("_tokenize.TokenizerIter", "not tracked")
