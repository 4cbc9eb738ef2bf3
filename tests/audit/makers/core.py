"""Makers for the types of Objects/, Python/, _functools and _collections."""

import _testinternalcapi
import collections
import functools
import importlib.util
import os
import pickle
import sys
import time
import types
import typing
import weakref

from makers import unfilled, Thing, maker, unmakeable

DEBUG = hasattr(sys, "gettotalrefcount")


class Key(Thing):
    pass


def string(text="text"):
    """A str that is neither interned nor shared."""
    half = len(text) // 2
    return "".join([text[:half], text[half:]])


def number():
    return int("1" + "0" * 30)


# --- Tuples, lists, slices -------------------------------------------------------

@maker("builtins.tuple")
def tuple_():
    return (Thing(), Thing(), [Thing()])


@maker("builtins.tuple_iterator")
def tuple_iterator():
    it = iter((Thing(), Thing()))
    next(it)
    return it


@maker("builtins.list")
def list_():
    return [Thing(), Thing(), (Thing(),)]


@maker("builtins.list_iterator")
def list_iterator():
    it = iter([Thing(), Thing()])
    next(it)
    return it


@maker("builtins.list_reverseiterator")
def list_reverseiterator():
    it = reversed([Thing(), Thing()])
    next(it)
    return it


@maker("builtins.slice")
def slice_():
    return slice(Thing(), Thing(), Thing())


# --- Dicts, in all kinds of their keys -------------------------------------------

@maker("builtins.dict")
def dict_general():
    return {Key(): Thing(), (1, Key()): [Thing()]}


@maker("builtins.dict")
def dict_string_keys():
    return {"first": Thing(), "second": Thing()}


@maker("builtins.dict")
def dict_fresh_string_keys():
    return {string("first"): Thing(), string("second"): Thing()}


@maker("builtins.dict")
def dict_after_deletion():
    d = {Key(): Thing() for _ in range(20)}
    for key in list(d)[::2]:
        del d[key]
    return d


class Shared:
    def __init__(self):
        self.first = Thing()
        self.second = Thing()


@maker("builtins.dict")
def dict_shared_keys_detached():
    shared = Shared()
    return shared.__dict__


class SubDict(dict):
    pass


@maker(__name__ + ".SubDict")
def sub_dict():
    d = SubDict()
    d[Key()] = Thing()
    d.attribute = Thing()
    return d


def fill_dict():
    return {Key(): Thing(), Key(): Thing()}


@maker("builtins.dict_keyiterator")
def dict_keyiterator():
    it = iter(fill_dict())
    next(it)
    return it


@maker("builtins.dict_valueiterator")
def dict_valueiterator():
    it = iter(fill_dict().values())
    next(it)
    return it


@maker("builtins.dict_itemiterator")
def dict_itemiterator():
    it = iter(fill_dict().items())
    next(it)            # the pair that it will reuse
    return it


@maker("builtins.dict_reversekeyiterator")
def dict_reversekeyiterator():
    it = reversed(fill_dict())
    next(it)
    return it


@maker("builtins.dict_reversevalueiterator")
def dict_reversevalueiterator():
    it = reversed(fill_dict().values())
    next(it)
    return it


@maker("builtins.dict_reverseitemiterator")
def dict_reverseitemiterator():
    it = reversed(fill_dict().items())
    next(it)
    return it


@maker("builtins.dict_keys")
def dict_keys():
    return fill_dict().keys()


@maker("builtins.dict_values")
def dict_values():
    return fill_dict().values()


@maker("builtins.dict_items")
def dict_items():
    return fill_dict().items()


@maker("builtins.mappingproxy")
def mappingproxy():
    return types.MappingProxyType(fill_dict())


# --- Sets ------------------------------------------------------------------------

@maker("builtins.set")
def set_():
    return {Key(), (1, Key())}


@maker("builtins.set")
def set_large():
    return {Key() for _ in range(50)}


@maker("builtins.frozenset")
def frozenset_():
    return frozenset([Key(), frozenset([Key()])])


@maker("builtins.set_iterator")
def set_iterator():
    it = iter({Key(), Key()})
    next(it)
    return it


# --- OrderedDict, defaultdict, deque ----------------------------------------------

@maker("collections.OrderedDict")
def ordered_dict():
    d = collections.OrderedDict([(Key(), Thing()), (Key(), Thing())])
    d.attribute = Thing()
    return d


@maker("builtins.odict_iterator")
def odict_iterator():
    it = iter(collections.OrderedDict([(Key(), Thing()), (Key(), Thing())]))
    next(it)
    return it


@maker("builtins.odict_iterator")
def odict_item_iterator():
    d = collections.OrderedDict([(Key(), Thing()), (Key(), Thing())])
    it = iter(d.items())
    next(it)
    return it


@maker("builtins.odict_keys")
def odict_keys():
    return collections.OrderedDict([(Key(), Thing())]).keys()


@maker("builtins.odict_values")
def odict_values():
    return collections.OrderedDict([(Key(), Thing())]).values()


@maker("builtins.odict_items")
def odict_items():
    return collections.OrderedDict([(Key(), Thing())]).items()


@maker("collections.defaultdict")
def defaultdict():
    return collections.defaultdict(Thing(), {Key(): Thing()})


@maker("collections.deque")
def deque():
    return collections.deque(Thing() for _ in range(70))


@maker("collections._deque_iterator")
def deque_iterator():
    it = iter(collections.deque([Thing(), Thing()]))
    next(it)
    return it


@maker("collections._deque_reverse_iterator")
def deque_reverse_iterator():
    it = reversed(collections.deque([Thing(), Thing()]))
    next(it)
    return it


@maker("collections._tuplegetter")
def tuplegetter():
    from _collections import _tuplegetter
    return _tuplegetter(1, string("documentation"))


class Named(collections.namedtuple("Named", "x y")):
    pass


@maker(__name__ + ".Named")
def named_tuple():
    named = Named(Thing(), Thing())
    named.attribute = Thing()
    return named


# --- Iterators of bytes and strings ------------------------------------------------

@maker("builtins.bytes_iterator")
def bytes_iterator():
    it = iter(bytes(range(10)))
    next(it)
    return it


@maker("builtins.bytearray_iterator")
def bytearray_iterator():
    it = iter(bytearray(range(10)))
    next(it)
    return it


@maker("builtins.str_ascii_iterator")
def str_ascii_iterator():
    it = iter(string("characters"))
    next(it)
    return it


@maker("builtins.str_iterator")
def str_iterator():
    it = iter(string("char\xe4cters"))
    next(it)
    return it


# --- Iterators -------------------------------------------------------------------

class Indexable:
    def __getitem__(self, index):
        if index >= 5:
            raise IndexError
        return Thing()

    def __len__(self):
        return 5


@maker("builtins.iterator")
def sequence_iterator():
    return iter(Indexable())


@maker("builtins.callable_iterator")
def callable_iterator():
    return iter(iter([Thing(), Thing(), Thing()]).__next__, Thing())


@maker("builtins.enumerate")
def enumerate_():
    it = enumerate(iter([Thing(), Thing(), Thing()]), number())
    next(it)
    return it


@maker("builtins.reversed")
def reversed_():
    return reversed(Indexable())


@maker("builtins.map")
def map_():
    return map(Thing(), iter([Thing()]), iter([Thing()]))


@maker("builtins.filter")
def filter_():
    return filter(Thing(), iter([Thing()]))


@maker("builtins.zip")
def zip_():
    it = zip(iter([Thing(), Thing()]), iter([Thing(), Thing()]))
    next(it)
    return it


# --- Functions and what is near them ------------------------------------------------

@maker("builtins.function")
def function():
    first, second = Thing(), Thing()

    def f[T](a, b=first, *, c=second) -> Thing:
        return first, second
    f.__code__ = f.__code__.replace(co_name=string("code"))
    f.__name__ = string("name")
    f.__qualname__ = string("qualified")
    f.__module__ = string("module")
    f.__doc__ = string("documentation")
    f.__defaults__ = (Thing(),)
    f.__kwdefaults__ = {"c": Thing()}
    f.__annotations__ = {"a": Thing()}
    f.attribute = Thing()
    return f


@maker("builtins.function")
def function_with_tuple_of_annotations():
    def f(a: Thing(), b: Thing()):
        pass
    return f


@maker("builtins.function")
def function_with_globals():
    namespace = {"__builtins__": {"thing": Thing()}, "g": Thing()}
    exec("def f(): return g", namespace)
    return namespace["f"]


class Methods:
    def method(self):
        pass

    def __len__(self):
        return 0


@maker("builtins.method")
def method():
    return types.MethodType(Thing(), Thing())


@maker("builtins.instancemethod")
def instancemethod():
    import _testcapi
    return _testcapi.instancemethod(Thing())


@maker("builtins.builtin_function_or_method")
def builtin_method():
    return [Thing()].append


@maker("builtins.builtin_function_or_method")
def builtin_class_method():
    class SubDict(dict):
        pass
    return SubDict.fromkeys


def fresh_module(name):
    """Another module object for an extension module: not that of sys.modules."""
    spec = importlib.util.find_spec(name)
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    return fresh


@maker("builtins.builtin_function_or_method")
def builtin_function():
    # It refers to its module, and to the name of the module.
    return fresh_module("_heapq").heappush


@maker("builtins.builtin_method")
def builtin_method_of_class():
    # It knows the class that defines it.
    return fresh_module("_queue").SimpleQueue().get


@maker("builtins.type")
def class_of_module():
    return fresh_module("_queue").SimpleQueue


@maker("builtins.method-wrapper")
def method_wrapper():
    class WithLen(Methods):
        pass
    return (Thing(),).__len__


@maker("builtins.staticmethod")
def staticmethod_():
    s = staticmethod(Thing())
    s.attribute = Thing()
    return s


@maker("builtins.classmethod")
def classmethod_():
    c = classmethod(Thing())
    c.attribute = Thing()
    return c


@maker("builtins.property")
def property_():
    class C:
        name = property(Thing(), Thing(), Thing(), string("documentation"))
    return vars(C)["name"]


@maker("builtins.cell")
def cell():
    return types.CellType(Thing())


@maker("builtins.super")
def super_():
    class A:
        pass

    class B(A):
        pass
    return super(B, B())


@maker("builtins.member_descriptor")
def member_descriptor():
    class C:
        __slots__ = ("slot_of_its_own",)
    return C.slot_of_its_own


@maker("builtins.getset_descriptor")
def getset_descriptor():
    class C:
        pass
    return vars(C)["__dict__"]


@maker("builtins.method_descriptor")
def method_descriptor():
    return vars(fresh_module("_queue").SimpleQueue)["empty"]


@maker("builtins.wrapper_descriptor")
def wrapper_descriptor():
    return functools.partial.__call__


@maker("builtins.classmethod_descriptor")
def classmethod_descriptor():
    return vars(dict)["fromkeys"]


# --- Generators and coroutines -----------------------------------------------------

class Awaitable:
    def __await__(self):
        yield Thing()


def rename(gen):
    gen.__name__ = string("name")
    gen.__qualname__ = string("qualified")
    return gen


@maker("builtins.generator")
def generator():
    def f(a, b):
        c = Thing()
        try:
            raise Exception(Thing())
        except Exception:
            for d in [Thing(), Thing()]:
                yield a
        return b, c
    gen = rename(f(Thing(), Thing()))
    next(gen)
    return gen


@maker("builtins.generator")
def generator_expression():
    free = Thing()
    gen = ((x, free) for x in [Thing(), Thing()])
    next(gen)
    return gen


@maker("builtins.generator")
def generator_not_started():
    def f(a):
        yield a
    return rename(f(Thing()))


@maker("builtins.generator")
def generator_with_frame_object():
    def f(a):
        b = Thing()
        yield a
        return b
    gen = rename(f(Thing()))
    next(gen)
    gen.gi_frame.f_trace = Thing()
    gen.gi_frame.f_locals["extra"] = Thing()
    return gen


@maker("builtins.coroutine")
def coroutine():
    async def f(a):
        b = Thing()
        try:
            raise Exception(Thing())
        except Exception:
            await Awaitable()
        return a, b
    coro = rename(f(Thing()))
    coro.send(None)
    return coro


@maker("builtins.coroutine_wrapper")
def coroutine_wrapper():
    return coroutine().__await__()


@maker("builtins.async_generator")
def async_generator():
    async def f(a):
        b = Thing()
        try:
            raise Exception(Thing())
        except Exception:
            yield a
            await Awaitable()
            yield b
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(Thing(), Thing())
    try:
        agen = rename(f(Thing()))
        try:
            agen.__anext__().send(None)
        except StopIteration:
            pass
    finally:
        sys.set_asyncgen_hooks(*hooks)
    return agen


@maker("builtins.async_generator_asend")
def async_generator_asend():
    async def f():
        await Awaitable()
        while True:
            yield Thing()
    agen = f()
    asend = agen.asend(None)
    asend.send(None)
    return asend


@maker("builtins.async_generator_asend")
def async_generator_asend_of_value():
    async def f():
        while True:
            yield Thing()
    agen = f()
    try:
        agen.asend(None).send(None)
    except StopIteration:
        pass
    return agen.asend(Thing())


@maker("builtins.async_generator_athrow")
def async_generator_athrow():
    async def f():
        try:
            yield Thing()
        finally:
            await Awaitable()
    agen = f()
    try:
        agen.asend(None).send(None)
    except StopIteration:
        pass
    athrow = agen.athrow(ValueError(Thing()))
    athrow.send(None)
    return athrow


@maker("builtins.anext_awaitable")
def anext_awaitable():
    class Async:
        def __anext__(self):
            return Awaitable()
    return anext(Async(), Thing())


unmakeable("builtins.async_generator_wrapped_value",
           "lives between an async generator and its asend()")


@maker("builtins.frame")
def frame():
    def f(a, b):
        def inner():
            return c
        c = Thing()
        return sys._getframe()
    fr = f(Thing(), Thing())
    fr.f_trace = Thing()
    fr.f_locals["extra"] = Thing()
    # f_back keeps the caller's frame: the same for each that is made.
    return fr


@maker("builtins.frame")
def frame_of_class_body():
    namespace = {"sys": sys}
    exec("class C:\n x = object()\n frame = sys._getframe()\n", namespace)
    return namespace["C"].frame


@maker("builtins.frame")
def frame_with_cached_locals():
    import _testlimitedcapi

    def f(a):
        _testlimitedcapi.eval_getlocals()
        return sys._getframe()
    return f(Thing())


@maker("builtins.FrameLocalsProxy")
def frame_locals_proxy():
    return frame().f_locals


@maker("builtins.traceback")
def traceback():
    def inner():
        thing = Thing()
        raise ValueError(thing)

    def outer():
        inner()
    try:
        outer()
    except ValueError as e:
        return e.__traceback__


# --- Exceptions --------------------------------------------------------------------

def complete(exc):
    """Every field of BaseException."""
    try:
        try:
            raise KeyError(Thing())
        except KeyError:
            raise exc
    except type(exc):
        pass
    exc.__cause__ = LookupError(Thing())
    exc.__notes__ = [Thing()]
    exc.add_note(string("note"))
    exc.attribute = Thing()
    return exc


def exceptions():
    fields = {
        StopIteration: lambda: StopIteration(Thing()),
        SystemExit: lambda: SystemExit(Thing()),
        ImportError: lambda: ImportError(
            string("message"), name=string("name"), path=string("path"),
            name_from=string("from")),
        ModuleNotFoundError: lambda: ModuleNotFoundError(
            string("message"), name=string("name"), path=string("path")),
        OSError: lambda: OSError(
            number(), string("strerror"), string("filename"), None,
            string("filename2")),
        NameError: lambda: NameError(Thing(), name=string("name")),
        UnboundLocalError: lambda: UnboundLocalError(
            Thing(), name=string("name")),
        AttributeError: lambda: AttributeError(
            Thing(), name=string("name"), obj=Thing()),
        SyntaxError: syntax_error,
        UnicodeEncodeError: lambda: UnicodeEncodeError(
            string("encoding"), string("object"), 1, 2, string("reason")),
        UnicodeDecodeError: lambda: UnicodeDecodeError(
            string("encoding"), bytes([1, 2, 3]), 1, 2, string("reason")),
        UnicodeTranslateError: lambda: UnicodeTranslateError(
            string("object"), 1, 2, string("reason")),
        BaseExceptionGroup: lambda: BaseExceptionGroup(
            string("message"),
            [ValueError(Thing()), KeyboardInterrupt(Thing())]),
        ExceptionGroup: lambda: ExceptionGroup(
            string("message"), [ValueError(Thing()), TypeError(Thing())]),
    }
    for cls, make in fields.items():
        maker(f"builtins.{cls.__name__}")(
            lambda make=make: complete(make()))
    import builtins
    for cls in vars(builtins).values():
        if (isinstance(cls, type) and issubclass(cls, BaseException)
                and cls not in fields
                and not issubclass(cls, (OSError, SyntaxError))):
            maker(f"builtins.{cls.__name__}")(
                lambda cls=cls: complete(cls(Thing(), Thing())))
        elif (isinstance(cls, type) and issubclass(cls, OSError)
                and cls is not OSError):
            maker(f"builtins.{cls.__name__}")(
                lambda cls=cls: complete(cls(
                    number(), string("strerror"), string("filename"), None,
                    string("filename2"))))
        elif (isinstance(cls, type) and issubclass(cls, SyntaxError)
                and cls is not SyntaxError):
            maker(f"builtins.{cls.__name__}")(
                lambda cls=cls: complete(syntax_error(cls)))


def syntax_error(cls=SyntaxError):
    e = cls(string("message"), (
        string("filename"), number(), number(), string("line"),
        number(), number()))
    e.print_file_and_line = Thing()
    return e


exceptions()


@maker("builtins.BlockingIOError")
def blocking_io_error():
    return complete(BlockingIOError(number(), string("strerror"), 1))


# --- Classes and modules -----------------------------------------------------------

@maker("builtins.type")
def class_():
    class Base:
        pass

    class C(Base):
        attribute = Thing()
        __slots__ = ("slot",)

        def method(self):
            return __class__
    return C


@maker("builtins.module")
def module():
    m = types.ModuleType(string("name"), string("documentation"))
    m.attribute = Thing()
    return m


class Plain:
    pass


@maker(__name__ + ".Plain")
def instance_with_inline_values():
    x = Plain()
    x.a = Thing()
    x.b = Thing()
    return x


@maker(__name__ + ".Plain")
def instance_with_dict():
    x = Plain()
    x.__dict__ = {"a": Thing(), Key(): Thing()}
    return x


class Slots:
    __slots__ = ("a", "b", "__dict__", "__weakref__")


@maker(__name__ + ".Slots")
def instance_with_slots():
    x = Slots()
    x.a = Thing()
    x.b = Thing()
    x.c = Thing()
    return x


class SubList(list):
    pass


@maker(__name__ + ".SubList")
def sub_list():
    x = SubList([Thing(), Thing()])
    x.attribute = Thing()
    return x


class SubInt(int):
    pass


@maker(__name__ + ".SubInt")
def sub_int():
    x = SubInt(number())        # its dict is behind its digits
    x.attribute = Thing()
    return x


class SubTuple(tuple):
    pass


@maker(__name__ + ".SubTuple")
def sub_tuple():
    x = SubTuple([Thing(), Thing()])
    x.attribute = Thing()
    return x


@maker("types.SimpleNamespace")
def simple_namespace():
    return types.SimpleNamespace(a=Thing(), b=Thing())


@maker("types.GenericAlias")
def generic_alias():
    T = typing.TypeVar("T")
    alias = types.GenericAlias(Thing(), (Thing(), T))
    alias.__parameters__
    return alias


@maker("builtins.generic_alias_iterator")
def generic_alias_iterator():
    return iter(types.GenericAlias(Thing(), (Thing(), Thing())))


@maker("types.UnionType")
def union():
    class A:
        pass
    T = typing.TypeVar("T")
    u = A | list[T]
    u.__parameters__
    return u


# --- Struct sequences ----------------------------------------------------------------

@maker("time.struct_time")
def struct_time():
    return time.struct_time(
        [Thing() for _ in range(9)], {"tm_zone": Thing(),
                                      "tm_gmtoff": Thing()})


@maker("os.stat_result")
def stat_result():
    return os.stat_result([Thing() for _ in range(10)],
                          {"st_atime": Thing(), "st_mtime": Thing()})


# --- Memory --------------------------------------------------------------------------

@maker("builtins.memoryview")
def memoryview_():
    return memoryview(bytearray(10))


@maker("builtins.managedbuffer", keep=True)
def managed_buffer():
    import gc
    view = memoryview(bytearray(10))
    (buffer,) = gc.get_referents(view)
    return buffer, view


@maker("builtins.memory_iterator")
def memory_iterator():
    it = iter(memoryview(bytearray(10)))
    next(it)
    return it


@maker("pickle.PickleBuffer")
def pickle_buffer():
    return pickle.PickleBuffer(bytearray(10))


class Exporter:
    def __init__(self):
        self.data = bytearray(10)

    def __buffer__(self, flags):
        return memoryview(self.data)

    def __release_buffer__(self, view):
        view.release()


@maker("builtins._buffer_wrapper", keep=True)
def buffer_wrapper():
    import gc
    view = memoryview(Exporter())
    (buffer,) = gc.get_referents(view)
    (wrapper,) = gc.get_referents(buffer)
    return wrapper, view


# --- functools -------------------------------------------------------------------------

@maker("functools.partial")
def partial():
    p = functools.partial(Thing(), Thing(), Thing(), name=Thing())
    p.attribute = Thing()
    return p


@maker("functools.KeyWrapper")
def key_wrapper():
    return functools.cmp_to_key(Thing())(Thing())


@maker("functools._lru_cache_wrapper")
def lru_cache():
    f = functools.lru_cache(Thing())
    f(Key())
    f(Key(), name=Key())
    f.attribute = Thing()
    return f


@maker("functools._lru_cache_wrapper")
def lru_cache_typed():
    f = functools.lru_cache(2, typed=True)(Thing())
    f(Key())
    f(Key())
    f(Key())
    return f


@maker("functools._lru_cache_wrapper")
def lru_cache_unbounded():
    f = functools.lru_cache(None)(Thing())
    f(Key())
    f(Key(), name=Key())
    return f


unmakeable("functools._lru_list_elem",
           "not tracked: its lru_cache visits what it holds")


# --- Weak references -----------------------------------------------------------------

def weak_target():
    class Target:
        def __call__(self):
            pass
    return Target()


@maker("weakref.ReferenceType", keep=True)
def weak_reference():
    target = weak_target()
    return weakref.ref(target, Thing()), target


class SubRef(weakref.ref):
    pass


@maker(__name__ + ".SubRef", keep=True)
def sub_reference():
    target = weak_target()
    ref = SubRef(target, Thing())
    ref.attribute = Thing()
    return ref, target


@maker("weakref.CallableProxyType", keep=True)
def weak_callable_proxy():
    target = weak_target()
    return weakref.proxy(target, Thing()), target


@maker("weakref.ProxyType", keep=True)
def weak_proxy():
    class Target:
        pass
    target = Target()
    return weakref.proxy(target, Thing()), target


unmakeable("builtins.uop_executor", "only with the tier 2 optimizer")
unmakeable("builtins.counting_executor", "only with the tier 2 optimizer")


unfilled("Objects/exceptions.c", "BaseException_traverse_change", "self->notes",
         "__notes__ is kept in the dict")
unfilled("Objects/exceptions.c", "OSError_traverse_change", "self->winerror",
         "only on Windows")
unfilled("Objects/genobject.c", "async_gen_wrapped_val_traverse_change",
         "o->agw_val", "see builtins.async_generator_wrapped_value")
unfilled("Objects/typeobject.c", "subtype_traverse_change", "*dictptr",
         "only where C code made the type")
for function, fields in {
        "_PyRemap_TraverseThreads": """
            tstate->current_exception tstate->exc_state.exc_value
            tstate->context ((_PyThreadStateImpl*)tstate)->asyncio_running_loop
            tstate->c_traceobj tstate->c_profileobj tstate->async_exc
            tstate->async_gen_firstiter tstate->async_gen_finalizer""",
        "traverse_running_frame": "f->f_trace f->f_extra_locals f->f_locals_cache",
        "traverse_atexit": "callback->func callback->args callback->kwargs",
        "_PyRemap_TraverseInterpreter": """
            interp->imports.modules interp->imports.importlib
            interp->gc.garbage interp->gc.callbacks
            interp->warnings.filters interp->warnings.once_registry
            interp->monitoring_tool_names[tool]
            interp->monitoring_callables[tool][event]
            _PyRuntime.signals.handlers[signum].func"""}.items():
    for field in fields.split():
        unfilled("Python/remap.c", function, field, "held by a thread or by the "
                 "interpreter, and no object: tests/conformance/test_roots.py")
