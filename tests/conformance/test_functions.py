"""gc.remap() and functions: everything they hold, and specialised bytecode.

A "hot" loop runs often enough for the interpreter to replace its instructions
by specialised ones that remember what they met.
"""

import functools
import gc
import operator
import sys
import types

from support import (ASAN, Pairs, RemapTestCase, Thing, fresh_int, fresh_str,
                     main, run_script)

HOT = 200


def function(body, /, **globals):
    """A function f made from its text, with globals of its own."""
    exec(body, globals)
    return globals["f"]


def hot(call):
    for _ in range(HOT):
        result = call()
    return result


def adder(n):
    def f(x=0):
        return x + n
    return f


class HeldTests(RemapTestCase):
    """References that functions and their relatives hold."""

    def test_function(self):
        pairs = Pairs(adder(1), adder(2))
        module = types.ModuleType("module")
        module.f = pairs.old
        holder = [pairs.old, {"k": pairs.old}]
        self.remap(pairs)
        self.assertIs(module.f, pairs.new)
        self.assertEqual([holder[0](), holder[1]["k"]()], [2, 2])
        self.assertEqual(pairs.old(), 1)

    def test_function_becomes_another_callable(self):
        for other in (functools.partial(int, "7"), type("C", (), {}),
                      [].__len__, print):
            with self.subTest(other=other):
                pairs = Pairs(adder(1), other)
                holder = [pairs.old]
                self.remap(pairs)
                self.assertIs(holder[0], pairs.new)

    def test_code(self):
        pairs = Pairs(function("def f(x): return x + 1").__code__,
                      function("def f(x): return x + 2").__code__)
        f = types.FunctionType(pairs.old, {})
        g = types.FunctionType(pairs.old, {})
        self.assertEqual(hot(lambda: f(1)), 2)
        self.remap(pairs)
        self.assertIs(f.__code__, pairs.new)
        self.assertEqual(hot(lambda: f(1)), 3)
        self.assertEqual(g(1), 3)

    def test_code_with_other_arguments(self):
        pairs = Pairs(function("def f(x): return x").__code__,
                      function("def f(x, y=5, *z, k): return x, z, k").__code__)
        f = types.FunctionType(pairs.old, {})

        def call():
            return f(1)
        self.assertEqual(hot(call), 1)
        self.remap(pairs)
        self.assertRaises(TypeError, call)
        self.assertEqual(f(1, 2, 3, k=4), (1, (3,), 4))

    def test_code_with_another_number_of_cells(self):
        pairs = Pairs(adder(1).__code__,
                      function("def f(x): return x").__code__)
        f = adder(5)
        self.refused(pairs, TypeError, "code")
        self.assertEqual(f(1), 6)

    def test_default(self):
        pairs = Pairs.things()

        def f(x=pairs.old):
            return x
        self.assertIs(hot(f), pairs.old)
        self.remap(pairs)
        self.assertIs(hot(f), pairs.new)

    def test_defaults_tuple(self):
        f = adder(0)
        f.__defaults__ = tuple([1])
        pairs = Pairs(f.__defaults__, tuple([2]))
        self.assertEqual(hot(f), 1)
        self.remap(pairs)
        self.assertEqual(hot(f), 2)
        self.assertIs(f.__defaults__, pairs.new)

    def test_shorter_defaults(self):
        f = function("def f(a, b, c): return a, b, c")
        f.__defaults__ = tuple([1, 2, 3])
        pairs = Pairs(f.__defaults__, tuple([9]))
        self.assertEqual(hot(f), (1, 2, 3))
        self.remap(pairs)
        self.assertRaises(TypeError, f)
        self.assertEqual(f(1, 2), (1, 2, 9))

    def test_longer_defaults(self):
        f = function("def f(a, b): return a, b")
        f.__defaults__ = tuple([1, 2])
        pairs = Pairs(f.__defaults__, tuple(range(20)))
        self.assertEqual(hot(f), (1, 2))
        self.remap(pairs)
        self.assertEqual(f(), (18, 19))

    def test_keyword_default(self):
        pairs = Pairs.things()

        def f(*, x=pairs.old):
            return x
        self.assertIs(hot(f), pairs.old)
        self.remap(pairs)
        self.assertIs(hot(f), pairs.new)

    def test_keyword_defaults_dict(self):
        def f(*, x=1):
            return x
        pairs = Pairs(f.__kwdefaults__, {"x": 2})
        self.remap(pairs)
        self.assertEqual(hot(f), 2)
        self.assertIs(f.__kwdefaults__, pairs.new)

    def test_cell_contents(self):
        pairs = Pairs.things()

        def outer():
            x = pairs.old

            def f():
                return x
            return f
        f = outer()
        self.assertIs(hot(f), pairs.old)
        self.remap(pairs)
        self.assertIs(hot(f), pairs.new)
        self.assertIs(f.__closure__[0].cell_contents
                      if f.__code__.co_freevars[0] == "x"
                      else pairs.new, pairs.new)

    def test_cell(self):
        f, g = adder(1), adder(1)
        pairs = Pairs(f.__closure__[0], types.CellType(10))
        self.remap(pairs)
        self.assertEqual((hot(f), hot(g)), (10, 1))

    def test_closure(self):
        f = adder(1)
        pairs = Pairs(f.__closure__, tuple([types.CellType(10)]))
        self.remap(pairs)
        self.assertEqual(hot(f), 10)
        self.assertIs(f.__closure__, pairs.new)

    def test_globals(self):
        # A function keeps the globals that it was made with.
        f = function("def f(): return name", name=1)
        pairs = Pairs(f.__globals__, {"name": 2, "f": f})
        self.assertEqual(hot(f), 1)
        self.refused(pairs, TypeError, "globals")
        self.assertEqual(hot(f), 1)
        self.assertIs(f.__globals__, pairs.old)
        pairs.new.clear()
        pairs.old.clear()

    def test_global_value(self):
        pairs = Pairs(adder(1), adder(2))
        f = function("def f():\n return g()", g=pairs.old)
        self.assertEqual(hot(f), 1)
        self.remap(pairs)
        self.assertEqual(hot(f), 2)
        f.__globals__.clear()

    def test_builtins(self):
        builtins = {"g": adder(1)}
        pairs = Pairs(builtins["g"], adder(2))
        f = function("def f():\n return g()", __builtins__=builtins)
        self.assertEqual(hot(f), 1)
        self.remap(pairs)
        self.assertEqual(hot(f), 2)
        f.__globals__.clear()

    def test_attributes(self):
        pairs = Pairs.things()

        def f():
            pass
        f.attribute = pairs.old
        f.__annotations__["x"] = pairs.old
        f.__doc__ = pairs.old
        f.__module__ = pairs.old
        f.__type_params__ = (pairs.old,)
        self.remap(pairs)
        for x in (f.attribute, f.__annotations__["x"], f.__doc__,
                  f.__module__, f.__type_params__[0]):
            self.assertIs(x, pairs.new)

    def test_name(self):
        f = adder(1)
        f.__name__ = fresh_str("old name")
        f.__qualname__ = fresh_str("old qualname")
        pairs = Pairs(f.__name__, fresh_str("new name"),
                      f.__qualname__, fresh_str("new qualname"))
        self.remap(pairs)
        self.assertEqual((f.__name__, f.__qualname__),
                         ("new name", "new qualname"))

    def test_events_of_a_code_object(self):
        def returned(code, *args):
            seen.append(1)
        monitoring = sys.monitoring
        event = monitoring.events.PY_RETURN
        seen = []
        pairs = Pairs(function("def f(): return 1").__code__,
                      function("def f(): return 2").__code__)
        f = types.FunctionType(pairs.old, {})
        monitoring.use_tool_id(3, "a tool of the tests")
        try:
            monitoring.register_callback(3, event, returned)
            monitoring.set_local_events(3, pairs.old, event)
            self.assertEqual(f(), 1)
            self.assertEqual(seen, [1])
            self.remap(pairs)
            self.assertEqual(f(), 2)
            self.assertEqual(seen, [1])
            self.assertEqual(monitoring.get_local_events(3, pairs.old), event)
            self.assertEqual(monitoring.get_local_events(3, pairs.new), 0)
        finally:
            monitoring.set_local_events(3, pairs.old, 0)
            monitoring.register_callback(3, event, None)
            monitoring.free_tool_id(3)
        seen.clear()

    def test_code_constant(self):
        text = "def f():\n return 1234567890123, (1234567890123, 'x')"
        f = function(text)
        pairs = Pairs(f.__code__.co_consts[1][0]
                      if type(f.__code__.co_consts[1]) is tuple
                      else f.__code__.co_consts[1], Thing())
        hot(f)
        gc.remap(pairs.list)
        self.assertIs(f()[0], pairs.new)
        self.assertIs(f()[1][0], pairs.new)

    def test_constants_of_nested_code(self):
        f = function("def f():\n"
                     " def g():\n"
                     "  def h():\n"
                     "   return 5.25, ((5.25, 'a'), 1), {5.25, 2}\n"
                     "  return h\n"
                     " return g")

        def constants(code):
            for constant in code.co_consts:
                if type(constant) is types.CodeType:
                    yield from constants(constant)
                else:
                    yield from items(constant)

        def items(constant):
            yield constant
            if type(constant) in (tuple, frozenset):
                for item in constant:
                    yield from items(item)
        for called in False, True:
            with self.subTest(called=called):
                old = next(x for x in constants(f.__code__)
                           if type(x) is float)
                # The constants are merged: it is one object.
                pairs = Pairs(old, old + 1)
                old = None
                if called:
                    f()()()
                self.remap(pairs)
                self.assertNotIn(pairs.old, [*constants(f.__code__)])
                new = pairs.new
                self.assertEqual(f()()(), (new, ((new, "a"), 1), {new, 2}))
                new = None

    def test_code_of_an_inner_function(self):
        f = function("def f():\n def inner(): return 1\n return inner")
        code = [c for c in f.__code__.co_consts if type(c) is types.CodeType]
        pairs = Pairs(code.pop(), function("def f(): return 2").__code__)
        inner = f()
        self.remap(pairs)
        self.assertEqual((inner(), f()()), (2, 2))

    def test_partial(self):
        pairs = Pairs(adder(1), adder(2))
        x = Pairs.things()
        p = functools.partial(pairs.old, x.old, key=x.old)
        p.attribute = x.old
        self.remap(pairs)
        self.remap(x)
        self.assertIs(p.func, pairs.new)
        self.assertEqual(p.args, (x.new,))
        self.assertEqual(p.keywords, {"key": x.new})
        self.assertIs(p.attribute, x.new)

    def test_partial_is_called_again(self):
        # partial remembers how to call its function.
        pairs = Pairs(adder(1), operator.neg)
        p = functools.partial(pairs.old, 5)
        self.assertEqual(hot(p), 6)
        self.remap(pairs)
        self.assertEqual(hot(p), -5)

    def test_partial_of_a_call_without_vectorcall(self):
        class Callable:
            def __call__(self, x):
                return "called", x
        pairs = Pairs(adder(1), Callable())
        p = functools.partial(pairs.old, 5)
        self.assertEqual(hot(p), 6)
        self.remap(pairs)
        self.assertEqual(hot(p), ("called", 5))

    def test_partial_method(self):
        pairs = Pairs(lambda self, x: (1, x), lambda self, x: (2, x))
        C = type("C", (), {"m": functools.partialmethod(pairs.old, 5)})
        self.assertEqual(C().m(), (1, 5))
        self.remap(pairs)
        self.assertEqual(C().m(), (2, 5))

    def test_bound_method(self):
        class C:
            def m(self):
                return self
        pairs = Pairs(C(), C(), lambda self: (1, self), lambda self: (2, self))
        first = pairs.old.m
        second = types.MethodType(pairs.old_at(1), pairs.old)
        self.remap(pairs)
        self.assertIs(first.__self__, pairs.new)
        self.assertIs(first(), pairs.new)
        self.assertEqual(second(), (2, pairs.new))

    def test_method_of_a_builtin(self):
        pairs = Pairs([], [])
        append = pairs.old.append
        self.remap(pairs)
        append(1)
        self.assertEqual((pairs.old, pairs.new), ([], [1]))
        self.assertIs(append.__self__, pairs.new)

    def test_method_of_a_builtin_gets_a_wrong_self(self):
        # Its C code does not look at what it was given.
        for other in ((1,), {}, 5, Thing()):
            with self.subTest(other=other):
                pairs = Pairs([], other)
                append = pairs.old.append
                self.refused(pairs, TypeError, "self")
                append(1)
                self.assertEqual(pairs.old, [1])

    def test_method_wrapper_gets_a_wrong_self(self):
        pairs = Pairs([], (1,))
        wrapper = pairs.old.__len__
        self.refused(pairs, TypeError, "self")
        self.assertEqual(wrapper(), 0)

    def test_classmethod_and_staticmethod(self):
        pairs = Pairs(lambda *args: (1, *args), lambda *args: (2, *args))
        C = type("C", (), {"c": classmethod(pairs.old),
                           "s": staticmethod(pairs.old)})
        self.assertEqual(hot(lambda: (C.c(), C().s())), ((1, C), (1,)))
        self.remap(pairs)
        self.assertEqual(hot(lambda: (C.c(), C().s())), ((2, C), (2,)))
        self.assertIs(vars(C)["c"].__func__, pairs.new)
        self.assertIs(vars(C)["s"].__func__, pairs.new)

    def test_classmethod_itself(self):
        pairs = Pairs(classmethod(lambda cls: 1), classmethod(lambda cls: 2))
        C = type("C", (), {"c": pairs.old})
        self.assertEqual(hot(lambda: (C.c(), C().c())), (1, 1))
        self.remap(pairs)
        self.assertEqual(hot(lambda: (C.c(), C().c())), (2, 2))

    def test_property(self):
        pairs = Pairs(lambda self: "old get", lambda self: "new get",
                      lambda self, v: log.append("old set"),
                      lambda self, v: log.append("new set"),
                      lambda self: log.append("old del"),
                      lambda self: log.append("new del"))
        log = []
        C = type("C", (), {"p": property(*[pairs.old_at(i) for i in range(3)])})
        c = C()
        self.assertEqual(hot(lambda: c.p), "old get")
        self.remap(pairs)
        self.assertEqual(hot(lambda: c.p), "new get")
        c.p = 1
        del c.p
        self.assertEqual(log, ["new set", "new del"])

    def test_cached_property(self):
        pairs = Pairs(lambda self: "old", lambda self: "new")
        p = functools.cached_property(pairs.old)
        C = type("C", (), {"p": p})
        p.__set_name__(C, "p")
        self.assertEqual(C().p, "old")
        self.remap(pairs)
        self.assertEqual(C().p, "new")

    def test_decorated(self):
        def decorate(f):
            @functools.wraps(f)
            def wrapper(*args):
                return "wrapped", f(*args)
            return wrapper
        pairs = Pairs(adder(1), adder(2))
        wrapper = decorate(pairs.old)
        self.assertEqual(hot(wrapper), ("wrapped", 1))
        self.remap(pairs)
        self.assertEqual(hot(wrapper), ("wrapped", 2))
        self.assertIs(wrapper.__wrapped__, pairs.new)

    def test_registry(self):
        registry = {}

        def register(f):
            registry[f.__name__, f] = f
            return f
        pairs = Pairs(register(adder(1)), adder(2))
        self.remap(pairs)
        self.assertIs(registry["f", pairs.new], pairs.new)


class SpecialisedTests(RemapTestCase):
    """No stale inline cache may be hit after a remap."""

    def test_call_of_a_global(self):
        pairs = Pairs(adder(1), adder(2))
        run = function(
            "def f():\n"
            "  for _ in range(200): r = g(1)\n"
            "  return r", g=pairs.old)
        self.assertEqual(run(), 2)
        self.remap(pairs)
        self.assertEqual(run(), 3)
        run.__globals__.clear()

    def test_builtin_function_that_calls_are_specialised_for(self):
        # The interpreter knows len() by its address, at which there may be
        # another function later.
        out = run_script(self, """
            import gc

            def size(x):
                return x.__len__()
            address = id(len)
            gc.remap([(len, size)])
            others = []
            while True:
                other = [].count
                if id(other) == address or len(others) > 100_000:
                    break
                others.append(other)

            def call(f):
                for _ in range(1000):
                    result = f("abc")
                return result
            print(id(other) == address, call(other), call(size))
        """)
        self.assertIn(out, ["True 0 3\n"] + ASAN * ["False 0 3\n"])

    def test_inside_a_running_loop(self):
        # The very next iteration calls the new function.
        pairs = Pairs(lambda: "old", lambda: "new")
        holder = [pairs.old]
        seen = []
        for i in range(400):
            seen.append(holder[0]())
            if i == 199:
                self.remap(pairs)
        self.assertEqual(seen, ["old"] * 200 + ["new"] * 200)

    def test_inside_a_running_loop_with_a_local(self):
        pairs = Pairs(lambda: "old", lambda: "new")
        f = pairs.old
        seen = []
        for i in range(400):
            seen.append(f())
            if i == 199:
                self.remap(pairs)
        self.assertEqual(seen, ["old"] * 200 + ["new"] * 200)

    def test_method_in_a_running_loop(self):
        pairs = Pairs(lambda self: "old", lambda self: "new")
        c = type("C", (), {"m": pairs.old})()
        seen = []
        for i in range(400):
            seen.append(c.m())
            if i == 199:
                self.remap(pairs)
        self.assertEqual(seen, ["old"] * 200 + ["new"] * 200)

    def test_method_with_inline_values(self):
        pairs = Pairs(lambda self: ("old", self.x), lambda self: ("new", self.x))
        c = type("C", (), {"m": pairs.old})()
        c.x = 1
        self.assertEqual(hot(lambda: c.m()), ("old", 1))
        self.remap(pairs)
        self.assertEqual(hot(lambda: c.m()), ("new", 1))

    def test_method_with_slots(self):
        pairs = Pairs(lambda self: "old", lambda self: "new")
        c = type("C", (), {"m": pairs.old, "__slots__": ("x",)})()
        self.assertEqual(hot(lambda: c.m()), "old")
        self.remap(pairs)
        self.assertEqual(hot(lambda: c.m()), "new")

    def test_method_with_a_lazy_dict(self):
        pairs = Pairs(lambda self: "old", lambda self: "new")
        c = type("C", (ValueError,), {"m": pairs.old})()
        self.assertEqual(hot(lambda: c.m()), "old")
        self.remap(pairs)
        self.assertEqual(hot(lambda: c.m()), "new")

    def test_method_of_a_base(self):
        pairs = Pairs(lambda self: "old", lambda self: "new")
        A = type("A", (), {"m": pairs.old})
        c = type("C", (type("B", (A,), {}),), {})()
        self.assertEqual(hot(lambda: c.m()), "old")
        self.remap(pairs)
        self.assertEqual(hot(lambda: c.m()), "new")

    def test_method_through_the_class(self):
        pairs = Pairs(lambda x: ("old", x), lambda x: ("new", x))
        C = type("C", (), {"m": pairs.old})
        self.assertEqual(hot(lambda: C.m(1)), ("old", 1))
        self.remap(pairs)
        self.assertEqual(hot(lambda: C.m(1)), ("new", 1))

    def test_method_through_super(self):
        pairs = Pairs(lambda self: "old", lambda self: "new")
        A = type("A", (), {"m": pairs.old})

        class B(A):
            def m(self):
                return super().m()
        b = B()
        self.assertEqual(hot(lambda: b.m()), "old")
        self.remap(pairs)
        self.assertEqual(hot(lambda: b.m()), "new")

    def test_property_getter(self):
        pairs = Pairs(lambda self: "old", lambda self: "new")
        c = type("C", (), {"p": property(pairs.old)})()

        def run():
            for _ in range(HOT):
                r = c.p
            return r
        self.assertEqual(run(), "old")
        self.remap(pairs)
        self.assertEqual(run(), "new")

    def test_property_itself(self):
        pairs = Pairs(property(lambda self: "old"),
                      property(lambda self: "new"))
        c = type("C", (), {"p": pairs.old})()

        def run():
            for _ in range(HOT):
                r = c.p
            return r
        self.assertEqual(run(), "old")
        self.remap(pairs)
        self.assertEqual(run(), "new")

    def test_code_of_a_property_getter(self):
        pairs = Pairs(function("def f(self): return 'old'").__code__,
                      function("def f(self): return 'new'").__code__)
        c = type("C", (), {"p": property(types.FunctionType(pairs.old, {}))})()

        def run():
            for _ in range(HOT):
                r = c.p
            return r
        self.assertEqual(run(), "old")
        self.remap(pairs)
        self.assertEqual(run(), "new")

    def test_property_getter_with_other_arguments(self):
        # A specialised read pushes a frame for exactly one argument.
        pairs = Pairs(lambda self: "old", lambda: "new")
        c = type("C", (), {"p": property(pairs.old)})()

        def run():
            for _ in range(HOT):
                r = c.p
            return r
        self.assertEqual(run(), "old")
        self.remap(pairs)
        self.assertRaises(TypeError, run)

    def test_init(self):
        def make(value):
            def __init__(self):
                self.value = value
            return __init__
        pairs = Pairs(make(1), make(2))
        C = type("C", (), {"__init__": pairs.old})

        def run():
            for _ in range(HOT):
                c = C()
            return c.value
        self.assertEqual(run(), 1)
        self.remap(pairs)
        self.assertEqual(run(), 2)

    def test_init_with_other_arguments(self):
        pairs = Pairs(lambda self: None, lambda self, x: None)
        C = type("C", (), {"__init__": pairs.old})

        def run():
            for _ in range(HOT):
                c = C()
            return c
        run()
        self.remap(pairs)
        self.assertRaises(TypeError, run)
        C(1)

    def test_new(self):
        pairs = Pairs(lambda cls: "old", lambda cls: "new")
        C = type("C", (), {"__new__": pairs.old})

        def run():
            for _ in range(HOT):
                c = C()
            return c
        self.assertEqual(run(), "old")
        self.remap(pairs)
        self.assertEqual(run(), "new")

    def test_getitem(self):
        pairs = Pairs(lambda self, i: ("old", i), lambda self, i: ("new", i))
        c = type("C", (), {"__getitem__": pairs.old})()

        def run():
            for _ in range(HOT):
                r = c[1]
            return r
        self.assertEqual(run(), ("old", 1))
        self.remap(pairs)
        self.assertEqual(run(), ("new", 1))

    def test_getitem_of_a_class_without_version_tags(self):
        # There is a number of changes after which a class gets no more.
        def make():
            f, g = lambda self, i: ("old", i), lambda self, i: ("new", i)
            A, B = (type("C", (), {"__getitem__": f}) for f in (f, g))
            return Pairs(f, g), Pairs(A, B), type("D", (A,), {})()
        for which in 0, 1:
            *pairs, c = make()
            for n in range(1100):
                type(c).x = n
                self.assertEqual(c.x, n)

            def run():
                for _ in range(HOT):
                    r = c[1]
                return r
            self.assertEqual(run(), ("old", 1))
            gc.remap(pairs[which].list)
            self.assertEqual(run(), ("new", 1))
            del pairs
            gc.collect()
            self.assertEqual(run(), ("new", 1))

    def test_getitem_with_other_arguments(self):
        pairs = Pairs(lambda self, i: i, lambda self: 1)
        c = type("C", (), {"__getitem__": pairs.old})()

        def run():
            for _ in range(HOT):
                r = c[1]
            return r
        run()
        self.remap(pairs)
        self.assertRaises(TypeError, run)

    def test_code_of_getitem(self):
        pairs = Pairs(function("def f(self, i): return 'old', i").__code__,
                      function("def f(self, i):\n"
                               " a = b = c = d = [i]\n"
                               " return 'new', a, b, c, d").__code__)
        c = type("C", (), {"__getitem__":
                           types.FunctionType(pairs.old, {})})()

        def run():
            for _ in range(HOT):
                r = c[1]
            return r
        self.assertEqual(run(), ("old", 1))
        self.remap(pairs)
        self.assertEqual(run(), ("new", [1], [1], [1], [1]))

    def test_getattribute(self):
        pairs = Pairs(lambda self, name: ("old", name),
                      lambda self, name: ("new", name))
        c = type("C", (), {"__getattribute__": pairs.old})()

        def run():
            for _ in range(HOT):
                r = c.x
            return r
        self.assertEqual(run(), ("old", "x"))
        self.remap(pairs)
        self.assertEqual(run(), ("new", "x"))

    def test_operators(self):
        pairs = Pairs(lambda self, other: ("old", other),
                      lambda self, other: ("new", other))
        c = type("C", (), dict.fromkeys(
            ("__add__", "__eq__", "__lt__", "__contains__"), pairs.old))()

        def run():
            for _ in range(HOT):
                r = c + 1, c == 2, c < 3
            return r
        self.assertEqual(run(), (("old", 1), ("old", 2), ("old", 3)))
        self.remap(pairs)
        self.assertEqual(run(), (("new", 1), ("new", 2), ("new", 3)))

    def test_code_with_more_locals_in_a_hot_call(self):
        # A specialised call trusts the frame size that it has seen.
        pairs = Pairs(
            function("def f(x): return x").__code__,
            function("def f(x):\n" + "".join(
                f" v{i} = x + {i}\n" for i in range(300))
                + " return v299").__code__)
        f = types.FunctionType(pairs.old, {})

        def run():
            for _ in range(HOT):
                r = f(1)
            return r
        self.assertEqual(run(), 1)
        self.remap(pairs)
        self.assertEqual(run(), 300)

    def test_code_with_another_number_of_arguments_in_a_hot_call(self):
        pairs = Pairs(function("def f(x): return x").__code__,
                      function("def f(x, y): return y").__code__)
        f = types.FunctionType(pairs.old, {})

        def run():
            for _ in range(HOT):
                r = f(1)
            return r
        self.assertEqual(run(), 1)
        self.remap(pairs)
        self.assertRaises(TypeError, run)

    def test_defaults_in_a_hot_call(self):
        f = function("def f(a, b): return a, b")
        f.__defaults__ = tuple([1, 2])
        pairs = Pairs(f.__defaults__, tuple([3]))

        def run():
            for _ in range(HOT):
                r = f(0)
            return r
        self.assertEqual(run(), (0, 2))
        self.remap(pairs)
        self.assertEqual(run(), (0, 3))
        self.assertRaises(TypeError, f)

    def test_module_attribute(self):
        pairs = Pairs.things()
        module = types.ModuleType("module")
        module.x = pairs.old

        def run():
            for _ in range(HOT):
                r = module.x
            return r
        self.assertIs(run(), pairs.old)
        self.remap(pairs)
        self.assertIs(run(), pairs.new)

    def test_module(self):
        pairs = Pairs(types.ModuleType("old"), types.ModuleType("new"))
        pairs.old.f, pairs.new.f = adder(1), adder(2)
        module = pairs.old

        def run():
            for _ in range(HOT):
                r = module.f()
            return r
        self.assertEqual(run(), 1)
        self.remap(pairs)
        self.assertEqual(run(), 2)

    def test_builtin_function_in_a_hot_call(self):
        pairs = Pairs([1].__len__, [1, 2].__len__)
        holder = [pairs.old]

        def run():
            for _ in range(HOT):
                r = holder[0]()
            return r
        self.assertEqual(run(), 1)
        self.remap(pairs)
        self.assertEqual(run(), 2)

    def test_function_becomes_a_class_in_a_hot_call(self):
        pairs = Pairs(lambda: "old", type("C", (), {}))
        holder = [pairs.old]

        def run():
            for _ in range(HOT):
                r = holder[0]()
            return r
        self.assertEqual(run(), "old")
        self.remap(pairs)
        self.assertIsInstance(run(), pairs.new)

    def test_store_attribute(self):
        # The class is replaced by one with a property of that name.
        def setter(self, value):
            vars(self)["log"] = value
        pairs = Pairs(type("A", (), {}),
                      type("B", (), {"x": property(None, setter)}))
        a = pairs.old()

        def run():
            for i in range(HOT):
                a.x = i
        run()
        self.assertEqual(a.x, HOT - 1)
        self.remap(pairs)
        run()
        self.assertEqual(a.log, HOT - 1)

    def test_attribute_of_an_instance_of_another_class(self):
        # Other shared keys: the position that was remembered is wrong.
        pairs = Pairs(type("A", (), {}), type("B", (), {}))
        b = pairs.new()
        b.z, b.y, b.x = "z", "y", "x"
        a = pairs.old()
        a.x, a.y = 1, 2

        def run():
            for _ in range(HOT):
                r = a.x, a.y
            return r
        self.assertEqual(run(), (1, 2))
        self.remap(pairs)
        self.assertEqual(run(), (1, 2))
        a.z = 3
        self.assertEqual(run(), (1, 2))
        self.assertEqual((b.z, b.y, b.x), ("z", "y", "x"))

    def test_generator_function(self):
        def old():
            yield "old"

        def new():
            yield "new"
        pairs = Pairs(old, new)
        del old, new
        holder = [pairs.old]

        def run():
            for _ in range(HOT):
                r = [*holder[0]()]
                for r in holder[0]():
                    pass
            return r
        self.assertEqual(run(), "old")
        self.remap(pairs)
        self.assertEqual(run(), "new")

    def test_unpacking_of_a_replaced_value(self):
        pairs = Pairs(tuple([fresh_int(), 2]), [3, 4])
        holder = [pairs.old]

        def run():
            for _ in range(HOT):
                a, b = holder[0]
            return a, b
        run()
        self.remap(pairs)
        self.assertEqual(run(), (3, 4))

    def test_swap_of_two_functions(self):
        pairs = Pairs.swap(adder(1), adder(2))
        holder = [pairs.old, pairs.new]

        def run():
            for _ in range(HOT):
                r = holder[0](), holder[1]()
            return r
        self.assertEqual(run(), (1, 2))
        self.remap(pairs)
        self.assertEqual(run(), (2, 1))
        self.remap(pairs)
        self.assertEqual(run(), (1, 2))


if __name__ == "__main__":
    main()
