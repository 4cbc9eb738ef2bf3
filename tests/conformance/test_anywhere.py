"""gc.remap() called from anywhere.

Wherever the interpreter calls Python code that code may call gc.remap(): in
finalizers, handlers and hooks, while a class is made or a module imported,
while a table is repaired, from C code that has borrowed its arguments, from
many threads, and at the end of the interpreter.  The call does its work, or
raises and has changed nothing.
"""

import abc
import collections
import collections.abc
import dataclasses
import enum
import functools
import gc
import importlib.abc
import importlib.machinery
import itertools
import signal
import sys
import textwrap
import threading
import time
import types
import typing
import weakref

from support import (
    Key, Pairs, RemapTestCase, Thing, main, no_leak_check, run_script)


def make(name, bases=(), /, **namespace):
    return type(name, bases, namespace)


class FinalizerTests(RemapTestCase):
    """__del__ and the callbacks of weak references."""

    def finalized_by(self, drop, inside=Thing):
        """drop(holder) lets the object in holder[0] go, whose finalizer
        remaps what is around it."""
        class Final:
            def __del__(self):
                result.append(gc.remap(pairs.list).left_behind)
                seen.append(type(self).__name__)
        seen, result = [], []
        pairs = Pairs(Thing("old"), inside("new"))
        around = [pairs.old, {pairs.old: pairs.old}, {pairs.old}]
        drop([Final()], pairs)
        self.assertEqual(seen, ["Final"])
        # The instruction that lets go may hold some in C variables, and so
        # does a frame that is being cleared.
        self.assertLessEqual(result[0][0], 3)
        self.assertIs(around[0], pairs.new)
        self.assertEqual(around[1], {pairs.new: pairs.new})
        self.assertEqual(around[2], {pairs.new})

    def test_ways_to_die(self):
        def clear(holder, pairs): holder.clear()
        def delete(holder, pairs): del holder[0]
        def assign(holder, pairs): holder[0] = pairs.old
        def slice_(holder, pairs): holder[:] = [pairs.old, pairs.old]
        def local(holder, pairs):
            x = holder.pop()
            x = pairs.old
            return x
        def leave(holder, pairs):
            def f(x, y): return y
            f(holder.pop(), pairs.old)
        def key(holder, pairs):
            d = {holder.pop(): pairs.old, pairs.old: 1}
            d.clear()
        def value(holder, pairs):
            d = {pairs.old: holder.pop(), 1: pairs.old}
            d[pairs.old] = pairs.old
        def item(holder, pairs):
            s = {holder.pop(), pairs.old}
            s &= {pairs.old}
        def attribute(holder, pairs):
            x = types.SimpleNamespace(a=holder.pop(), b=pairs.old)
            x.a = pairs.old
        def generator(holder, pairs):
            def g(x, y):
                yield y
            g = g(holder.pop(), pairs.old)
            next(g)
            g.close()
        def exception(holder, pairs):
            def f(x, y): raise ZeroDivisionError(y)
            try:
                f(holder.pop(), pairs.old)
            except ZeroDivisionError:
                pass
        def argument(holder, pairs):
            list(map(lambda x, y: y, [holder.pop()], [pairs.old]))
        def operand(holder, pairs):
            [pairs.old, type(holder.pop()), pairs.old]
        def comprehension(holder, pairs):
            [pairs.old for _ in [holder.pop()]]
        for drop in (clear, delete, assign, slice_, local, leave, key, value,
                     item, attribute, generator, exception, argument,
                     operand, comprehension):
            with self.subTest(drop=drop.__name__):
                self.finalized_by(drop)

    def test_local_of_the_frame_that_lets_go(self):
        # The names of the very frame whose assignment runs the finalizer.
        class Final:
            def __del__(self):
                gc.remap(pairs.list)
        pairs = Pairs.things()
        x, y = Final(), pairs.old
        x = [y, (y, x is None)]
        self.assertIs(y, pairs.new)
        # The list was an operand already.
        self.assertIs(x[0], pairs.new)
        self.assertIs(x[1][0], pairs.new)

    def test_finalizer_in_a_collection(self):
        # Within a collection it is refused.
        class Cycle:
            def __init__(self):
                self.me = self

            def __del__(self):
                try:
                    gc.remap(pairs.list)
                except RuntimeError as exc:
                    errors.append(str(exc))
        for generation in range(3):
            errors = []
            pairs = Pairs.things()
            items = [pairs.old, {pairs.old: 1}]
            Cycle()
            gc.collect(generation)
            self.assertEqual(len(errors), 1)
            self.assertRegex(errors[0], "collect")
            self.assertIs(items[0], pairs.old)
            self.assertEqual(items[1], {pairs.old: 1})

    def test_callback_in_a_collection(self):
        class Cycle:
            def __init__(self):
                self.me = self

        def callback(_):
            try:
                gc.remap(pairs.list)
            except RuntimeError as exc:
                errors.append(str(exc))
        errors = []
        pairs = Pairs.things()
        items = [pairs.old]
        ref = weakref.ref(Cycle(), callback)
        gc.collect()
        self.assertEqual(len(errors), 1)
        self.assertIs(items[0], pairs.old)
        del ref

    def test_callbacks_of_the_collector(self):
        def callback(phase, info):
            try:
                gc.remap(pairs.list)
            except RuntimeError as exc:
                seen.append((phase, str(exc)))
            else:
                seen.append((phase, "done"))
        seen = []
        pairs = Pairs.things()
        items = [pairs.old, {pairs.old: 1}, (pairs.old,)]
        gc.callbacks.append(callback)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(callback)
        self.assertEqual([phase for phase, _ in seen], ["start", "stop"])
        for _, text in seen:
            self.assertRegex(text, "collect")
        self.assertIs(items[0], pairs.old)
        self.assertEqual(items[1:], [{pairs.old: 1}, (pairs.old,)])
        # And afterwards it is not refused any more.
        self.remap(pairs)
        self.assertIs(items[0], pairs.new)

    def test_callbacks_of_weak_references(self):
        # Of a reference, a proxy and a finalize object.
        def callback(*args):
            result.append(gc.remap(pairs.list).references)
            names.append(items[0].name)
        for kind in ("ref", "proxy", "finalize"):
            with self.subTest(kind=kind):
                result, names = [], []
                pairs = Pairs.things()
                items = [pairs.old, weakref.ref(pairs.old)]
                dying = Thing("dying")
                keep = getattr(weakref, kind)(dying, callback)
                del dying
                self.assertEqual(names, ["new0"])
                self.assertIs(items[1](), pairs.new)
                keep = None

    def test_callback_that_replaces_its_own_reference(self):
        def callback(ref):
            seen.append(ref)
            gc.remap([(ref, pairs.new)])
        seen = []
        pairs = Pairs.things()
        dying = Thing("dying")
        holder = [weakref.ref(dying, callback)]
        del dying
        self.assertEqual(holder, [pairs.new])
        self.assertEqual(seen, [pairs.new])


@no_leak_check("signals come when they come")
class SignalTests(RemapTestCase):

    def handling(self, handler):
        previous = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, previous)

    def test_frame_that_is_interrupted(self):
        def handler(number, frame):
            result.append(gc.remap(pairs.list).left_behind)
        self.handling(handler)
        result = []
        pairs = Pairs.things()
        local = pairs.old
        items = [local]
        signal.raise_signal(signal.SIGUSR1)
        self.assertIs(local, pairs.new)
        self.assertIs(items[0], pairs.new)
        self.assertEqual(result, [(0,)])

    def test_frame_argument(self):
        def handler(number, frame):
            gc.remap([(frame.f_locals["local"], pairs.new)])
        self.handling(handler)
        pairs = Pairs.things()
        local = Thing("local")
        signal.raise_signal(signal.SIGUSR1)
        self.assertIs(local, pairs.new)

    def test_handler_replaces_itself(self):
        def old(number, frame):
            seen.append("old")
            gc.remap(pairs.list)

        def new(number, frame):
            seen.append("new")
        seen = []
        pairs = Pairs(old, new)
        self.handling(old)
        del old, new
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        self.assertEqual(seen, ["old", "new"])
        self.assertIs(signal.getsignal(signal.SIGUSR1), pairs.new)

    def test_handler_in_a_handler(self):
        # The inner one replaces what the frames of both have.
        def handler(number, frame):
            local = items[0]
            if not seen:
                seen.append(local)
                signal.raise_signal(signal.SIGUSR1)
                self.assertIs(local, pairs.new)
            else:
                gc.remap(pairs.list)
            self.assertIs(local, pairs.new)
            self.assertIs(frame.f_locals["items"], items)
        self.handling(handler)
        seen = []
        pairs = Pairs.things()
        items = [pairs.old]
        local = pairs.old
        signal.raise_signal(signal.SIGUSR1)
        self.assertIs(local, pairs.new)
        self.assertEqual(items, [pairs.new])
        self.assertEqual(seen, [pairs.new])

    def test_while_c_code_waits(self):
        def handler(number, frame):
            gc.remap(pairs.list)
        self.handling(handler)
        pairs = Pairs.things()
        items = [pairs.old]
        main_thread = threading.get_ident()
        timer = threading.Timer(0.05, signal.pthread_kill,
                                (main_thread, signal.SIGUSR1))
        timer.start()
        # The call goes on when the handler has returned.
        started = time.monotonic()
        time.sleep(0.2)
        self.assertGreater(time.monotonic() - started, 0.19)
        timer.join()
        self.assertIs(items[0], pairs.new)

    def test_in_the_middle_of_another_remap(self):
        class Signals(Key):
            def __hash__(self):
                if armed:
                    signal.raise_signal(signal.SIGUSR1)
                return hash(self.value)
        for caught in (True, False):
            with self.subTest(caught=caught):
                def handler(number, frame):
                    try:
                        gc.remap(other.list)
                    except RuntimeError as exc:
                        errors.append(str(exc))
                        if not caught:
                            raise
                self.handling(handler)
                errors, armed = [], []
                pairs, other = Pairs.things(), Pairs.things()
                d = {Signals(pairs.old): 1}
                items = [pairs.old, other.old]
                armed.append(True)
                if caught:
                    gc.remap(pairs.list)
                else:
                    with self.assertRaises(RuntimeError):
                        gc.remap(pairs.list)
                armed.clear()
                self.assertGreater(len(errors), 0)
                self.assertIs(items[0], pairs.list[0][caught])
                self.assertIs(items[1], other.old)
                self.assertEqual(d, {Signals(items[0]): 1})

    def test_storm(self):
        # A timer remaps in whatever the program does.
        def handler(number, frame):
            gc.remap(pairs.list)
            swaps.append(1)
            if not done:
                # An interval may be too short for a slow machine.
                signal.setitimer(signal.ITIMER_REAL, 0.002)
        swaps, done = [], []
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        items = [pairs.old, {pairs.old: 1, 2: 2}, {pairs.old, 3}]
        previous = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        try:
            until = time.monotonic() + 60
            while len(swaps) < 100 and time.monotonic() < until:
                a = [items[0]] * 10
                b = sorted(a, key=lambda x: x.name)
                table = {(x, n): n for n, x in enumerate(b)}
                text = "".join(x.name for x, _ in table)
                self.assertIn({*text}, ({"a"}, {"b"}, {"a", "b"}))
                self.assertEqual(len(table), 10)
                self.assertIn(items[0], items[1])
        finally:
            done.append(1)
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
        del a, b, table
        self.assertGreater(len(swaps), 10)
        self.assertIs(items[0], pairs.list[0][len(swaps) % 2])
        self.assertDictSound(items[1])
        self.assertSetSound(items[2])


class HookTests(RemapTestCase):
    """Functions that the interpreter calls for each step of a program."""

    @staticmethod
    def program(x):
        """Some of everything."""
        def inner(y):
            if y is not None:
                return [y, abs(-1)]
            raise ZeroDivisionError
        def generate(z):
            yield z
            yield x
        result = inner(x)
        result += [*generate(x)]
        try:
            inner(None)
        except ZeroDivisionError:
            result.append(x)
        for _ in range(2):
            result.append(len([x]))
        return result

    @staticmethod
    def of_the_program(code):
        return code.co_qualname.startswith("HookTests.program")

    def check(self, start, stop, runs):
        """At event number n of the program its argument is replaced."""
        replaced = 0
        for n in range(runs):
            pairs = Pairs.things()
            count = itertools.count()
            left_behind = []

            def hook():
                if next(count) == n:
                    result = gc.remap(pairs.list)
                    left_behind.append(result.left_behind[0])
            start(hook)
            try:
                result = self.program(pairs.old)
            finally:
                stop()
            events = next(count)
            with self.subTest(n=n):
                names = [x.name for x in result if isinstance(x, Thing)]
                self.assertEqual(len(names), 4)
                old = names.count("old0")
                if left_behind:
                    # Operands of the instruction and what it returns or
                    # yields are C variables, and counted.
                    self.assertLessEqual(old, left_behind[0])
                    self.assertLessEqual(left_behind[0], 3)
                    replaced += 1
                else:
                    self.assertGreaterEqual(n, events)
                    self.assertEqual(old, 4)
            result = None
        self.assertGreater(replaced, 10)
        self.assertLess(events, 10 * runs)
        self.assertGreater(events, 10)

    def test_trace_function(self):
        for opcodes in (False, True):
            def start(hook):
                def trace(frame, event, arg):
                    if self.of_the_program(frame.f_code):
                        frame.f_trace_opcodes = opcodes
                        hook()
                    return trace
                sys.settrace(trace)
            previous = sys.gettrace()
            self.check(start, lambda: sys.settrace(previous),
                       200 if opcodes else 60)

    def test_profile_function(self):
        def start(hook):
            sys.setprofile(lambda frame, event, arg:
                           self.of_the_program(frame.f_code) and hook())
        previous = sys.getprofile()
        self.check(start, lambda: sys.setprofile(previous), 30)

    def test_monitoring(self):
        monitoring, tool = sys.monitoring, 3
        events = monitoring.events
        names = [name for name in vars(events)
                 if not name.startswith("_") and name != "NO_EVENTS"]
        monitoring.use_tool_id(tool, "test_anywhere")

        def start(hook):
            def callback(code, *args):
                if self.of_the_program(code):
                    hook()
            wanted = 0
            for name in names:
                monitoring.register_callback(
                    tool, getattr(events, name), callback)
                if name not in ("C_RETURN", "C_RAISE", "RERAISE"):
                    wanted |= getattr(events, name)
            monitoring.set_events(tool, wanted)

        def stop():
            monitoring.set_events(tool, 0)
            for name in names:
                monitoring.register_callback(
                    tool, getattr(events, name), None)
        try:
            self.check(start, stop, 200)
        finally:
            monitoring.free_tool_id(tool)

    def test_hook_replaces_itself(self):
        for setter, getter in ((sys.settrace, sys.gettrace),
                               (sys.setprofile, sys.getprofile)):
            with self.subTest(setter=setter):
                def old(frame, event, arg):
                    seen.append("old")
                    gc.remap(pairs.list)

                def new(frame, event, arg):
                    seen.append("new")
                seen = []
                previous = getter()
                pairs = Pairs(old, new)
                del old, new
                f = lambda: abs(1)
                setter(pairs.old)
                try:
                    f()
                    f()
                    now = getter()
                finally:
                    setter(previous)
                self.assertEqual(seen[0], "old")
                self.assertEqual({*seen[1:]}, {"new"})
                self.assertIs(now, pairs.new)
                now = None

    def test_code_and_function_of_the_traced_frame(self):
        # The running function, its code and its locals go at each event.
        def trace(frame, event, arg):
            if frame.f_code.co_name == "f":
                pairs = [(holder[0], lambda x: "new")]
                try:
                    gc.remap(pairs)
                except TypeError as exc:
                    errors.append(str(exc))
                del pairs[:]
            return trace
        for _ in range(10):
            errors = []
            def f(x):
                y = [x for x in range(3)]
                return "old", y
            holder = [f]
            del f
            previous = sys.gettrace()
            sys.settrace(trace)
            try:
                first = holder[0](1)
            finally:
                sys.settrace(previous)
            self.assertEqual(first, ("old", [0, 1, 2]))
            self.assertEqual((errors, holder[0](1)), ([], "new"))

    def test_hook_of_unraisable_exceptions(self):
        class Fails:
            def __del__(self):
                raise ZeroDivisionError

        def hook(unraisable):
            gc.remap(pairs.list)
            seen.append(type(unraisable.exc_value))
        seen = []
        pairs = Pairs.things()
        items = [pairs.old]
        previous, sys.unraisablehook = sys.unraisablehook, hook
        try:
            Fails()
        finally:
            sys.unraisablehook = previous
        self.assertEqual(seen, [ZeroDivisionError])
        self.assertIs(items[0], pairs.new)

    @no_leak_check("a program of its own")
    def test_audit_hook(self):
        # At every event of a program; its own event comes before anything.
        out = run_script(self, """
            import gc, sys
            class Thing:
                def __init__(self, name):
                    self.name = name
            pairs = [(Thing("a"), Thing("b"))]
            pairs.append(pairs[0][::-1])
            items = [pairs[0][0], {pairs[0][0]: 1}, (pairs[0][0], 1)]
            busy, events, swaps = [], set(), 0
            def hook(event, args):
                global swaps
                if busy or ended or event.startswith("cpython."):
                    return
                busy.append(1)
                events.add(event)
                gc.remap(pairs)
                swaps += 1
                busy.pop()
            ended = []
            sys.addaudithook(hook)
            import json, ctypes, tempfile, os
            exec("def f(): return sys._getframe()")
            f()
            with open(os.devnull) as file:
                file.read()
            items[0].__class__ = Thing
            compile("1 + 1", "x", "eval")
            gc.get_referrers(items)
            def g(): pass
            g.__code__ = (lambda: 1).__code__
            ctypes.string_at(b"x")
            gc.remap([])
            sys.settrace(None)
            ended.append(1)
            assert swaps > 30, swaps
            now = pairs[0][swaps % 2]
            assert items[0] is now and items[1][now] == 1
            assert items[2][0] is now
            print(*sorted(e for e in events if e in (
                "import", "open", "compile", "exec", "gc.remap",
                "object.__setattr__", "sys._getframe")))
            """)
        self.assertEqual(
            out, "compile exec gc.remap import object.__setattr__ open "
                 "sys._getframe\n")


class ClassTests(RemapTestCase):
    """While a class is made or changed."""

    def meta(self, action):
        class Meta(type):
            def mro(cls):
                mro = super().mro()
                if armed:
                    armed.clear()
                    action(cls)
                return mro
        armed = []
        return Meta, armed

    def test_base_is_replaced_while_a_class_is_made(self):
        # The bases have been checked: they must stay until the class is ready.
        def action(cls=None):
            with self.assertRaisesRegex(RuntimeError, "while a class is made"):
                gc.remap(pairs.list)
            result.append(True)

        class Slots:
            def __iter__(self):
                action()
                return iter(("slot",))

        class Name(str):
            __hash__ = str.__hash__

            def __eq__(self, other):
                if armed:
                    armed.clear()
                    action()
                return str.__eq__(self, other)

        pairs = Pairs(make("Old", f=lambda self: "old"),
                      make("New", f=lambda self: "new"))
        Meta, armed = self.meta(action)
        for namespace in {}, {"__slots__": Slots()}, {Name("__module__"): 1}:
            with self.subTest(namespace):
                result = []
                armed[:] = [True] if "__slots__" not in namespace else []
                C = (Meta if not namespace else type)("C", (pairs.old,), namespace)
                self.assertEqual(len(result), 1)
                self.assertEqual(C.__mro__, (C, pairs.old, object))
                self.assertEqual(C.__bases__, (pairs.old,))
                self.assertIs(C.__base__, pairs.old)
                self.assertEqual(C().f(), "old")
        self.assertEqual(C.__name__, "C")
        # Afterwards it can be replaced.
        self.assertEqual(gc.remap(pairs.list).left_behind, (0,))
        self.assertEqual(C().f(), "new")
        action = C = Meta = None

    def test_base_is_replaced_in_mro_while_bases_are_assigned(self):
        def action(cls):
            try:
                gc.remap(pairs.list)
            except (TypeError, RuntimeError) as exc:
                errors.append(str(exc))
        errors = []
        Meta, armed = self.meta(action)
        pairs = Pairs(make("Old", f=lambda self: "old"),
                      make("New", f=lambda self: "new"))
        Other = make("Other", f=lambda self: "other")
        C = Meta("C", (Other,), {})
        D = Meta("D", (C,), {})
        armed.append(True)
        try:
            C.__bases__ = (pairs.old,)
        except TypeError as exc:
            errors.append(str(exc))
        base = C.__bases__[0]
        self.assertEqual(C.__mro__, (C, base, object))
        self.assertEqual(D.__mro__, (D, C, base, object))
        self.assertEqual(D().f(), base.f(None))
        self.assertEqual(
            [C in x.__subclasses__() for x in (*pairs.list[0], Other)],
            [base is x for x in (*pairs.list[0], Other)])
        base = x = C = D = Meta = action = Other = None

    def test_mro_that_a_remap_calls(self):
        # mro() is called by the remap itself: another is refused.
        def action(cls):
            try:
                gc.remap(other.list)
            except RuntimeError as exc:
                errors.append(str(exc))
        errors = []
        Meta, armed = self.meta(action)
        pairs = Pairs(make("Old", f=lambda self: "old"),
                      make("New", f=lambda self: "new"))
        other = Pairs.things()
        items = [other.old]
        C = Meta("C", (pairs.old,), {})
        armed.append(True)
        gc.remap(pairs.list)
        self.assertEqual(len(errors), 1)
        self.assertRegex(errors[0], "remap")
        self.assertIs(items[0], other.old)
        self.assertEqual(C.__mro__, (C, pairs.new, object))
        self.assertEqual(C().f(), "new")
        C = Meta = action = None

    def test_set_name(self):
        # The owner, the descriptor and a neighbour are replaced.
        class Descriptor:
            def __init__(self, name):
                self.name = name

            def __set_name__(self, owner, name):
                seen.append(name)
                if len(seen) == 1:
                    gc.remap(pairs.list)

            def __get__(self, obj, owner):
                return self.name
        for which in ("self", "neighbour", "value"):
            with self.subTest(which=which):
                seen = []
                a, b, c = Descriptor("a"), Descriptor("b"), Thing("c")
                pairs = Pairs(
                    {"self": a, "neighbour": b, "value": c}[which],
                    Descriptor("new"))
                C = make("C", a=a, b=b, c=c)
                a = b = c = None
                # Who has come is told its name as well.
                self.assertEqual(
                    seen, ["a", "b", "c"] if which == "value" else ["a", "b"])
                self.assertEqual(
                    [x if isinstance(x, str) else x.name
                     for x in (C.a, C.b, C.c)],
                    ["new" if which == "self" else "a",
                     "new" if which == "neighbour" else "b",
                     "new" if which == "value" else "c"])
                x = C = None

    def test_class_is_replaced_while_it_is_made(self):
        # __set_name__ and __init_subclass__ see the class: who has made it
        # gets it, or what has replaced it.
        New = make("New", f=lambda self: "new")

        class Names:
            def __set_name__(self, owner, name):
                replace(owner)

        class Base:
            def __init_subclass__(cls):
                if cls.__name__ == "Sub":
                    replace(cls)

        def replace(cls):
            registry.append(cls)
            pairs = [(cls, New)]
            cls = None
            gc.remap(pairs)
            pairs.clear()
        registry = []
        for bases, namespace in (((), {"x": Names()}), ((Base,), {})):
            with self.subTest(bases=bases):
                registry.clear()
                C = type("Sub", bases, namespace)
                self.assertIs(registry[0], New)
                # A C variable of type() holds what is being made.
                self.assertIn(C.__name__, ("Sub", "New"))
                self.assertIs(C.__mro__[0], C)
                self.assertIsInstance(C(), C)
                C = None
        bases = namespace = replace = None

    def test_init_subclass_replaces_its_own_base(self):
        class Base:
            def __init_subclass__(cls):
                gc.remap(pairs.list)

        class Other:
            def f(self):
                return "other"
        pairs = Pairs(Base, Other)
        Base = Other = None

        class C(pairs.old):
            pass
        self.assertEqual(C.__mro__, (C, pairs.new, object))
        self.assertEqual(C().f(), "other")
        self.assertIn(C, pairs.new.__subclasses__())
        C = None

    def test_prepare_and_class_body(self):
        class Meta(type):
            @classmethod
            def __prepare__(meta, name, bases, **keywords):
                gc.remap(pairs.list)
                return {"prepared": keywords["value"]}

            def __init__(cls, name, bases, namespace, **keywords):
                pass

            def __new__(meta, name, bases, namespace, **keywords):
                return super().__new__(meta, name, bases, namespace)
        pairs = Pairs.things(2)

        class C(metaclass=Meta, value=pairs.old_at(0)):
            x = pairs.old_at(1)
            items = [x]
            second = gc.remap(pairs.list[1:])
        self.assertIs(C.prepared, pairs.new_at(0))
        self.assertIn(C.items[0], (pairs.new_at(1),))
        self.assertIs(C.x, C.items[0])
        C = Meta = None

    def test_attribute_hooks(self):
        # The object itself is replaced while its attribute is looked up.
        class Hooked:
            def __init__(self, name):
                vars(self)["name"] = name

            def __getattr__(self, attribute):
                return replace(self) and (self.name, attribute)

            def __setattr__(self, attribute, value):
                replace(self)
                vars(self)[attribute] = value

            def __delattr__(self, attribute):
                replace(self)
                del vars(self)[attribute]

            @property
            def prop(self):
                return replace(self) and self.name

        def replace(old):
            gc.remap([(old, Hooked("new"))])
            return True
        def get(h): return h[0].missing
        def prop(h): return h[0].prop
        def set_(h): h[0].x = 5
        def delete(h): del h[0].name
        for use, expected in ((get, ("new", "missing")), (prop, "new"),
                              (set_, None), (delete, None)):
            with self.subTest(use=use.__name__):
                holder = [Hooked("old")]
                self.assertEqual(use(holder), expected)
                self.assertIs(type(holder[0]), Hooked)
                self.assertEqual(
                    vars(holder[0]),
                    {"name": "new", "x": 5} if use is set_
                    else {} if use is delete else {"name": "new"})


class RunningMethodTests(RemapTestCase):
    """super(), __class__ and self in a method that runs."""

    def make_pair(self):
        class OldBase:
            def f(self): return "old base"

        class NewBase:
            def f(self): return "new base"

        class Old(OldBase):
            def f(self, action):
                before = super().f(), __class__.__name__, type(self).__name__
                action()
                return before, (
                    super().f(), __class__.__name__, type(self).__name__)

            @classmethod
            def c(cls, action):
                action()
                return cls.__name__, __class__.__name__

            def generate(self, action):
                yield super().f()
                action()
                yield super().f()

        class New(NewBase):
            def f(self, action): return "new"
        return Old, OldBase, New, NewBase

    def test_class(self):
        Old, OldBase, New, NewBase = self.make_pair()
        pairs = Pairs(Old, New)
        o = Old()
        Old = OldBase = New = NewBase = None
        before, after = o.f(lambda: gc.remap(pairs.list))
        self.assertEqual(before, ("old base", "Old", "Old"))
        self.assertEqual(after, ("new base", "New", "New"))
        self.assertEqual(o.f(None), "new")

    def test_base(self):
        Old, OldBase, New, NewBase = self.make_pair()
        pairs = Pairs(OldBase, NewBase)
        o = Old()
        Old = OldBase = New = NewBase = None
        before, after = o.f(lambda: gc.remap(pairs.list))
        self.assertEqual(before, ("old base", "Old", "Old"))
        self.assertEqual(after, ("new base", "Old", "Old"))

    def test_class_and_base(self):
        Old, OldBase, New, NewBase = self.make_pair()
        pairs = Pairs(Old, New, OldBase, NewBase)
        o = Old()
        Old = OldBase = New = NewBase = None
        before, after = o.f(lambda: gc.remap(pairs.list))
        self.assertEqual(after, ("new base", "New", "New"))

    def test_class_method_and_generator(self):
        Old, OldBase, New, NewBase = self.make_pair()
        pairs = Pairs(Old, New)
        action = lambda: gc.remap(pairs.list)
        g = Old().generate(action)
        self.assertEqual(next(g), "old base")
        c = Old.c
        Old = OldBase = New = NewBase = None
        self.assertEqual(c(action), ("New", "New"))
        self.assertEqual(next(g), "new base")
        g = c = None

    def test_self_becomes_another_object(self):
        # Not the class but the instance: super() takes the self that the
        # frame has.
        Old, OldBase, New, NewBase = self.make_pair()
        pairs = Pairs(Old(), New())
        holder = [pairs.old]
        with self.assertRaisesRegex(TypeError, "super"):
            # The class of the new one is not below that of the method.
            holder[0].f(lambda: gc.remap(pairs.list))
        self.assertIs(holder[0], pairs.new)
        pairs = Pairs(Old(), make("Sub", (Old,))())
        holder = [pairs.old]
        before, after = holder[0].f(lambda: gc.remap(pairs.list))
        self.assertEqual(after, ("old base", "Old", "Sub"))
        Old = OldBase = New = NewBase = None

    def test_construction(self):
        # In __new__, __init__ and the __call__ of a metaclass.
        for where in ("__call__", "__new__", "__init__"):
            for target in ("class", "metaclass"):
                with self.subTest(where=where, target=target):
                    def act(at):
                        if at == where and not done:
                            done.append(True)
                            gc.remap(pairs.list)
                    done = []

                    def metaclass(name):
                        class Meta(type):
                            def __call__(cls, *args):
                                act("__call__")
                                return super().__call__(*args)
                            def name(cls): return name
                        return Meta

                    def declare(meta, name):
                        class C(metaclass=meta):
                            def __new__(cls, *args):
                                act("__new__")
                                return super().__new__(cls)
                            def __init__(self, value):
                                act("__init__")
                                self.value = value
                            def which(self): return name
                        return C
                    old, new = metaclass("old"), metaclass("new")
                    A, B = declare(old, "A"), declare(new, "B")
                    pairs = Pairs(
                        *{"class": (A, B), "metaclass": (old, new)}[target])
                    holder = [A]
                    old = new = A = B = None
                    try:
                        x = holder[0](5)
                    except TypeError as exc:
                        # super() in a method whose first argument was taken
                        # from a C variable: an instance of neither.
                        self.assertRegex(str(exc), "super|__new__")
                    else:
                        self.assertEqual(
                            x.which(), "B" if target == "class" else "A")
                        if where == "__new__" and target == "class":
                            # type() has the old class in a C variable: what
                            # has been made is none of its instances.
                            self.assertEqual(vars(x), {})
                        else:
                            self.assertEqual(x.value, 5)
                    x = None
                    self.assertEqual(holder[0].name(), "new")
                    self.assertEqual(holder[0](6).value, 6)
                    holder = act = None


@no_leak_check("the import system keeps what it has seen")
class ImportTests(RemapTestCase):

    def setUp(self):
        self.names = ["gc_remap_anywhere", "gc_remap_anywhere.child"]

    def tearDown(self):
        for name in self.names:
            sys.modules.pop(name, None)

    def importing(self, action, source="x = 1"):
        """Import through a finder and loader that call action(place,
        module)."""
        class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, name, path=None, target=None):
                if name not in names:
                    return None
                action("find_spec", None)
                return importlib.machinery.ModuleSpec(
                    name, self, is_package=name == names[0])

            def create_module(self, spec):
                action("create_module", None)
                return None

            def exec_module(self, module):
                action("exec_module", module)
                exec(source, vars(module))
                action("executed", module)
        names = self.names
        sys.meta_path.insert(0, Finder())
        try:
            return __import__(names[0])
        finally:
            del sys.meta_path[0]

    def test_finder_is_replaced(self):
        for place in ("find_spec", "create_module", "exec_module"):
            with self.subTest(place=place):
                class Other:
                    def find_spec(self, name, path=None, target=None):
                        return None
                    def create_module(self, spec): return None
                    def exec_module(self, module): module.x = "other"

                def action(at, module):
                    if at == place:
                        gc.remap([(sys.meta_path[0], finder)])
                finder = Other()
                module = self.importing(action)
                self.assertEqual(
                    module.x, 1 if place == "exec_module" else "other")
                self.assertIs(module.__spec__.loader, finder)
                self.tearDown()

    def test_module_is_replaced_while_it_is_imported(self):
        for place in ("exec_module", "executed"):
            with self.subTest(place=place):
                def action(at, module):
                    if at == place:
                        other = types.ModuleType("other")
                        vars(other).update(vars(module))
                        other.mark = "other"
                        pairs = [(module, other)]
                        module = other = None
                        gc.remap(pairs)
                module = self.importing(action)
                self.assertIs(sys.modules[self.names[0]], module)
                self.assertEqual(module.mark, "other")
                if place == "executed":
                    self.assertEqual(module.x, 1)
                module = None
                self.tearDown()

    def test_module_that_replaces_itself(self):
        source = textwrap.dedent("""
            import gc, sys, types
            class Module(types.ModuleType):
                @property
                def value(self):
                    return "property"
            old, new = sys.modules[__name__], Module(__name__)
            vars(new).update(vars(old))
            pairs = [(old, new)]
            del old, new
            gc.remap(pairs)
            del pairs
            def f(): return sys.modules[__name__].value
            """)
        module = self.importing(lambda at, module: None, source)
        self.assertIs(sys.modules[self.names[0]], module)
        self.assertEqual(module.value, "property")
        module = None

    def test_getattr_of_a_module(self):
        source = textwrap.dedent("""
            import gc
            class Lazy:
                def __init__(self, name): self.name = name
            def __getattr__(name):
                if name.startswith("__"):
                    raise AttributeError(name)
                gc.remap([(lazy, Lazy(name))])
                return [lazy]
            def __dir__():
                gc.remap([(lazy, Lazy("dir"))])
                return ["lazy"]
            lazy = Lazy("first")
            """)
        module = self.importing(lambda at, module: None, source)
        lazy = module.lazy
        self.assertEqual(module.second[0].name, "second")
        self.assertEqual(lazy.name, "second")
        namespace = {}
        exec(f"from {self.names[0]} import third", namespace)
        self.assertEqual((lazy.name, namespace["third"][0].name),
                         ("third", "third"))
        self.assertEqual(dir(module), ["lazy"])
        self.assertEqual(lazy.name, "dir")
        # __getattr__ itself is replaced while it runs.
        pairs = Pairs(module.__getattr__, lambda name: (name, "new"))
        module.__getattr__ = None
        def call(name):
            gc.remap(pairs.list)
            return name, "old"
        pairs.list = [(call, pairs.new)]
        module.__getattr__ = call
        del call
        self.assertEqual(module.fourth, ("fourth", "old"))
        self.assertEqual(module.fifth, ("fifth", "new"))

    def test_import_function(self):
        import builtins
        original = builtins.__import__

        def importing(name, *args, **keywords):
            gc.remap(pairs.list)
            return original(name, *args, **keywords)
        pairs = Pairs.things()
        items = [pairs.old]
        builtins.__import__ = importing
        try:
            import keyword
        finally:
            builtins.__import__ = original
        self.assertIs(items[0], pairs.new)
        self.assertTrue(keyword.iskeyword("for"))

    def test_path_hook_and_child(self):
        # A package whose child remaps the package.
        def action(at, module):
            if at == "executed" and module.__name__ == self.names[1]:
                package = sys.modules[self.names[0]]
                other = types.ModuleType(self.names[0])
                vars(other).update(vars(package), mark="other")
                pairs = [(package, other)]
                package = other = None
                gc.remap(pairs)
        module = self.importing(
            action, f"if __name__ == {self.names[0]!r}:\n"
                    f" import {self.names[1]}")
        self.assertIs(sys.modules[self.names[0]], module)
        self.assertEqual(module.mark, "other")
        self.assertIs(module.child, sys.modules[self.names[1]])


class RepairTests(RemapTestCase):
    """Python code in the middle of a repair does what it likes: the call
    succeeds, or raises and is undone; the tables are sound."""

    kinds = {
        "dict": dict.fromkeys,
        "set": set,
        "frozenset": frozenset,
        "OrderedDict": collections.OrderedDict.fromkeys,
        "defaultdict": lambda keys: collections.defaultdict(
            int, dict.fromkeys(keys, 1)),
        "WeakKeyDictionary": lambda keys: weakref.WeakKeyDictionary(
            dict.fromkeys(keys, 1)),
        "WeakSet": weakref.WeakSet,
    }

    def actions(self, table, keys):
        """{name: function}, each of which is called once in the middle."""
        def add(i=iter(range(10**6))):
            key = Thing("another")
            keys.append(key)
            if hasattr(table, "add"):
                table.add(key)
            elif mutable:
                table[key] = 1

        def remove():
            key = next(iter(list(table)), None)
            if key is not None:
                if hasattr(table, "discard"):
                    table.discard(key)
                elif mutable:
                    table.pop(key, None)

        def in_a_thread(action):
            def run():
                thread = threading.Thread(target=attempt)
                thread.start()
                thread.join()
            def attempt():
                try:
                    action()
                except RuntimeError:
                    pass
            return run

        def looking(action):
            def look():
                try:
                    action()
                except KeyError:
                    # An OrderedDict looks for its keys to go on.
                    pass
            return look

        def iterate():
            for _ in range(2):
                len(list(table))

        def raising():
            raise LookupError

        def change_and_raise():
            add()
            raise LookupError

        def recurse():
            return recurse()

        def make_class():
            make("A", (make("B"),))().x = 1

        def trace():
            sys.settrace(lambda *args: None)
            sys.settrace(None)

        def exit_():
            raise SystemExit(5)

        mutable = type(table) is not frozenset
        clear = table.clear if mutable else gc.collect
        return {
            "add": add, "remove": remove, "clear": clear,
            "copy": looking(table.copy), "iterate": looking(iterate),
            "collect": gc.collect,
            "add in a thread": in_a_thread(add),
            "clear in a thread": in_a_thread(clear),
            "collect in a thread": in_a_thread(gc.collect),
            "raise": raising, "change and raise": change_and_raise,
            "recurse": recurse, "make a class": make_class, "trace": trace,
            "exit": exit_, "drop the keys": keys.clear,
            "remap": lambda: gc.remap([(table, {})]),
        }

    class Acts:
        """Hashed and compared by what it holds, all in few places."""

        action = where = None
        count = 0

        def __init__(self, value):
            self.value = value

        def act(self, where):
            cls = type(self)
            if cls.where == where:
                cls.count -= 1
                if cls.count < 0:
                    cls.where = None
                    cls.action()

        def __hash__(self):
            self.act("hash")
            return hash(self.value) & 1

        def __eq__(self, other):
            self.act("eq")
            return isinstance(other, type(self)) and self.value == other.value

    def once(self, kind, where, action, count):
        """Returns whether it came to the action."""
        Acts = make("Acts", (self.Acts,))
        pairs = Pairs.things(2)
        keys = [Acts((i, pairs.old_at(i % 2))) for i in range(6)]
        table = self.kinds[kind](keys)
        other = {keys[0]: keys[0], pairs.old: 1}
        items = [pairs.old, (pairs.old_at(1),)]
        Acts.action = staticmethod(self.actions(table, keys)[action])
        Acts.count = count
        Acts.where = where
        error = None
        try:
            gc.remap(pairs.list)
        except (RuntimeError, LookupError, RecursionError,
                SystemExit) as exc:
            error = type(exc)
        came = Acts.where is None
        Acts.where = Acts.action = None
        now = 0 if error else 1
        self.assertIs(items[0], pairs.list[0][now])
        self.assertIs(items[1][0], pairs.list[1][now])
        for key in keys:
            if isinstance(key, Acts):
                self.assertIs(key.value[1],
                              pairs.list[key.value[0] % 2][now])
        self.assertDictSound(other)
        if isinstance(table, weakref.WeakSet):
            self.assertSetSound(set(table))
            for key in table:
                self.assertIn(key, table)
        else:
            self.assertSetSound(table)
        if action in ("raise", "recurse", "exit") and came:
            self.assertIs(error, {"raise": LookupError, "exit": SystemExit}
                          .get(action, RecursionError))
            self.assertEqual(len(table), 6)
        if action in ("copy", "iterate", "collect", "collect in a thread",
                      "make a class", "trace"):
            # These change nothing.
            self.assertIsNone(error)
            self.assertEqual(len(table), 6)
        if error:
            # Once more, and nothing meddles.
            gc.remap(pairs.list)
            self.assertIs(items[0], pairs.new)
            self.assertDictSound(other)
            self.assertSetSound(set(table))
        key = None
        return came

    def all_actions(self, kind, where):
        for action in self.actions(self.kinds[kind]([]), []):
            for count in (0, 1, 5):
                with self.subTest(kind=kind, where=where, action=action,
                                  count=count):
                    came = self.once(kind, where, action, count)
                    if count <= 1:
                        self.assertTrue(came)

    def test_cache(self):
        # That of functools.lru_cache, whose items cannot be looked at.
        for action in ("call", "call in a thread", "cache_clear", "collect",
                       "remap", "raise"):
            # One with a bound is cleared, and asks no keys.
            for where, bound in ("hash", None), ("eq", None), (None, 100):
                with self.subTest(action=action, where=where, bound=bound):
                    self.repair_a_cache(action, where, bound)

    def repair_a_cache(self, action, where, bound):
        class Acts(self.Acts): pass
        cached = functools.lru_cache(bound)(lambda key: [key])
        pairs = Pairs.things(2)
        keys = [Acts((i, pairs.old_at(i % 2))) for i in range(6)]
        values = [cached(key) for key in keys]

        def call():
            cached(Acts((7, 7)))

        def call_in_a_thread():
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()

        def remap():
            with self.assertRaises(RuntimeError):
                gc.remap([(cached, print)])

        def throw():
            raise LookupError
        Acts.action = staticmethod({
            "call": call, "call in a thread": call_in_a_thread,
            "cache_clear": cached.cache_clear, "collect": gc.collect,
            "remap": remap, "raise": throw}[action])
        Acts.where = where
        error = None
        try:
            gc.remap(pairs.list)
        except (LookupError, RuntimeError) as exc:
            error = type(exc)
        self.assertIsNone(Acts.where)
        if bound or action in ("collect", "remap"):
            self.assertIsNone(error)
        elif action == "raise":
            self.assertIs(error, LookupError)
        for i, key in enumerate(keys):
            self.assertIs(key.value[1], pairs.list[i % 2][error is None])
        if not bound and action in ("collect", "remap", "raise"):
            for key, value in zip(keys, values):
                self.assertIs(cached(key), value)
            self.assertEqual(cached.cache_info().misses, 6)
        else:
            for key in keys * 2:
                self.assertEqual(cached(key), [key])
        key = value = None

    @no_leak_check("a text of an exception may be kept")
    def test_actions(self):
        for kind in self.kinds:
            for where in ("hash", "eq"):
                self.all_actions(kind, where)


@no_leak_check("a program of its own")
class ProgramTests(RemapTestCase):
    """Programs with an allocator that spoils freed memory."""

    prelude = """
        import gc, sys, threading, time
        class Thing:
            def __init__(self, name="thing"):
                self.name = name
        """

    def run_script(self, source):
        return run_script(self, textwrap.dedent(self.prelude)
                          + textwrap.dedent(source))


class ExitTests(ProgramTests):

    def test_atexit(self):
        # Functions that wait to be called are replaced by the one that runs,
        # and so is the one that runs.
        out = self.run_script("""
            import atexit
            def say(text):
                print(text, holder[0].name)
            def first():
                gc.remap([(holder[0], Thing("first")), (first, say)])
                gc.collect()
                say("first")
                first is say or print("not replaced")
            def fails():
                gc.remap([(holder[0], Thing("fails"))])
                say("fails")
                raise SystemExit
            holder = [Thing("start")]
            atexit.register(say, "last")
            atexit.register(first)
            atexit.register(fails)
            """)
        self.assertEqual(out.splitlines(), [
            "fails fails", "first first", "last first"])

    def test_finalizers_of_the_objects_of_modules(self):
        # At the end modules are emptied: names are None, or are gone.
        for where in ("module", "__main__", "builtins", "cycle", "class",
                      "thread"):
            with self.subTest(where=where):
                out = self.run_script("""
                    import builtins, types, os
                    class Last:
                        def __init__(self, where):
                            self.where = where
                            self.items = [Thing("a"), Thing("b")]
                            self.table = {self.items[0]: 1}
                            self.names = [gc, os, os.write, print, Thing]
                        def __del__(self):
                            gc, os, write, print, Thing = self.names
                            new = Thing("new")
                            for old in (self.items[0], self.items, Thing,
                                        self, type(self), os, vars(os)):
                                for replacement in (new, [new], {}, print,
                                                    Thing, type(self)):
                                    try:
                                        gc.remap([(old, replacement)])
                                    except (TypeError, RuntimeError):
                                        pass
                                    gc.collect()
                            write(1, b"done\\n")
                    sys.modules["last"] = types.ModuleType("last")
                    where = %r
                    if where == "module":
                        sys.modules["last"].value = Last(where)
                    elif where == "__main__":
                        last = Last(where)
                    elif where == "builtins":
                        builtins.last = Last(where)
                    elif where == "cycle":
                        last = Last(where)
                        last.me = last
                    elif where == "class":
                        Last.last = Last(where)
                    elif where == "thread":
                        local = threading.local()
                        def run():
                            local.last = Last(where)
                        t = threading.Thread(target=run)
                        t.start()
                        t.join()
                    """ % where)
                self.assertIn(out, ("done\n", ""))
                if where in ("__main__", "module", "thread"):
                    self.assertEqual(out, "done\n")

    def test_simple_finalizer_at_the_end(self):
        # The usual case works to the end.
        out = self.run_script("""
            import os
            class Last:
                gc, os, Thing = gc, os, Thing
                def __del__(self):
                    pair = self.Thing("old"), self.Thing("new")
                    items = [pair[0], {pair[0]: 1}]
                    result = self.gc.remap([pair])
                    assert items[0] is pair[1] and items[1][pair[1]] == 1
                    self.os.write(1, b"ok %d\\n" % result.references)
            import builtins
            builtins.last = Last()
            """)
        self.assertEqual(out, "ok 2\n")

    def test_daemon_thread_at_the_end(self):
        # They remap until the interpreter is taken away from them.
        for _ in range(5):
            out = self.run_script("""
                def run():
                    pairs = [(Thing("a"), Thing("b"))]
                    pairs.append(pairs[0][::-1])
                    d = {pairs[0][0]: 1, (pairs[0][0], 1): 2}
                    started.set()
                    while True:
                        try:
                            gc.remap(pairs)
                        except RuntimeError:
                            pass
                started = threading.Event()
                for _ in range(3):
                    threading.Thread(target=run, daemon=True).start()
                started.wait()
                time.sleep(0.05)
                print("end")
                """)
            self.assertEqual(out, "end\n")

    def test_end_in_the_middle_of_a_remap(self):
        # The main thread ends while a daemon thread repairs a table.
        out = self.run_script("""
            class Waits:
                def __init__(self, value): self.value = value
                def __hash__(self):
                    if armed:
                        started.set()
                        time.sleep(60)
                    return hash(self.value)
            armed = []
            started = threading.Event()
            old, new = Thing("old"), Thing("new")
            table = {Waits(old): 1}
            items = [old, (old,)]
            armed.append(1)
            pairs = [(old, new)]
            thread = threading.Thread(
                target=gc.remap, args=(pairs,), daemon=True)
            thread.start()
            started.wait()
            try:
                gc.remap([([], 1)])
            except RuntimeError:
                print("refused")
            gc.collect()
            print(items[0].name)
            """)
        self.assertEqual(out, "refused\nnew\n")

    def test_exit_within_a_repair(self):
        out = self.run_script("""
            import os
            class Exits:
                def __init__(self, value): self.value = value
                def __hash__(self):
                    if armed:
                        sys.exit(0)
                    return hash(self.value)
            armed = []
            old, new = Thing("old"), Thing("new")
            table = {Exits(old): 1}
            items = [old, (old,)]
            import atexit
            def check():
                armed.clear()
                print(old.name, [*table][0] in table, items == [old, (old,)])
            atexit.register(check)
            armed.append(1)
            gc.remap([(old, new)])
            """)
        self.assertEqual(out, "old True True\n")

    def test_exception_hook(self):
        # The hook for an exception that nobody has caught; run in a thread
        # so that the program ends well.
        out = self.run_script("""
            def hook(args):
                result = gc.remap([(args.exc_value, ValueError("new")),
                                   (items[0], Thing("new"))])
                print(type(args.exc_value).__name__, items[0].name)
            threading.excepthook = hook
            items = [Thing("old")]
            def run():
                raise ZeroDivisionError
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            def display(value):
                gc.remap([(value, Thing("new"))])
                print(items[0].name)
            sys.displayhook = display
            items = [Thing("old")]
            exec(compile("items[0]", "x", "single"))
            """)
        # An argument of the hook is a field of a struct sequence.
        self.assertEqual(out.splitlines(), ["ValueError new", "new"])


class ThreadTests(RemapTestCase):

    THREADS = 6
    TURNS = 30

    def run_threads(self, target):
        errors = []

        def run(number):
            try:
                target(number)
            except BaseException as exc:
                errors.append(f"{type(exc).__name__}: {exc}")
        threads = [threading.Thread(target=run, args=(i,))
                   for i in range(self.THREADS)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        self.assertEqual(errors, [])

    def insist(self, pairs):
        """Another call is under way: try again."""
        while True:
            try:
                return gc.remap(pairs)
            except RuntimeError as exc:
                # The only reason for which it may be refused.
                self.assertRegex(str(exc), "already|another|running")
                time.sleep(0)

    def test_each_its_own(self):
        def target(number):
            pairs = Pairs.swap(Thing("a"), Thing("b"))
            local = pairs.old
            items = [local, {local: 1, (local, number): 2}, {local}]
            for turn in range(1, self.TURNS + 1):
                self.insist(pairs.list)
                now = pairs.list[0][turn % 2]
                if not (local is now and items[0] is now
                        and items[1] == {now: 1, (now, number): 2}
                        and items[2] == {now}):
                    raise AssertionError(turn)
                now = None
        self.run_threads(target)

    def test_the_same_pairs(self):
        # The number of swaps says what there is in the end.
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        items = [pairs.old] * 10
        table = {pairs.old: "first", pairs.new: "second"}
        swaps = []

        def target(number):
            for _ in range(self.TURNS):
                self.insist(pairs.list)
                swaps.append(1)
        self.run_threads(target)
        self.assertEqual(len(swaps), self.THREADS * self.TURNS)
        self.assertEqual(items, [pairs.list[0][len(swaps) % 2]] * 10)
        self.assertEqual([*table.values()], ["first", "second"])
        self.assertIs([*table][0], pairs.list[0][len(swaps) % 2])

    def test_readers_see_all_or_nothing(self):
        pairs = Pairs.swap(Thing("a"), Thing("b"))
        items = (pairs.old, [pairs.old], {"key": pairs.old})
        done = threading.Event()
        wrong = []

        def target(number):
            if number == 0:
                for _ in range(self.TURNS):
                    self.insist(pairs.list)
                done.set()
                return
            while not done.is_set():
                # One read of all three, as no other thread can come between:
                # what comes is compared by name, the names are on the stack.
                x, y, z = items[0], items[1][0], items[2]["key"]
                if not x is y is z:
                    wrong.append((x.name, y.name, z.name))
                x = y = z = None
        self.run_threads(target)
        self.assertEqual(wrong, [])

    def test_tables_of_python_hashes(self):
        # The hash lets other threads run, which remap (refused), read and
        # make objects.
        class Slow(Key):
            def __hash__(self):
                time.sleep(0)
                return hash(self.value)

        def target(number):
            pairs = Pairs.swap(Thing("a"), Thing("b"))
            table = {Slow((pairs.old, i)): i for i in range(5)}
            s = {Slow(pairs.old), Slow(pairs.new)}
            for turn in range(1, 6):
                self.insist(pairs.list)
                now = pairs.list[0][turn % 2]
                if [table[Slow((now, i))] for i in range(5)] != [*range(5)]:
                    raise AssertionError(turn)
                if len(s) != 2 or Slow(now) not in s:
                    raise AssertionError(turn)
                now = None
        self.run_threads(target)

    def test_classes_in_use(self):
        # Instances are made and called while their class is swapped.
        A = make("A", f=lambda self: "A")
        B = make("B", f=lambda self: "B")
        pairs = Pairs.swap(A, B)
        A = B = None
        space = {"cls": pairs.old}
        done = threading.Event()
        wrong = []
        turns = 9

        def target(number):
            if number == 0:
                for _ in range(turns):
                    self.insist(pairs.list)
                    time.sleep(0.001)
                done.set()
                return
            objects = []
            while not done.is_set():
                objects.append(space["cls"]())
                for obj in objects:
                    if obj.f() not in ("A", "B"):
                        wrong.append(obj.f())
                sub = type("Sub", (space["cls"],), {})()
                if sub.f() not in ("A", "B"):
                    wrong.append(sub.f())
                del objects[:-10], sub
                time.sleep(0)
        self.run_threads(target)
        self.assertEqual(wrong, [])
        gc.collect()
        self.assertEqual(space["cls"]().f(), "AB"[turns % 2])

    def test_refused_and_failing_among_others(self):
        # Who is refused does not disturb those who are not.
        class Fails(Key):
            def __hash__(self):
                if armed:
                    raise ZeroDivisionError
                return hash(self.value)
        armed = []
        bad = Pairs.things()
        failing = {Fails(bad.old): 1}
        armed.append(True)

        def target(number):
            pairs = Pairs.swap(Thing("a"), Thing("b"))
            items = [pairs.old]
            for turn in range(1, self.TURNS + 1):
                if number % 2:
                    try:
                        self.insist(bad.list + pairs.list)
                    except ZeroDivisionError:
                        pass
                    now = pairs.old
                else:
                    self.insist(pairs.list)
                    now = pairs.list[0][turn % 2]
                if items[0] is not now:
                    raise AssertionError(turn)
                now = None
        self.run_threads(target)
        armed.clear()
        self.assertEqual(failing, {Fails(bad.old): 1})


class CallbackTests(ProgramTests):
    """C code calls Python code with what it has borrowed, and that code takes
    the last references to it away."""

    prelude = """
        import collections, functools, gc, itertools, operator, sys
        class New:
            def __init__(self, name="new"):
                self.name = name
        def junk():
            gc.collect()
            return [bytearray(n) for n in range(1, 600)]
        def twin(x):
            # An object of the same kind.
            kind = type(x)
            if kind in (int, float):
                return x + 1000
            if kind in (str, bytes):
                return x + x[:1]
            if kind in (list, tuple, dict, set, frozenset):
                return kind(x)
            new = kind.__new__(kind)
            if hasattr(x, "__dict__"):
                vars(new).update(vars(x))
            return new
        mode = None
        def vanish(*olds):
            called.append(1)
            if mode is None or len(called) > 20:
                return
            for old in olds:
                try:
                    new = twin(old) if mode == "same" else New()
                    gc.remap([(old, new)])
                except (TypeError, RuntimeError):
                    pass
                old = new = None
            del olds
            junk()
        called = []
        def attempt(f, *make):
            # As it is without a remap, with another of the kind, with
            # something else: whatever comes of it is no crash.
            global mode
            for mode in (None, "same", "other"):
                called.clear()
                try:
                    f(*[m() for m in make])
                except Exception as exc:
                    if mode is None:
                        raise
                assert called, (f, mode)
            mode = None
            junk()
        """

    def check(self, source):
        out = self.run_script(textwrap.dedent(source) + "\nprint('alive')\n")
        self.assertEqual(out, "alive\n")

    def test_re(self):
        self.check("""
            import re
            def sub(match):
                vanish(match, match.string, match.re)
                return "x"
            def text():
                return "".join(["ab", "cab" * 5])
            attempt(lambda t: re.compile("a(b)" + "x?" * len(t)).sub(sub, t),
                    text)
            attempt(lambda t: re.sub("[ab]", sub, t), text)
            attempt(lambda t: re.subn(t[:2], sub, t, count=2), text)
            class Str(str):
                def __getitem__(self, i):
                    vanish(self)
                    return super().__getitem__(i)
                def __hash__(self):
                    vanish(self)
                    return 5
                __eq__ = object.__eq__
            attempt(lambda: re.compile(Str("a|b")).findall("abc"))
            attempt(lambda: re.search(Str("c"), Str("abc")))
            attempt(lambda: re.sub("b", Str(r"\\\\g<0>"), Str("abc")))
            """)

    def test_json(self):
        self.check("""
            import json
            class Thing:
                pass
            def default(o):
                vanish(o)
                return [1, "x"]
            def things():
                return [Thing(), {"k": Thing(), "l": [Thing()]}, (Thing(),)]
            attempt(lambda t: json.dumps(t, default=default), things)
            attempt(lambda t: json.dumps(t, default=default, indent=1), things)
            attempt(lambda t: json.dumps(t[1], default=default,
                                         sort_keys=True), things)
            class Text(str):
                def __str__(self):
                    vanish(self)
                    return "text"
            class Dict(dict):
                def items(self):
                    vanish(self)
                    return super().items()
            class List(list):
                def __iter__(self):
                    vanish(self)
                    return super().__iter__()
            attempt(lambda: json.dumps([Dict(a=1, b=[1.5])]))
            attempt(lambda: json.dumps(List([1, 2, [3]]), indent=2))
            class Float(float):
                def __repr__(self):
                    vanish(self)
                    return "1.5"
            text = '{"a": [1.5, 2, {"b": 3, "c": NaN}], "d": {"e": "f"}}'
            def hook(x):
                vanish(x)
                return x
            for name in ("object_hook", "object_pairs_hook", "parse_float",
                         "parse_int", "parse_constant"):
                attempt(lambda t: json.loads(t, **{name: hook}),
                        lambda: "".join([text[:5], text[5:]]))
            class Decoder(json.JSONDecoder):
                def __init__(self, **kw):
                    super().__init__(**kw)
                    self.memo = {}
                    self.object_hook = self.hook
                    self.scan_once = json.scanner.c_make_scanner(self)
                def hook(self, x):
                    vanish(x, self, self.scan_once, self.memo)
                    return x
            attempt(lambda: json.loads(text, cls=Decoder))
            """)

    def test_sqlite(self):
        self.check("""
            import sqlite3
            def connect(**kw):
                con = sqlite3.connect(":memory:", **kw)
                con.execute("create table t (a, b)")
                con.executemany("insert into t values (?, ?)",
                                [(i, "text %d" % i) for i in range(5)])
                return con
            def function():
                con = connect()
                def f(*args):
                    vanish(*args, f, con)
                    return args[0] if args else 1
                con.create_function("f", -1, f)
                rows = con.execute("select f(a, b), f(b) from t").fetchall()
                con.execute("select f()").fetchone()
            attempt(function)
            def aggregate():
                con = connect()
                class Sum:
                    def __init__(self): self.n = 0
                    def step(self, *args):
                        vanish(self, *args, Sum)
                        self.n += 1
                    inverse = step
                    def value(self):
                        vanish(self)
                        return self.n
                    def finalize(self):
                        vanish(self, con)
                        return self.n
                con.create_aggregate("s", -1, Sum)
                con.execute("select s(a, b) from t").fetchall()
                con.create_window_function("w", 1, Sum)
                con.execute("select w(a) over (order by a rows between 1 "
                            "preceding and 1 following) from t").fetchall()
            attempt(aggregate)
            def collation():
                con = connect()
                def c(a, b):
                    vanish(a, b, c)
                    return (a > b) - (a < b)
                con.create_collation("c", c)
                con.execute("select b from t order by b collate c").fetchall()
            attempt(collation)
            def adapter():
                con = connect()
                class Point:
                    pass
                def adapt(p):
                    vanish(p, adapt, params[0] if params else None)
                    return "point"
                sqlite3.register_adapter(Point, adapt)
                params = []
                params.append([Point(), Point()])
                con.execute("select ?, ?", params[0])
                params[:] = [(Point(), Point())]
                con.execute("select ?, ?", params[0])
                con.executemany("insert into t values (?, ?)",
                                ([Point(), 1] for _ in range(3)))
                class Conform:
                    def __conform__(self, protocol):
                        vanish(self)
                        return 5
                con.execute("select :x", {"x": Conform()})
            attempt(adapter)
            def converter():
                con = connect(detect_types=sqlite3.PARSE_COLNAMES)
                def convert(b):
                    vanish(b, convert, con)
                    return b.upper()
                sqlite3.register_converter("conv", convert)
                con.execute('select b as "b [conv]" from t').fetchall()
            attempt(converter)
            def factories():
                con = connect()
                def row(cursor, values):
                    vanish(values, row, cursor)
                    return list(values)
                con.row_factory = row
                list(con.execute("select * from t"))
                cur = con.execute("select * from t")
                cur.fetchone()
                cur.fetchmany(2)
                con.row_factory = None
                def text(b):
                    vanish(b, text)
                    return b.decode()
                con.text_factory = text
                con.execute("select b from t").fetchall()
                class Cursor(sqlite3.Cursor):
                    def __init__(self, con):
                        super().__init__(con)
                        vanish(self, con)
                con.cursor(Cursor)
            attempt(factories)
            def hooks():
                con = connect()
                def trace(text):
                    vanish(text, trace, con)
                con.set_trace_callback(trace)
                con.execute("select 1")
                def progress():
                    vanish(progress, con)
                    return 0
                con.set_progress_handler(progress, 1)
                con.execute("select sum(a) from t").fetchall()
                def authorize(*args):
                    vanish(*args, authorize)
                    return sqlite3.SQLITE_OK
                con.set_authorizer(authorize)
                con.execute("select b from t").fetchall()
                def parameters():
                    vanish(con)
                    yield 1
                con.executemany("insert into t values (?, 1)",
                                ([i] for i in parameters()))
            attempt(hooks)
            def statement():
                # The cursor and its connection, in the middle of a query.
                con = connect()
                cur = con.cursor()
                def f(x):
                    vanish(cur, con)
                    return x
                con.create_function("f", 1, f)
                cur.execute("select f(a) from t")
                cur.fetchall()
                for line in con.iterdump():
                    pass
                con.commit()
                con.backup(sqlite3.connect(":memory:"), pages=1,
                           progress=lambda *args: vanish(con, *args))
            attempt(statement)
            """)

    def test_ctypes(self):
        self.check("""
            import ctypes
            class S(ctypes.Structure):
                _fields_ = [("x", ctypes.c_int), ("y", ctypes.py_object)]
            Compare = ctypes.CFUNCTYPE(
                ctypes.c_int, ctypes.POINTER(ctypes.c_int),
                ctypes.POINTER(ctypes.c_int))
            def sort():
                values = (ctypes.c_int * 5)(3, 1, 2, 5, 4)
                def compare(a, b):
                    vanish(a, b, compare, values)
                    return a[0] - b[0]
                libc = ctypes.CDLL(None)
                libc.qsort(values, 5, ctypes.sizeof(ctypes.c_int),
                           Compare(compare))
            attempt(sort)
            def objects():
                Call = ctypes.PYFUNCTYPE(
                    ctypes.py_object, ctypes.py_object, ctypes.py_object)
                def f(a, b):
                    vanish(a, b, f)
                    return [b, a]
                holder = [Call(f)]
                holder[0]([1], {2})
                def g(a, b):
                    vanish(holder[0], a)
                    return a
                holder = [Call(g)]
                holder[0](New(), 5)
            attempt(objects)
            def by_value():
                Call = ctypes.CFUNCTYPE(ctypes.c_int, S)
                def f(s):
                    vanish(s.y, s, f)
                    return s.x
                Call(f)(S(1, New()))
                Call(f)(S(2, [1]))
            attempt(by_value)
            def conversion():
                class Param:
                    @classmethod
                    def from_param(cls, x):
                        vanish(x, cls)
                        return ctypes.c_int(5)
                    @property
                    def _as_parameter_(self):
                        vanish(self)
                        return 5
                libc = ctypes.CDLL(None)
                libc.abs.argtypes = [Param]
                libc.abs([1])
                def check(result, function, args):
                    vanish(result, function, args)
                    return result
                libc.abs.errcheck = check
                libc.abs({1})
                libc.labs(Param())
                class Result(ctypes.c_int):
                    pass
                def restype(x):
                    vanish(restype, x)
                    return x
                libc.abs.restype = restype
                libc.abs([1])
            attempt(conversion)
            """)

    def test_sequences_and_iterators(self):
        self.check("""
            import bisect, heapq
            class Item:
                def __init__(self, n): self.n = n
                def __lt__(self, other):
                    vanish(self, other)
                    return False
                def __add__(self, other):
                    vanish(self, other)
                    return Item(1)
                def __index__(self):
                    vanish(self)
                    return 1
            def items():
                return [Item(i) for i in range(5)]
            def key(x):
                vanish(x)
                return 1
            def two(a, b=None):
                vanish(a, b)
                return 1
            def container(f):
                # The container itself goes as well.
                def run(c):
                    holder = [c]
                    del c
                    def k(*args):
                        vanish(*args, holder[0])
                        return 1
                    return f(holder[0], k)
                attempt(run, items)
            for f in (lambda c, k: max(c, key=k), lambda c, k: min(c, key=k),
                      lambda c, k: list(itertools.groupby(c, k)),
                      lambda c, k: list(itertools.accumulate(c, k)),
                      lambda c, k: list(itertools.filterfalse(k, c)),
                      lambda c, k: list(itertools.takewhile(k, c)),
                      lambda c, k: list(itertools.dropwhile(k, c)),
                      lambda c, k: list(itertools.starmap(k, [c, c])),
                      lambda c, k: list(filter(k, c)),
                      lambda c, k: sorted(c, key=functools.cmp_to_key(k)),
                      lambda c, k: bisect.bisect(c, 5, key=k),
                      lambda c, k: heapq.nsmallest(2, c, key=k),
                      lambda c, k: heapq.merge(c, c, key=k).__next__(),
                      lambda c, k: list(map(k, c, c)),
                      lambda c, k: functools.reduce(k, c),
                      lambda c, k: [*map(k, *[c] * 3)],
                      lambda c, k: k(*c), lambda c, k: k(*c, **{}),
                      lambda c, k: functools.partial(k, *c)(*c),
                      lambda c, k: next(iter(functools.partial(k, c), 1), 0),
                      lambda c, k: functools.singledispatch(k)(c[0]),
                      lambda c, k: functools.lru_cache(k)(*c),
                      lambda c, k: functools.lru_cache(None)(k)(*c)):
                container(f)
            for f in (bisect.insort, lambda c, x: heapq.heappush(c, x),
                      lambda c, x: heapq.heappushpop(c, x),
                      lambda c, x: heapq.heapreplace(c, x),
                      lambda c, x: heapq.heapify(c), lambda c, x: c.sort(),
                      lambda c, x: sum(c, x), lambda c, x: max(c),
                      lambda c, x: list(itertools.accumulate(c)),
                      lambda c, x: c.insert(x, 1), lambda c, x: c.pop(x),
                      lambda c, x: c[x], lambda c, x: c[x:x],
                      lambda c, x: c.__setitem__(slice(x, x), c),
                      lambda c, x: c * x, lambda c, x: "abc"[x],
                      lambda c, x: bytes([x, x]), lambda c, x: bytearray(c),
                      lambda c, x: range(x, 5)[x], lambda c, x: hex(x),
                      lambda c, x: collections.deque(c).rotate(x),
                      lambda c, x: list(itertools.islice(c, x)),
                      lambda c, x: list(itertools.repeat(c, x)),
                      lambda c, x: memoryview(b"abc")[x]):
                attempt(f, items, lambda: Item(9))
            """)

    def test_mappings_and_sets(self):
        self.check("""
            class K:
                def __init__(self, n): self.n = n
                def __hash__(self):
                    vanish(self, *holder)
                    return 1
                def __eq__(self, other):
                    vanish(self, other, *holder)
                    return self is other
            holder = []
            def quiet(f):
                global mode
                kept, mode = mode, None
                try:
                    return f()
                finally:
                    mode = kept
            def use(f, kinds):
                def run():
                    a = quiet(lambda: kinds[0]([K(1), K(2), 3]))
                    b = quiet(lambda: kinds[-1]([K(4), 3, K(5)]))
                    holder[:] = [a]
                    try:
                        return f(a, b)
                    finally:
                        holder.clear()
                attempt(run)
            dicts = [dict.fromkeys, collections.OrderedDict.fromkeys,
                     lambda c: collections.defaultdict(int, dict.fromkeys(c))]
            for d, e in itertools.product(dicts, [dict.fromkeys, dicts[1]]):
                for f in (lambda a, b: a.update(b), lambda a, b: a | b,
                          lambda a, b: a.__ior__(b), lambda a, b: b.update(a),
                          lambda a, b: {**a, **b}, lambda a, b: a == b,
                          lambda a, b: a.keys() & b.keys(),
                          lambda a, b: a.keys() - b.keys(),
                          lambda a, b: a.items() & b.items(),
                          lambda a, b: a.keys() ^ b.keys(),
                          lambda a, b: a.keys().isdisjoint(b),
                          lambda a, b: dict(zip(a, b)),
                          lambda a, b: a.setdefault(K(7), 1),
                          lambda a, b: a.pop(K(7), 1),
                          lambda a, b: a.get(K(7))):
                    use(f, [d, e])
            for s, t in itertools.product([set, frozenset], [set, list]):
                for f in (lambda a, b: a.union(b), lambda a, b: a | set(b),
                          lambda a, b: a.intersection(b),
                          lambda a, b: a.difference(b),
                          lambda a, b: a.symmetric_difference(b),
                          lambda a, b: a.issubset(b),
                          lambda a, b: a.issuperset(b),
                          lambda a, b: a.isdisjoint(b),
                          lambda a, b: set(a).update(b),
                          lambda a, b: set(a).difference_update(b),
                          lambda a, b: set(a).intersection_update(b),
                          lambda a, b: set(a).symmetric_difference_update(b),
                          lambda a, b: a == set(b), lambda a, b: K(7) in a):
                    use(f, [s, t])
            class Missing(dict):
                def __missing__(self, key):
                    vanish(self, key)
                    return key
            attempt(lambda: Missing()[New()])
            attempt(lambda: "{x}".format_map(Missing()))
            attempt(lambda: eval("x", Missing()))
            attempt(lambda: exec("y = x", {}, Missing()))
            def factory():
                vanish(*holder)
                return []
            def default():
                holder[:] = [collections.defaultdict(factory)]
                holder[0][New()].append(1)
            attempt(default)
            class Mapping:
                def keys(self):
                    vanish(self)
                    return [New(), "a"]
                def __getitem__(self, key):
                    vanish(self, key)
                    return key
            attempt(lambda: dict(Mapping()))
            attempt(lambda: {}.update(Mapping()))
            attempt(lambda: {**Mapping()})
            """)

    def test_streams_and_texts(self):
        self.check("""
            import codecs, csv, io
            class Raw(io.RawIOBase):
                def readable(self): return True
                def writable(self): return True
                def readinto(self, buffer):
                    vanish(buffer, self)
                    buffer[:1] = b"x"
                    return 0 if called[5:] else 1
                def write(self, data):
                    vanish(data, self)
                    return len(data)
            attempt(lambda: io.BufferedReader(Raw()).read())
            attempt(lambda: io.BufferedReader(Raw()).readline())
            def write():
                w = io.BufferedWriter(Raw(), 4)
                w.write(bytes(100))
                w.flush()
            attempt(write)
            def text():
                t = io.TextIOWrapper(io.BufferedWriter(Raw(), 4))
                t.write("x" * 10000)
                t.flush()
            attempt(text)
            class File:
                def write(self, text):
                    vanish(text, self)
                    return len(text)
                def flush(self): pass
                def read(self, n=-1):
                    vanish(self)
                    return b"1 + 1"
                def readline(self):
                    vanish(self)
                    return b""
                def __iter__(self): return self
                def __next__(self):
                    vanish(self)
                    if called[4:]:
                        raise StopIteration
                    return "".join(["a,", "b"])
            attempt(lambda: print([1], New(), file=File()))
            attempt(lambda: list(csv.reader(File())))
            class Cell:
                def __str__(self):
                    vanish(self)
                    return "cell"
                def __repr__(self):
                    vanish(self)
                    return "cell"
                def __format__(self, spec):
                    vanish(self, spec)
                    return "cell"
                __ascii__ = __repr__
            attempt(lambda: csv.writer(File()).writerow([Cell(), "x", Cell()]))
            attempt(lambda: "%s %r" % (Cell(), Cell()))
            attempt(lambda: "{0} {1!r:>{2}}".format(Cell(), Cell(), 9))
            attempt(lambda: f"{Cell()} {Cell()!r:{'>9'}}")
            attempt(lambda: b"%a" % Cell())
            attempt(lambda: repr([Cell(), {1: Cell()}, (Cell(),), {Cell()}]))
            attempt(lambda: str(ValueError(Cell(), Cell())))
            attempt(lambda: "".join(str(c) for c in [Cell(), Cell()]))
            def errors():
                def handler(exc):
                    end = exc.end
                    vanish(exc.object, exc, handler)
                    return "?", end
                codecs.register_error("vanishing", handler)
                return "vanishing"
            attempt(lambda e: ("ab\\udc80" * 3).encode("ascii", e), errors)
            attempt(lambda e: (b"ab\\xff" * 3).decode("utf-8", e), errors)
            attempt(lambda e: ("\\u20ac" * 3).encode("latin-1", e), errors)
            attempt(lambda e: ("ab\\u1234" * 3).encode("cp437", e), errors)
            class Table(dict):
                def __missing__(self, key):
                    vanish(self, key)
                    return "z"
            attempt(lambda: ("abc" * 5).translate(Table()))
            def opener(name, flags):
                vanish(name, opener)
                import os
                return os.open("/dev/null", flags)
            attempt(lambda: open("".join(["some ", "name"]),
                                 opener=opener).close())
            class Path:
                def __fspath__(self):
                    vanish(self)
                    return "/dev/null"
            attempt(lambda: open(Path()).close())
            """)

    def test_pickle(self):
        self.check("""
            import copyreg, io, pickle
            class P:
                def __init__(self): self.x = [1]
                def __getstate__(self):
                    vanish(self, self.x)
                    return {"x": [self.x, self]}
                def __setstate__(self, state):
                    vanish(state, self)
                    self.x = 1
            class Q:
                def __reduce_ex__(self, protocol):
                    vanish(self)
                    return Q.make, ([self.__class__], 1), None, iter([1, 2]), (
                        iter([(1, 2)]))
                def make(*args):
                    vanish(*args)
                    return Target()
            class Target(list):
                def __setitem__(self, k, v): vanish(self, k, v)
                def append(self, x): vanish(self, x)
                def extend(self, x): vanish(self, x)
            for protocol in (0, 2, 4, 5):
                attempt(lambda: pickle.loads(pickle.dumps(
                    [P(), P(), {1: P()}, (P(),)], protocol)))
                attempt(lambda: pickle.loads(pickle.dumps(
                    [Q(), (Q(), Q())], protocol)))
            class Pickler(pickle.Pickler):
                def persistent_id(self, x):
                    vanish(x, self)
                    return "id" if type(x) is New else None
                def reducer_override(self, x):
                    vanish(x, self)
                    return NotImplemented
            class Unpickler(pickle.Unpickler):
                def persistent_load(self, x):
                    vanish(x, self)
                    return x
                def find_class(self, module, name):
                    vanish(module, name, self)
                    return super().find_class(module, name)
            def run():
                out = io.BytesIO()
                Pickler(out).dump([New(), P(), [New()]])
                Unpickler(io.BytesIO(out.getvalue())).load()
            attempt(run)
            class File:
                def __init__(self): self.data = []
                def write(self, b):
                    vanish(b, self)
                    self.data.append(b)
                def read(self, n=-1):
                    vanish(self)
                    return text[:n]
                def readline(self):
                    vanish(self)
                    return text
                def readinto(self, b):
                    vanish(b, self)
                    return 0
            text = pickle.dumps(b"x" * 100000, 4)
            attempt(lambda: pickle.dump([b"x" * 100000, [1]], File()))
            attempt(lambda: pickle.Unpickler(File()).load()
                    if mode else vanish())
            attempt(lambda: pickle.dumps(
                pickle.PickleBuffer(b"x" * 100), 5,
                buffer_callback=lambda b: vanish(b)))
            """)

    def test_parsers(self):
        self.check("""
            import xml.etree.ElementTree as ET, xml.parsers.expat as expat
            xml = b"<a x='1'>text<b/>tail<?pi x?><!-- c --><c>t</c></a>"
            def parse():
                parser = expat.ParserCreate()
                def handler(*args):
                    vanish(*args, parser, handler)
                for name in ("StartElementHandler", "EndElementHandler",
                             "CharacterDataHandler", "CommentHandler",
                             "ProcessingInstructionHandler",
                             "DefaultHandlerExpand"):
                    setattr(parser, name, handler)
                parser.Parse(xml, True)
            attempt(parse)
            class Target:
                def start(self, tag, attrib):
                    vanish(self, tag, attrib)
                def end(self, tag): vanish(self, tag)
                def data(self, text): vanish(self, text)
                def comment(self, text): vanish(self, text)
                def pi(self, *args): vanish(self, *args)
                def close(self):
                    vanish(self)
                    return self
            attempt(lambda: ET.XMLParser(target=Target()).feed(xml))
            def builder():
                def factory(*args):
                    vanish(*args)
                    return ET.Element(*args)
                b = ET.TreeBuilder(element_factory=factory)
                p = ET.XMLParser(target=b)
                p.feed(xml)
                p.close()
            attempt(builder)
            class Sub(ET.Element):
                def __eq__(self, other):
                    vanish(self, other)
                    return False
                __hash__ = None
            def find():
                root = ET.Element("r")
                root.extend([Sub("a"), Sub("b"), ET.Element("c")])
                try:
                    root.remove(Sub("d"))
                except ValueError:
                    pass
            attempt(find)
            class Tag(str):
                def __eq__(self, other):
                    vanish(self, other)
                    return str.__eq__(self, other)
                __hash__ = str.__hash__
            def tags():
                root = ET.Element("r")
                for t in "aba":
                    ET.SubElement(root, Tag(t)).text = "x"
                root.find(Tag("b"))
                root.findall("b")
                root.findtext(Tag("b"))
                list(root.iter("a"))
            attempt(tags)
            """)

    def test_asyncio_and_contexts(self):
        self.check("""
            import asyncio, contextvars
            def callback(*args):
                vanish(*args, callback)
            async def sleeps():
                vanish(asyncio.current_task())
                await asyncio.sleep(0)
                vanish(*holder)
                return [1]
            holder = []
            async def program():
                loop = asyncio.get_running_loop()
                future = loop.create_future()
                future.add_done_callback(callback)
                holder[:] = [future, New()]
                loop.call_soon(callback, New())
                future.set_result([1])
                await asyncio.wait_for(asyncio.sleep(0), 1)
                task = asyncio.create_task(asyncio.sleep(0))
                task.add_done_callback(callback)
                await task
            async def tasks():
                t = asyncio.create_task(sleeps())
                await asyncio.wait([t], timeout=1)
            def run_loop(function):
                # A program that loses its wakeup waits for ever: stopped.
                loop = asyncio.new_event_loop()
                loop.set_exception_handler(lambda *args: None)
                loop.call_later(0.2, loop.stop)
                try:
                    loop.run_until_complete(function())
                finally:
                    loop.close()
            attempt(lambda: run_loop(program))
            attempt(lambda: run_loop(tasks))
            def run(*args):
                vanish(*args, *holder)
            def context():
                c = contextvars.copy_context()
                holder[:] = [c]
                c.run(run, New())
            attempt(context)
            class Waits:
                def __await__(self):
                    vanish(self)
                    yield
            async def awaits():
                await Waits()
            def drive():
                c = awaits()
                c.send(None)
                try:
                    c.send(None)
                except StopIteration:
                    pass
            attempt(drive)
            """)

    def test_numbers_and_structs(self):
        self.check("""
            import array, decimal, fractions, math, struct, statistics
            class N:
                def __index__(self):
                    vanish(self)
                    return 5
                def __float__(self):
                    vanish(self)
                    return 1.5
                def __int__(self):
                    vanish(self)
                    return 5
                def __complex__(self):
                    vanish(self)
                    return 1j
                def __round__(self, n=None):
                    vanish(self, n)
                    return 5
                def __trunc__(self): return self.__int__()
                __floor__ = __ceil__ = __trunc__
                def __abs__(self): return self.__int__()
                def __divmod__(self, other):
                    vanish(self, other)
                    return 1, 2
                def __pow__(self, *args):
                    vanish(self, *args)
                    return 5
            for f in (lambda n: struct.pack("<iqd", n, n, n),
                      lambda n: struct.pack_into("i", bytearray(9), 0, n),
                      lambda n: array.array("i", [n, n]),
                      lambda n: array.array("d", [1.5]).extend([n]),
                      lambda n: math.gcd(n, n), lambda n: math.hypot(n, n),
                      lambda n: math.fsum([n, n]), lambda n: math.pow(n, n),
                      lambda n: math.prod([1.5, float(n)]),
                      lambda n: math.isclose(n, n), lambda n: complex(n),
                      lambda n: math.dist([n], [n]), lambda n: math.comb(n, n),
                      lambda n: math.sumprod([float(n)], [1.5]),
                      lambda n: round(n, n), lambda n: math.floor(n),
                      lambda n: pow(n, n, n), lambda n: divmod(n, n),
                      lambda n: int(n), lambda n: abs(n),
                      lambda n: decimal.Decimal(int(n)),
                      lambda n: (5).to_bytes(n, "big"),
                      lambda n: int("11", n), lambda n: chr(n),
                      lambda n: bytes(n), lambda n: [1] * n,
                      lambda n: operator.index(n),
                      lambda n: slice(n, n, n).indices(n)):
                attempt(f, N)
            """)


T = typing.TypeVar("T")


class TypingTests(RemapTestCase):
    """Caches and registries of classes in the standard library."""

    def test_aliases(self):
        # The caches of the typing module do not give away what was.
        aliases = {
            "List": lambda c: typing.List[c],
            "list": lambda c: list[c],
            "Dict": lambda c: typing.Dict[str, c],
            "Optional": lambda c: typing.Optional[c],
            "Union": lambda c: typing.Union[int, c],
            "or": lambda c: c | None,
            "Callable": lambda c: typing.Callable[[c], c],
            "abc": lambda c: collections.abc.Callable[[c], c],
            "Tuple": lambda c: typing.Tuple[c, ...],
            "Type": lambda c: typing.Type[c],
            "Annotated": lambda c: typing.Annotated[c, "x"],
            "nested": lambda c: typing.List[typing.Dict[str, list[c]]],
            "ClassVar": lambda c: typing.ClassVar[c],
        }
        for name, alias in aliases.items():
            with self.subTest(name=name):
                pairs = Pairs(make("Old"), make("New"))
                made = [alias(pairs.old)]
                again = alias(pairs.old) is made[0]
                table = {made[0]: "value", (made[0], 1): 2}
                gc.remap(pairs.list)
                self.assertEqual(made[0], alias(pairs.new))
                self.assertEqual(hash(made[0]), hash(alias(pairs.new)))
                self.assertNotEqual(made[0], alias(pairs.old))
                self.assertEqual(table[alias(pairs.new)], "value")
                self.assertEqual(table[alias(pairs.new), 1], 2)
                self.assertIn("New", repr(made[0]))
                self.assertNotIn("Old", repr(made[0]))
                self.assertEqual(
                    alias(pairs.new) is alias(pairs.new), again)
                made = table = None
                # Nothing keeps the old one in a cache of the module.
                for cleanup in typing._cleanups:
                    cleanup()
        alias = aliases = None

    def test_generic_class(self):
        def declare(name, n):
            class Box(typing.Generic[T]):
                def __init__(self, value): self.value = value
                def which(self) -> T: return n
            Box.__name__ = Box.__qualname__ = name
            return Box
        pairs = Pairs(declare("Old", 1), declare("New", 2))
        alias = pairs.old[int]
        box, typed = pairs.old(5), alias(6)

        class Sub(pairs.old[str]):
            pass
        sub = Sub(7)
        gc.remap(pairs.list)
        self.assertEqual([x.which() for x in (box, typed, sub)], [2, 2, 2])
        self.assertEqual(alias, pairs.new[int])
        self.assertIs(typing.get_origin(alias), pairs.new)
        self.assertEqual(typed.__orig_class__, pairs.new[int])
        self.assertEqual(Sub.__orig_bases__, (pairs.new[str],))
        self.assertEqual(
            Sub.__mro__, (Sub, pairs.new, typing.Generic, object))
        self.assertEqual(pairs.new[T][int], alias)
        self.assertEqual(pairs.new.__parameters__, (T,))
        self.assertIsInstance(alias(1), pairs.new)
        alias = box = typed = sub = Sub = None
        for cleanup in typing._cleanups:
            cleanup()

    def test_generic_class_with_new_syntax(self):
        namespace = {}
        exec(textwrap.dedent("""
            class Old[X]:
                def f(self, x: X) -> X: return 1
            class New[X]:
                def f(self, x: X) -> X: return 2
            type Alias[Y] = Old[Y] | None
            type Lazy = list[Old[int]]
            def g[Z: Old](z: Z) -> Old[Z]: return z
            a = Old[int]()
            Alias.__value__
            """), namespace)
        pairs = Pairs(namespace.pop("Old"), namespace.pop("New"))
        namespace["Old"] = pairs.old
        gc.remap(pairs.list)
        self.assertEqual(namespace["a"].f(0), 2)
        X, = pairs.new.__type_params__
        Y, = namespace["Alias"].__type_params__
        self.assertEqual(namespace["Alias"].__value__, pairs.new[Y] | None)
        # It is evaluated now, and finds the name.
        self.assertEqual(namespace["Lazy"].__value__, list[pairs.new[int]])
        Z, = namespace["g"].__type_params__
        self.assertIs(Z.__bound__, pairs.new)
        self.assertEqual(typing.get_type_hints(namespace["g"])["return"],
                         pairs.new[Z])
        X = Y = Z = None
        namespace.clear()
        for cleanup in typing._cleanups:
            cleanup()

    def test_type_variables(self):
        pairs = Pairs(make("Old"), make("New"))
        bound = typing.TypeVar("bound", bound=pairs.old)
        constrained = typing.TypeVar("constrained", pairs.old, int)
        new_type = typing.NewType("new_type", pairs.old)
        gc.remap(pairs.list)
        self.assertIs(bound.__bound__, pairs.new)
        self.assertEqual(constrained.__constraints__, (pairs.new, int))
        self.assertIs(new_type.__supertype__, pairs.new)

    def test_type_hints(self):
        class Old: pass
        class New: pass
        def f(a: Old, b: "Thing", c: typing.Optional[Old] = None) -> Old: pass
        class Holder:
            x: Old
            y: typing.List[Old]
        pairs = Pairs(Old, New)
        typing.get_type_hints(f), typing.get_type_hints(Holder)
        Old = New = None
        gc.remap(pairs.list)
        self.assertEqual(typing.get_type_hints(f), {
            "a": pairs.new, "b": Thing, "c": typing.Optional[pairs.new],
            "return": pairs.new})
        self.assertEqual(typing.get_type_hints(Holder), {
            "x": pairs.new, "y": typing.List[pairs.new]})
        f = Holder = None
        for cleanup in typing._cleanups:
            cleanup()

    def test_runtime_checkable_protocol(self):
        @typing.runtime_checkable
        class Named(typing.Protocol):
            def name(self): ...

        @typing.runtime_checkable
        class Sized(typing.Protocol):
            size: int
        pairs = Pairs(make("Old", name=lambda self: 1), make("New", size=5))
        o = pairs.old()
        for _ in range(3):
            self.assertEqual((isinstance(o, Named), isinstance(o, Sized)),
                             (True, False))
        self.assertTrue(issubclass(pairs.old, Named))
        gc.remap(pairs.list)
        for _ in range(3):
            self.assertEqual((isinstance(o, Named), isinstance(o, Sized)),
                             (False, True))
            self.assertTrue(isinstance(pairs.old(), Named))
        self.assertFalse(issubclass(pairs.new, Named))
        # And the protocol itself.
        protocols = Pairs(Named, Sized)
        holder = [Named]
        Named = Sized = None
        self.assertFalse(isinstance(o, holder[0]))
        gc.remap(protocols.list)
        self.assertTrue(isinstance(o, holder[0]))
        self.assertFalse(isinstance(pairs.old(), holder[0]))
        o = None

    def test_explicit_protocol(self):
        class Proto(typing.Protocol):
            def f(self): return "default"

        class Other(typing.Protocol):
            def f(self): return "other"

        class C(Proto):
            pass
        pairs = Pairs(Proto, Other)
        Proto = Other = None
        c = C()
        self.assertEqual(c.f(), "default")
        gc.remap(pairs.list)
        self.assertEqual(c.f(), "other")
        self.assertEqual(C.__mro__[:2], (C, pairs.new))
        C = c = None

    def test_named_tuple_classes(self):
        def simple(name):
            return collections.namedtuple(name, "x y")

        def typed(name):
            class N(typing.NamedTuple):
                x: int
                y: int = 5
                def total(self): return name, self.x + self.y
            N.__name__ = N.__qualname__ = name
            return N

        def derived(name):
            return type(name, (simple("Base"),), {"__slots__": ()})
        for declare in (simple, typed, derived):
            with self.subTest(declare=declare.__name__):
                pairs = Pairs(declare("Old"), declare("New"))
                n = pairs.old(1, 2)
                table = {n: 1, (n, "x"): 2}
                gc.remap(pairs.list)
                self.assertIs(type(n), pairs.new)
                self.assertEqual(repr(n), "New(x=1, y=2)")
                self.assertEqual((n.x, n.y), (1, 2))
                self.assertEqual(n._replace(x=3), (3, 2))
                self.assertIs(type(n._replace(x=3)), pairs.new)
                self.assertEqual(n._asdict(), {"x": 1, "y": 2})
                self.assertEqual(table[pairs.new(1, 2)], 1)
                self.assertEqual(table[pairs.new(1, 2), "x"], 2)
                if declare is typed:
                    self.assertEqual(n.total(), ("New", 3))
                n = None

    def test_named_tuple_with_other_fields(self):
        # The fields are a matter of the class: an instance keeps its items.
        pairs = Pairs(collections.namedtuple("Old", "x y"),
                      collections.namedtuple("New", "y x"))
        n = pairs.old(1, 2)
        gc.remap(pairs.list)
        self.assertEqual((n.x, n.y), (2, 1))
        # A field object in the middle of a hot loop.
        for _ in range(200):
            self.assertEqual(n.x, 2)

    def test_flag(self):
        def declare(name):
            return enum.Flag(name, "A B C")
        pairs = Pairs(declare("Old"), declare("New"))
        for member in pairs.old:
            pairs.list.append((member, pairs.new[member.name]))
        pairs.list.append((pairs.old.A | pairs.old.B,
                           pairs.new.A | pairs.new.B))
        both = pairs.old.A | pairs.old.B
        table = {pairs.old.A: "a", both: "ab", (pairs.old.C,): "c"}
        member = None
        gc.remap(pairs.list)
        New = pairs.new
        self.assertIs(type(both), New)
        self.assertEqual(table[New.A], "a")
        self.assertEqual(table[(New.C,)], "c")
        self.assertEqual(both, New.A | New.B)
        self.assertEqual(table[New.A | New.B], "ab")
        self.assertIn(New.A, both)
        self.assertEqual(both & New.B, New.B)
        self.assertEqual(repr(both), "<New.A|B: 3>")
        self.assertEqual(New(3), both)
        self.assertEqual([m.name for m in New], ["A", "B", "C"])
        New = both = table = None

    def test_enum_classes(self):
        for base, values in ((enum.Enum, (1, "two")), (enum.IntEnum, (1, 2)),
                             (enum.StrEnum, ("a", "b")), (enum.IntFlag, (1, 2))):
            with self.subTest(base=base):
                def declare(name):
                    return base(name, dict(zip("AB", values)))
                pairs = Pairs(declare("Old"), declare("New"))
                pairs.list += [(m, pairs.new[m.name]) for m in pairs.old]
                member = pairs.old.A
                table = {pairs.old.A: "a", (pairs.old.B,): "b"}
                gc.remap(pairs.list)
                New = pairs.new
                self.assertIs(member, New.A)
                self.assertEqual(table, {New.A: "a", (New.B,): "b"})
                self.assertEqual([*New], [New(v) for v in values])
                self.assertIsInstance(member, New)
                New = member = None
                # The class alone: the members come to be of the other.
                pairs = Pairs(declare("Old"), declare("New"))
                member = pairs.old.A
                gc.remap(pairs.list)
                self.assertIs(type(member), pairs.new)
                self.assertEqual(member.name, "A")
                member = None

    def test_enum_with_values_that_are_replaced(self):
        pairs = Pairs(Key("a"), Key("b"))
        E = enum.Enum("E", {"X": pairs.old, "Y": Key("c")})
        self.assertIs(E(Key("a")), E.X)
        gc.remap(pairs.list)
        self.assertIs(E.X.value, pairs.new)
        self.assertIs(E(Key("b")), E.X)
        self.assertIs(E(Key("c")), E.Y)
        with self.assertRaises(ValueError):
            E(Key("a"))

    def test_frozen_dataclass_with_slots(self):
        def declare(name, text):
            @dataclasses.dataclass(frozen=True, slots=True, order=True)
            class D:
                x: int
                y: object = None
                def which(self): return text
            D.__name__ = D.__qualname__ = name
            return D
        pairs = Pairs(declare("Old", "old"), declare("New", "new"))
        d = pairs.old(1, pairs.old(2))
        table = {d: 1, (d, 1): 2}
        method = d.which
        gc.remap(pairs.list)
        self.assertIs(type(d), pairs.new)
        self.assertIs(type(d.y), pairs.new)
        self.assertEqual(d, pairs.new(1, pairs.new(2)))
        self.assertEqual(table[pairs.new(1, pairs.new(2))], 1)
        self.assertEqual(table[pairs.new(1, pairs.new(2)), 1], 2)
        self.assertEqual(d.which(), "new")
        # The old function, which has been bound before.
        self.assertEqual(method(), "old")
        with self.assertRaises(dataclasses.FrozenInstanceError):
            d.x = 5
        self.assertEqual(dataclasses.replace(d, x=3).x, 3)
        self.assertEqual(dataclasses.asdict(d),
                         {"x": 1, "y": {"x": 2, "y": None}})
        self.assertLess(d, pairs.new(2))
        d = table = method = None

    def test_dataclass_fields(self):
        def factory(): return ["old"]
        def other(): return ["new"]

        @dataclasses.dataclass
        class D:
            x: list = dataclasses.field(default_factory=factory)
        pairs = Pairs(factory, other)
        factory = other = None
        gc.remap(pairs.list)
        self.assertEqual(D().x, ["new"])
        self.assertIs(dataclasses.fields(D)[0].default_factory, pairs.new)

    def test_single_dispatch_method(self):
        class C:
            @functools.singledispatchmethod
            def f(self, x): return "any"
            @f.register
            def _(self, x: int): return "int"
        class Old: pass
        class New: pass
        pairs = Pairs(Old, New)
        @C.f.register(Old)
        def _(self, x): return "thing"
        del _
        Old = New = None
        c = C()
        self.assertEqual([c.f(pairs.old()), c.f(pairs.new()), c.f(1)],
                         ["thing", "any", "int"])
        gc.remap(pairs.list)
        # What dispatch has found out about a class is kept by the program.
        vars(C)["f"].dispatcher._clear_cache()
        self.assertEqual([c.f(pairs.old()), c.f(pairs.new()), c.f(1)],
                         ["any", "thing", "int"])
        self.assertIn(pairs.new, vars(C)["f"].dispatcher.registry)
        # The class that has the method is replaced by one that has another.
        class D:
            @functools.singledispatchmethod
            def f(self, x): return "D"
        classes = Pairs(C, D)
        C = D = None
        gc.remap(classes.list)
        self.assertEqual(c.f(1), "D")
        c = None

    def test_single_dispatch_implementation(self):
        @functools.singledispatch
        def generic(x): return "any"
        old, new = lambda x: "old", lambda x: "new"
        generic.register(int, old)
        pairs = Pairs(old, new)
        old = new = None
        self.assertEqual(generic(1), "old")
        gc.remap(pairs.list)
        # Also where it has been found before: the cache holds the function.
        self.assertEqual(generic(1), "new")
        self.assertEqual(generic(True), "new")

    def test_cached_property(self):
        def declare(name):
            class C:
                @functools.cached_property
                def value(self):
                    calls.append(name)
                    return name
            return C
        calls = []
        pairs = Pairs(declare("old"), declare("new"))
        computed, fresh = pairs.old(), pairs.old()
        self.assertEqual(computed.value, "old")
        gc.remap(pairs.list)
        # What was computed stays; what was not is computed by the new one.
        self.assertEqual((computed.value, fresh.value), ("old", "new"))
        del computed.value
        self.assertEqual(computed.value, "new")
        self.assertEqual(calls, ["old", "new", "new"])
        computed = fresh = None

    def test_cached_property_that_remaps(self):
        class C:
            @functools.cached_property
            def value(self):
                gc.remap([(self, other)])
                return "computed"
        c, other = C(), C()
        holder = [c]
        del c
        self.assertEqual(holder[0].value, "computed")
        self.assertIs(holder[0], other)
        # Put where the method's own self was when it returned.
        self.assertIn(vars(other), ({}, {"value": "computed"}))

    def test_metaclass_swap(self):
        def declare(name):
            class Meta(type):
                def __instancecheck__(cls, x): return (name, "instance")[1]
                def __getattr__(cls, attribute):
                    if attribute.startswith("__"):
                        raise AttributeError(attribute)
                    return name, attribute
                def __len__(cls): return len(name)
                def __call__(cls, *args):
                    return name, super().__call__(*args)
                @property
                def prop(cls): return name
            return Meta
        pairs = Pairs.swap(declare("first"), declare("other one"))
        A, B = pairs.old("A", (), {}), pairs.new("B", (), {})
        a = A()[1]
        for turn in range(4):
            names = ["first", "other one"][::-1 if turn % 2 else 1]
            for _ in range(60):
                self.assertEqual(
                    (A.missing, B.missing, len(A), len(B), A.prop, B.prop),
                    ((names[0], "missing"), (names[1], "missing"),
                     len(names[0]), len(names[1]), *names))
            if not turn % 2:
                self.assertEqual((A()[0], B()[0]), tuple(names))
            self.assertIs(type(a), A)
            gc.remap(pairs.list)
        A = B = a = None

    def test_descriptors(self):
        class Descriptor:
            def __init__(self, name): self.name = name
            def __get__(self, obj, owner): return self.name, obj is None
            def __set__(self, obj, value): log.append((self.name, value))
            def __delete__(self, obj): log.append((self.name, "delete"))

        class NonData:
            def __get__(self, obj, owner): return "non-data"
        log = []
        pairs = Pairs(Descriptor("old"), Descriptor("new"))
        C = make("C", x=pairs.old)
        c = C()
        vars(c)["x"] = "instance"
        for _ in range(100):
            self.assertEqual((c.x, C.x), (("old", False), ("old", True)))
        gc.remap(pairs.list)
        for _ in range(100):
            self.assertEqual((c.x, C.x), (("new", False), ("new", True)))
        c.x = 1
        del c.x
        self.assertEqual(log, [("new", 1), ("new", "delete")])
        # A data descriptor becomes one that instances override.
        pairs = Pairs(pairs.new, NonData())
        gc.remap(pairs.list)
        self.assertEqual((c.x, C.x), ("instance", "non-data"))
        c.x = 2
        self.assertEqual((c.x, vars(c)), (2, {"x": 2}))
        # And the class of a descriptor, which makes it none.
        pairs = Pairs(NonData, make("Plain"))
        NonData = None
        gc.remap(pairs.list)
        self.assertIs(type(C.x), pairs.new)
        C = c = None

    def test_property_of_a_running_getter(self):
        # A property is replaced while its getter runs, in hot code.
        for hot in (1, 100):
            with self.subTest(hot=hot):
                armed = []

                class C:
                    @property
                    def x(self):
                        if armed:
                            armed.clear()
                            gc.remap(pairs.list)
                        return "old"
                pairs = Pairs(vars(C)["x"], property(lambda self: "new"))
                c = C()

                def read():
                    return c.x
                for _ in range(hot):
                    self.assertEqual(read(), "old")
                armed.append(True)
                self.assertEqual(read(), "old")
                for _ in range(hot):
                    self.assertEqual(read(), "new")
                c = C = None

    def test_registrations(self):
        # Registered with one ABC, below another, and by a hook.
        class Registered(metaclass=abc.ABCMeta):
            pass

        class Hooked(metaclass=abc.ABCMeta):
            @classmethod
            def __subclasshook__(cls, other):
                return hasattr(other, "hooked") or NotImplemented
        Old, New = make("Old", hooked=1), make("New")
        Registered.register(Old)
        pairs = Pairs(Old, New)
        sub = make("Sub", (Old,))
        o = Old()
        Old = New = None
        for _ in range(2):
            self.assertIsInstance(o, Registered)
            self.assertIsInstance(o, Hooked)
            self.assertIsInstance(sub(), Registered)
            self.assertIsInstance(sub(), Hooked)
        gc.remap(pairs.list)
        for _ in range(2):
            # The registration goes to the new class; the attribute does not.
            self.assertIsInstance(o, Registered)
            self.assertIsInstance(sub(), Registered)
            self.assertNotIsInstance(o, Hooked)
            self.assertNotIsInstance(sub(), Hooked)
            self.assertNotIsInstance(pairs.old(), Registered)
            self.assertIsInstance(pairs.old(), Hooked)
        o = sub = None

    def test_refusal_of_slots_names_the_classes(self):
        pairs = Pairs(make("Old", __slots__=("a", "b")),
                      make("New", __slots__=("a", "c")))
        o = pairs.old()
        o.a = 1
        text = self.refused(pairs, TypeError, "layout")
        self.assertIn("'New'", text)
        self.assertIn("'Old'", text)
        self.assertEqual(o.a, 1)


if __name__ == "__main__":
    main()
