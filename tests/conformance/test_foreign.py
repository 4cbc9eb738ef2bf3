"""gc.remap() and ctypes, ssl, codecs and the interpreter's own tables."""

import codecs
import ctypes
import gc
import ssl
import sys
import unittest
import weakref

from support import (Pairs, RemapTestCase, Thing, main, no_leak_check,
                     run_script)


def record(kind=ctypes.c_int, base=ctypes.Structure, name="x"):
    return type(base)("Record", (base,), {"_fields_": [(name, kind)]})


class CtypesTests(RemapTestCase):

    @no_leak_check("ctypes keeps pointer types for ever")
    def test_pointer_follows_the_same_layout(self):
        pairs = Pairs(record(), record())
        pointer = ctypes.POINTER(pairs.old)
        instance = pointer(pairs.old(3))
        gc.remap(pairs.list)
        self.assertIs(pointer._type_, pairs.new)
        self.assertIs(ctypes.POINTER(pairs.new), pointer)
        self.assertIsInstance(instance.contents, pairs.new)
        self.assertEqual(instance.contents.x, 3)
        instance.contents = pairs.new(4)
        self.assertEqual(instance[0].x, 4)

    @no_leak_check("ctypes keeps pointer types for ever")
    def test_pointer_stays_with_its_own_layout(self):
        pairs = Pairs(record(), record(ctypes.c_char * 1000))
        pointer = ctypes.POINTER(pairs.old)
        gc.remap(pairs.list)
        other = ctypes.POINTER(pairs.new)
        self.assertIsNot(other, pointer)
        value = pairs.new(b"abc")
        self.assertEqual(other(value).contents.x, b"abc")
        self.assertEqual(ctypes.sizeof(other(value).contents), 1000)

    def test_array_of_the_new_type(self):
        pairs = Pairs(record(), record(ctypes.c_char * 1000))
        array_type = pairs.old * 3
        array = array_type()
        gc.remap(pairs.list)
        self.assertEqual(ctypes.sizeof(array), 12)
        self.assertEqual(array[2].x, 0)
        self.assertEqual(ctypes.sizeof(pairs.new * 3), 3000)
        array_type = array = None
        gc.collect()

    def test_instance_of_another_layout(self):
        pairs = Pairs(record(), record(ctypes.c_char * 1000))
        instance = pairs.old(7)
        self.refused(pairs, TypeError, "layout")
        self.assertEqual(instance.x, 7)

    def test_instance_of_the_same_layout(self):
        pairs = Pairs(record(), record())
        instance = pairs.old(7)
        gc.remap(pairs.list)
        self.assertIs(type(instance), pairs.new)
        self.assertEqual(instance.x, 7)

    def test_callback_keeps_its_types(self):
        # libffi was given addresses inside of the types.
        pairs = Pairs(record(), record())
        seen = []
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, pairs.old)
        function = prototype(lambda r: seen.append(r.x) or 5)
        gc.remap(pairs.list)
        pairs.list[0] = (None, pairs.new)
        gc.collect()
        self.assertEqual(function(pairs.new(9)), 5)
        self.assertEqual(seen, [9])
        prototype = function = None
        ctypes._reset_cache()

    def test_callback_function(self):
        pairs = Pairs(lambda x: x + 1, lambda x: x + 2)
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
        function = prototype(pairs.old)
        gc.remap(pairs.list)
        self.assertEqual(function(1), 3)

    def test_callback_must_be_callable(self):
        pairs = Pairs(lambda x: x + 1, Thing())
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
        function = prototype(pairs.old)
        self.refused(pairs, TypeError, "callable of .* must be callable")
        self.assertEqual(function(1), 2)

    def test_parameter_flags(self):
        def function():
            prototype = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_char_p)
            flags = (tuple([1, "text"]),)     # not a constant
            return prototype(("PyRun_SimpleString", ctypes.pythonapi),
                             flags), flags[0]
        for replacement in [], (), (Thing(),), 3:
            f, flag = function()
            gc.remap([(flag, replacement)])
            flag = None
            with self.assertRaisesRegex(TypeError, "paramflags"):
                f(b"1")

    def test_assigned_argument_types(self):
        # Nothing compares them with the flags.
        prototype = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_char_p)
        f = prototype(("PyRun_SimpleString", ctypes.pythonapi),
                      ((1, "text"),))
        f.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
        with self.assertRaisesRegex(TypeError, "paramflags"):
            f(b"1", b"2")

    def test_errcheck(self):
        pairs = Pairs(lambda *args: "old", lambda *args: "new")
        f = ctypes.PYFUNCTYPE(ctypes.c_int)(
            ("Py_IsInitialized", ctypes.pythonapi))
        f.errcheck = pairs.old
        gc.remap(pairs.list)
        self.assertEqual(f(), "new")

    def test_result_type(self):
        pairs = Pairs(lambda code: "old", lambda code: "new")
        f = ctypes.PYFUNCTYPE(ctypes.c_int)(
            ("Py_IsInitialized", ctypes.pythonapi))
        f.restype = pairs.old
        gc.remap(pairs.list)
        self.assertEqual(f(), "new")
        self.refused(Pairs(pairs.new, []), TypeError, "restype")

    def test_memory_of_a_string(self):
        pairs = Pairs(b"".join([b"spam", b"eggs"]), b"".join([b"x", b"y"]))
        pointer = ctypes.c_char_p(pairs.old)
        gc.remap(pairs.list)
        pairs.list[0] = (None, None)
        self.assertEqual(pointer.value, b"spameggs")

    def test_memory_of_a_field(self):
        # The structure holds the address of the string.
        class Record(ctypes.Structure):
            _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.py_object)]
        pairs = Pairs(b"".join([b"spam", b"eggs"]), b"".join([b"x", b"y"]),
                      Thing("old"), Thing("new"))
        record = Record(pairs.old, pairs.old_at(1))
        array = (ctypes.py_object * 2)(pairs.old_at(1))
        result = gc.remap(pairs.list)
        self.assertEqual(result.left_behind[0], 1)
        pairs.list.clear()
        gc.collect()
        self.assertEqual(record.name, b"spameggs")
        self.assertEqual(record.value.name, "old")
        self.assertIs(array[0], record.value)
        self.assertEqual(list(record._objects), ["0", "1"])
        record.name = b"other"
        self.assertEqual(record.name, b"other")
        Record = record = array = None
        gc.collect()

    def test_fields_of_any_kind(self):
        run_script(self, """
            import ctypes, gc, sys
            import _testinternalcapi as t
            def make():
                class S(ctypes.Structure):
                    _fields_ = [("x", ctypes.c_int)]
                f = ctypes.CFUNCTYPE(ctypes.c_int, S)(lambda s: s.x)
                f.errcheck = lambda r, f, a: r
                return [S, S.x, S(3), ctypes.POINTER(S), S * 3,
                        ctypes.pointer(S(3)), f, type(f), ctypes.byref(S()),
                        f._objects["0"]]
            def use(o):
                S = o[0]
                for function in (lambda: repr(o), lambda: o[2].x,
                                 lambda: o[5].contents.x, lambda: o[6](S(4)),
                                 lambda: o[4]()[1].x, lambda: S(4).x,
                                 lambda: ctypes.POINTER(S)(S(4))[0].x,
                                 lambda: (S * 3)(), lambda: repr(o[1])):
                    try:
                        function()
                    except Exception:
                        pass
            count = len([r for x in make()
                         for r in t.traverse_change_references(x)])
            for new in (42 ** 30, [1], "s" * 50, (1, 2), {}, int, object()):
                for index in range(count):
                    o = make()
                    refs = [r for x in o
                            for r in t.traverse_change_references(x)]
                    old = refs[index][0]
                    del refs
                    if (getattr(old, "__module__", "") in (
                            "_ctypes", "ctypes", "builtins")
                            or type(old).__name__ == "module"):
                        continue
                    try:
                        gc.remap([(old, new)])
                    except (TypeError, ValueError):
                        pass
                    del old
                    gc.collect()
                    use(o)
            """)


class SslTests(RemapTestCase):

    def test_callbacks(self):
        pairs = Pairs(lambda *args: None, lambda *args: None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = pairs.old
        wrapped = context.sni_callback
        context._msg_callback = pairs.old
        gc.remap(pairs.list)
        self.assertIsNotNone(context.sni_callback)
        self.refused(Pairs(wrapped, [3]), TypeError, "set_sni_cb")


class CodecTests(RemapTestCase):

    @no_leak_check("the cache of codecs keeps its names")
    def test_cache(self):
        def search(name):
            if name == "remapped":
                return codecs.CodecInfo(lambda s, e=None: (b"?", 1),
                                        lambda s, e=None: ("?", 1))
        codecs.register(search)
        try:
            for new in [], (1, 2), "text", 10 ** 30:
                info = codecs.lookup("remapped")
                gc.remap([(info, new)])
                info = None
                with self.assertRaisesRegex(TypeError, "4-tuple"):
                    codecs.encode("x", "remapped")
                with self.assertRaisesRegex(TypeError, "4-tuple"):
                    "x".encode("remapped")
                codecs.unregister(search)       # clears the cache
                codecs.register(search)
                self.assertEqual("x".encode("remapped"), b"?")
        finally:
            codecs.unregister(search)

    @no_leak_check("the cache of codecs keeps its names")
    def test_search_function(self):
        pairs = Pairs(lambda name: None,
                      lambda name: codecs.lookup("ascii")
                      if name == "remapped2" else None)
        codecs.register(pairs.old)
        gc.remap(pairs.list)
        try:
            self.assertEqual("x".encode("remapped2"), b"x")
        finally:
            codecs.unregister(pairs.new)


class InternalTableTests(RemapTestCase):

    def test_subclasses(self):
        # weakref.ref() gives everyone the one that the base class keeps.
        class Base:
            pass

        class Derived(Base):
            pass
        holder = [weakref.ref(Derived)]
        gc.remap([(holder[0], [1])])
        self.assertEqual(holder, [[1]])
        self.assertEqual(Base.__subclasses__(), [Derived])
        Base.attribute = 3
        self.assertEqual(Derived.attribute, 3)

    def test_module_index(self):
        # The C code of readline finds its state by the index of its module.
        run_script(self, """
            import gc, sys, types
            import readline
            old = [sys.modules["readline"]]
            use = readline.set_startup_hook, readline.get_completer
            del readline
            for new in types.ModuleType("new"), __import__("math"):
                try:
                    gc.remap([(old[0], new)])
                except TypeError:
                    pass
                use[0](print)
                use[1]()
            """)

    def test_unraisable_arguments(self):
        seen = []
        hook = sys.unraisablehook
        sys.unraisablehook = seen.append
        try:
            class Broken(Exception):
                pass

            class Raises:
                def __del__(self):
                    raise Broken
            Raises()
        finally:
            sys.unraisablehook = hook
        seen[0].exc_value.__traceback__ = None
        seen.append(type("Box", (), {})())
        gc.remap([(seen[0].exc_value, seen[1])])
        stderr = sys.stderr
        sys.stderr = None
        try:
            sys.__unraisablehook__(seen[0])
        except TypeError:
            pass
        finally:
            sys.stderr = stderr
        seen.clear()


if __name__ == "__main__":
    main()
