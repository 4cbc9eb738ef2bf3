"""Callbacks that are NULL in C where a program has set them to None."""

import contextlib
import gc
import io
import itertools
import pickle
import pyexpat
import sqlite3
import sys
import weakref
import xml.etree.ElementTree as ET

from support import RemapTestCase, Thing, main


class CallbackTestCase(RemapTestCase):

    called = False

    def check(self, hold, read=None):
        """hold(callback) keeps it somewhere, and returns what read() takes."""
        def old(*args):
            pass

        def new(*args):
            self.called = True
        pair = [[old, None]]
        with contextlib.ExitStack() as stack:
            holder = hold(old, stack)
            del old
            with self.assertRaisesRegex(
                    TypeError, "must be a callback, not 'NoneType' object"):
                gc.remap(pair)
            if read is not None:
                self.assertIs(read(holder), pair[0][0])
            pair[0][1] = new
            self.assertEqual(gc.remap(pair).left_behind, (0,))
            if read is not None:
                self.assertIs(read(holder), new)
            return holder


class ObjectTests(CallbackTestCase):

    def test_weak_reference(self):
        thing = Thing()
        for make in (weakref.ref, weakref.proxy):
            with self.subTest(make=make):
                self.check(lambda old, _: make(thing, old),
                           lambda ref: gc.get_referents(ref)[0])

    def test_property(self):
        self.check(lambda old, _: property(old), lambda p: p.fget)
        self.check(lambda old, _: property(None, old), lambda p: p.fset)
        self.check(lambda old, _: property(None, None, old), lambda p: p.fdel)

    def test_accumulate(self):
        it = self.check(lambda old, _: itertools.accumulate([1, 2], old))
        self.assertEqual([*it], [1, None])
        self.assertTrue(self.called)

    def test_pickler(self):
        file = io.BytesIO()
        pickler = self.check(lambda old, _: pickle.Pickler(
            file, protocol=5, buffer_callback=old))
        pickler.dump(pickle.PickleBuffer(b"abc"))

    def test_tree_builder(self):
        def build(name):
            return lambda old, _: ET.TreeBuilder(**{name: old})
        builder = self.check(build("element_factory"))
        builder.start("tag", {})
        self.assertTrue(self.called)
        builder = self.check(build("comment_factory"))
        builder.comment("text")
        self.assertTrue(self.called)
        builder = self.check(build("pi_factory"))
        builder.pi("target", "text")
        self.assertTrue(self.called)

    def test_expat(self):
        def parser(old, _):
            parser = pyexpat.ParserCreate()
            parser.StartElementHandler = old
            return parser
        self.check(parser, lambda parser: parser.StartElementHandler)

    def test_sqlite(self):
        for name in ("set_authorizer", "set_trace_callback"):
            with self.subTest(name):
                def connection(old, stack):
                    connection = sqlite3.connect(":memory:")
                    stack.callback(connection.close)
                    getattr(connection, name)(old)
                    return connection
                self.check(connection)

    def test_type_parameters(self):
        def f[T: int]():
            pass
        parameter, = f.__type_params__
        # The function that works it out.
        evaluate, = [x for x in gc.get_referents(parameter) if callable(x)
                     and getattr(x, "__name__", "") == "T"]
        with self.assertRaisesRegex(TypeError, "must be a callback"):
            gc.remap([(evaluate, None)])
        self.assertIs(parameter.__bound__, int)


class FrameTests(CallbackTestCase):

    def test_frame_of_a_generator(self):
        # The collector does not know the object of such a frame.
        def generate():
            yield

        def old(*args):
            pass
        gen = generate()
        next(gen)
        gen.gi_frame.f_trace = old
        pair = [[old, None]]
        del old
        self.assertEqual(gc.remap(pair).left_behind, (1,))
        self.assertIs(gen.gi_frame.f_trace, pair[0][0])

    def test_frame_that_is_left(self):
        def leave(old, _):
            frame = sys._getframe()
            frame.f_trace = old
            return frame
        self.check(leave, lambda frame: frame.f_trace)

    def test_frame_that_runs(self):
        frame = sys._getframe()

        def trace(old, _):
            frame.f_trace = old
        try:
            self.check(trace, lambda _: frame.f_trace)
        finally:
            frame.f_trace = None
            del frame


class ThreadTests(CallbackTestCase):

    def test_trace_and_profile_functions(self):
        for name in ("trace", "profile"):
            with self.subTest(name):
                get = getattr(sys, "get" + name)
                set = getattr(sys, "set" + name)
                previous = get()

                def start(old, stack):
                    stack.callback(set, previous)
                    set(old)
                self.check(start, lambda _: get())

    def test_hooks_of_asynchronous_generators(self):
        for at, name in enumerate(("firstiter", "finalizer")):
            with self.subTest(name):
                def start(old, stack):
                    stack.callback(sys.set_asyncgen_hooks,
                                   *sys.get_asyncgen_hooks())
                    sys.set_asyncgen_hooks(**{name: old})
                self.check(start, lambda _: sys.get_asyncgen_hooks()[at])

    def test_finalizer_of_an_asynchronous_generator(self):
        async def generate():
            yield

        def start(old, stack):
            hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(finalizer=old)
            gen = generate()
            gen.__anext__().close()
            sys.set_asyncgen_hooks(*hooks)
            return gen
        self.check(start)

    def test_monitoring(self):
        monitoring = sys.monitoring
        event = monitoring.events.PY_RETURN

        def start(old, stack):
            monitoring.use_tool_id(3, "a tool of the tests")
            stack.callback(monitoring.free_tool_id, 3)
            stack.callback(monitoring.register_callback, 3, event, None)
            monitoring.register_callback(3, event, old)

        def read(_):
            function = monitoring.register_callback(3, event, None)
            monitoring.register_callback(3, event, function)
            return function
        self.check(start, read)


if __name__ == "__main__":
    main()
