"""ctypes, _ssl, sockets, capsules, dbm and curses panels."""

import ctypes
import faulthandler
import os
import signal
import sys
import tempfile

import _ctypes
import _interpchannels
import _interpqueues
import _interpreters
import _socket
import _ssl
import socket
import ssl

from makers import Thing, maker, unfilled, unmakeable


def function_type():
    class Argument(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int)]
    return ctypes.CFUNCTYPE(ctypes.c_int, Argument)


@maker("_ctypes.PyCPointerType")
def pointer_type():
    class Target(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int)]
    return ctypes.POINTER(Target)


@maker("_ctypes.PyCArrayType")
def array_type():
    class Item(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int)]
    return Item * 3


@maker("_ctypes.PyCStructType")
def structure_type():
    class Record(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int)]
    return Record


@maker("_ctypes.UnionType")
def union_type():
    class Choice(ctypes.Union):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_float)]
    return Choice


@maker("_ctypes.PyCSimpleType")
def simple_type():
    class Number(ctypes.c_int):
        pass
    return Number


@maker("_ctypes.PyCFuncPtrType")
def function_pointer_type():
    class Checked(ctypes.c_int):
        _check_retval_ = Thing()

    class Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL
        _restype_ = Checked
        _argtypes_ = (ctypes.c_int, Checked)
    return Function


class Record(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("number", ctypes.c_int)]


class Outer(ctypes.Structure):
    _fields_ = [("inner", Record)]


class Choice(ctypes.Union):
    _fields_ = [("name", ctypes.c_char_p), ("number", ctypes.c_int)]


@maker(f"{__name__}.Record")
def structure():
    return Record(os.urandom(5).hex().encode(), 3)


@maker(f"{__name__}.Record")
def inner_structure():
    return Outer().inner            # _b_base_


@maker(f"{__name__}.Choice")
def union():
    return Choice(os.urandom(5).hex().encode())


@maker("ctypes.c_char_p")
def simple():
    return ctypes.c_char_p(os.urandom(5).hex().encode())


@maker("_ctypes.CField", keep=True)
def field():
    class Fielded(ctypes.Structure):
        _fields_ = [("x", Record)]
    return Fielded.x, Fielded


@maker("_ctypes.CArgObject")
def byref():
    return ctypes.byref(Record())


@maker("ctypes.CFUNCTYPE.<locals>.CFunctionType")
def callback():
    return function_type()(lambda argument: 3)


@maker("ctypes.PYFUNCTYPE.<locals>.CFunctionType")
def foreign_function():
    class Checked(ctypes.c_int):
        _check_retval_ = Thing()

    flags = ((1, "text" + os.urandom(4).hex(), Thing()),)
    prototype = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_char_p)
    # Whatever it is called with, it takes nothing.
    function = prototype(("Py_IsInitialized", ctypes.pythonapi), flags)
    function.argtypes = (ctypes.c_char_p,)
    function.restype = Checked
    function.errcheck = Thing()
    return function


@maker("_ctypes.CThunkObject")
def thunk():
    return callback()._objects["0"]


@maker("_ssl._SSLContext")
def ssl_context():
    context = _ssl._SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = Thing()
    context._msg_callback = Thing()
    return context


@maker("_ssl._SSLSocket", keep=True)
def ssl_socket():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    wrapped = context.wrap_bio(incoming, outgoing, server_hostname="a.example")
    return wrapped._sslobj, wrapped


@maker("_ssl.MemoryBIO")
def memory_bio():
    return _ssl.MemoryBIO()


@maker("_socket.socket", keep=True)
def raw_socket():
    a, b = socket.socketpair()
    raw = _socket.socket(fileno=a.detach())
    return raw, b


@maker("socket.socket")
def python_socket():
    return socket.socket()


@maker("_gdbm.gdbm")
def gdbm_database():
    import _gdbm
    with tempfile.TemporaryDirectory() as directory:   # it stays open
        return _gdbm.open(os.path.join(directory, "data"), "n")


@maker("_dbm.dbm")
def dbm_database():
    import _dbm
    with tempfile.TemporaryDirectory() as directory:   # it stays open
        return _dbm.open(os.path.join(directory, "data"), "n")


@maker("builtins.PyCapsule", keep=True)
def capsule():
    return (_socket.CAPI,)          # there is one a module


unmakeable("_ctypes.StructParam_Type",
           "lives while a structure is passed to a C function")
unmakeable("_ctypes.CType_Type", "the metatype of no type of its own")
unmakeable("_ssl.SSLSession", "needs a handshake with a server")

unfilled("Modules/_ctypes/_ctypes.c", "StructParam_traverse_change", "Py_TYPE",
         "see _ctypes.StructParam_Type")
unfilled("Modules/_ctypes/_ctypes.c", "comerror_traverse_change", "Py_TYPE",
         "only on Windows")
for field in "error_object_name", "PyComError_Type":
    unfilled("Modules/_ctypes/_ctypes.c", "module_traverse_change",
             f"st->{field}", "only on Windows, or made by the first error")
unfilled("Modules/_ssl.c", "PySSL_traverse_change", "self->exc",
         "set by a failed message callback, and taken before the call returns")
for field in "self->ctx", "Py_TYPE":
    unfilled("Modules/_ssl.c", "PySSLSession_traverse_change", field,
             "see _ssl.SSLSession")


@maker("_ctypes._KeptObjects")
def kept_objects():
    return structure()._objects


@maker("_ctypes._KeptObjects")
def kept_by_cast():
    # It has keys that are no strings.
    return ctypes.cast(ctypes.create_string_buffer(9),
                       ctypes.c_void_p)._objects


# State of modules that nothing sets by itself.
faulthandler.enable(sys.__stderr__)
null = open(os.devnull, "wb")
faulthandler.dump_traceback_later(10**6, file=null)
faulthandler.register(signal.SIGUSR2, file=null)
try:
    # They tell their modules of their classes.
    import test.support.interpreters.channels
    import test.support.interpreters.queues
except ImportError:
    pass
