"""gc.remap() and what runs: locals, evaluation stacks, generators, coroutines,
frames, tracebacks and exceptions."""

import asyncio
import contextlib
import gc
import sys
import threading
import time
import types

from support import Pairs, RemapTestCase, Thing, main


def compiled(text, /, **globals):
    """A function f whose code is no constant of any other."""
    exec(text, globals)
    return globals["f"]


class ThreadTestCase(RemapTestCase):

    def remap_while_blocked(self, pairs, *threads):
        """C code of the other threads, which wait in it, may have borrowed
        an old object: it is kept until they go on."""
        places = None
        for _ in range(5):
            while places != (places := [
                    (frame, frame.f_lasti) for thread in threads
                    for frame in [sys._current_frames()[thread.ident]]]):
                time.sleep(0.02)
            time.sleep(0.02)
        del places
        self.remap(pairs, kept=1)
        self.addCleanup(self.check_released, [pairs.list[0]])

    def check_released(self, pairs):
        gc.collect()
        # By the pair, and by this expression.
        self.assertLessEqual(sys.getrefcount(pairs[0][0]), 2)


class LocalsTests(ThreadTestCase):

    def test_local_of_the_caller(self):
        pairs = Pairs.things()
        x = pairs.old
        self.remap(pairs, references=1)
        self.assertIs(x, pairs.new)

    def test_local_when_called_directly(self):
        pairs = Pairs.things()
        x = pairs.old
        gc.remap(pairs.list)
        self.assertIs(x, pairs.new)

    def test_locals_up_the_stack(self):
        pairs = Pairs.things()

        def inner(y):
            self.remap(pairs, references=3)
            return y

        def middle(y):
            z = y
            return inner(z), y, z
        self.assertEqual(middle(pairs.old), (pairs.new,) * 3)

    def test_locals_below_a_native_frame(self):
        pairs = Pairs.things()

        def key(item):
            if item == 1:
                self.remap(pairs, kept=1)
            return item
        x = pairs.old
        self.assertEqual(max([0, 1], key=key), 1)
        self.assertIs(x, pairs.new)

    def test_cell_variable(self):
        pairs = Pairs.things()
        x = pairs.old

        def read():
            return x
        self.remap(pairs, references=1)
        self.assertIs(x, pairs.new)
        self.assertIs(read(), pairs.new)

    def test_arguments(self):
        pairs = Pairs.things()

        def f(a, /, b, *args, c, **kwargs):
            self.remap(pairs)
            return a, b, args, c, kwargs
        self.assertEqual(
            f(pairs.old, pairs.old, pairs.old, c=pairs.old, d=pairs.old),
            (pairs.new, pairs.new, (pairs.new,), pairs.new, {"d": pairs.new}))

    def test_locals_of_a_class_body(self):
        pairs = Pairs.things()

        class C:
            x = pairs.old
            self.remap(pairs, kept=1)
            y = x
        self.assertIs(C.x, pairs.new)
        self.assertIs(C.y, pairs.new)

    def test_locals_of_exec(self):
        pairs = Pairs.things()
        namespace = {"x": pairs.old, "remap": self.remap, "pairs": pairs}
        exec("remap(pairs, kept=1); y = x", namespace)
        self.assertIs(namespace["y"], pairs.new)
        namespace.clear()

    def test_local_in_another_thread(self):
        pairs = Pairs.things()
        ready, go = threading.Event(), threading.Event()
        seen = []

        def run(x):
            y = [x]
            ready.set()
            go.wait()
            seen.append((x, y[0]))
        thread = threading.Thread(target=run, args=(pairs.old,))
        thread.start()
        ready.wait()
        self.remap_while_blocked(pairs, thread)
        go.set()
        thread.join()
        self.assertEqual(seen, [(pairs.new, pairs.new)])

    def test_many_threads(self):
        pairs = Pairs.things()
        ready = threading.Barrier(9)
        go = threading.Event()
        seen = []

        def run(x):
            ready.wait()
            go.wait()
            seen.append(x)
        threads = [threading.Thread(target=run, args=(pairs.old,))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        ready.wait()
        self.remap_while_blocked(pairs, *threads)
        go.set()
        for thread in threads:
            thread.join()
        self.assertEqual(seen, [pairs.new] * 8)

    def test_a_thread_that_is_computing(self):
        # It is stopped anywhere; it must only ever see one or the other.
        pairs = Pairs.things()
        both = {id(pairs.old), id(pairs.new)}
        stop = threading.Event()
        ready = threading.Event()
        wrong = []

        def run(x):
            last = id(x)
            while not stop.is_set():
                items = [x, (x, x), {x: x}, {x}]
                now = id(items[0])
                if (now not in both or list(items[2]) != [items[2][x]]
                        or x not in items[3]):
                    wrong.append(items)
                last = now
                ready.set()
            seen.append(last)
        seen = []
        thread = threading.Thread(target=run, args=(pairs.old,))
        thread.start()
        ready.wait()
        gc.remap(pairs.list)
        ready.clear()
        ready.wait()
        ready.clear()
        ready.wait()
        stop.set()
        thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(seen, [id(pairs.new)])


class StackTests(ThreadTestCase):
    """Values that wait on an evaluation stack."""

    def test_pending_operand(self):
        pairs = Pairs.things()
        t = (pairs.old, self.remap(pairs, references=1))
        self.assertIs(t[0], pairs.new)

    def test_pending_operand_when_called_directly(self):
        pairs = Pairs.things()
        t = (pairs.old, gc.remap(pairs.list))
        self.assertIs(t[0], pairs.new)

    def test_pending_arguments(self):
        pairs = Pairs.things()

        def f(*args, **kwargs):
            return args, kwargs
        args, kwargs = f(pairs.old, 1, self.remap(pairs) and 2, k=3)
        self.assertEqual(args, (pairs.new, 1, 2))
        args, kwargs = f(1, x=pairs.new, y=gc.remap([(pairs.new, pairs.old)])
                         and 2)
        self.assertEqual(kwargs, {"x": pairs.old, "y": 2})

    def test_pending_callable(self):
        pairs = Pairs(lambda x: "old", lambda x: "new")
        self.assertEqual(pairs.old(self.remap(pairs)), "new")
        pairs = Pairs(lambda x: "old", lambda x: "new")
        self.assertEqual(pairs.old(gc.remap(pairs.list)), "new")

    def test_pending_self_of_a_method(self):
        class C:
            def m(self, _):
                return self
        pairs = Pairs(C(), C())
        self.assertIs(pairs.old.m(self.remap(pairs)), pairs.new)
        pairs = Pairs(C(), C())
        self.assertIs(pairs.old.m(gc.remap(pairs.list)), pairs.new)

    def test_pending_self_of_a_builtin_method(self):
        # "append" was looked up on one list and is called on another.
        pairs = Pairs([], [])
        pairs.old.append(self.remap(pairs))
        self.assertEqual((len(pairs.old), len(pairs.new)), (0, 1))

    def test_pending_self_of_another_type(self):
        # The descriptor of list.append gets something that is no list.
        pairs = Pairs([], (1, 2))
        with self.assertRaises(TypeError):
            pairs.old.append(gc.remap(pairs.list))
        self.assertEqual(pairs.new, (1, 2))

    def test_pending_binary_operand(self):
        pairs = Pairs([1], [2])
        self.assertEqual(pairs.old + ([3], self.remap(pairs))[0], [2, 3])
        pairs = Pairs("".join(["ab", "c"]), (1,))
        with self.assertRaises(TypeError):
            pairs.old + ("d", gc.remap(pairs.list))[0]

    def test_pending_operands_of_specialised_instructions(self):
        pairs = Pairs()

        def run(old, new, remap):
            for i in range(200):
                pairs.list = [(old(), new())]
                r = pairs.old + remap(i)
            return r

        def remap(i):
            if i == 199:
                gc.remap(pairs.list)
            return 1.5
        self.assertEqual(
            run(lambda: float("2.5"), lambda: int("10") + 10 ** 20, remap),
            float(10 ** 20 + 11.5))
        with self.assertRaises(TypeError):
            run(lambda: float("2.5"), lambda: [1], remap)

    def test_pending_subscript(self):
        pairs = Pairs([10, 20], [30, 40])

        def index():
            gc.remap(pairs.list)
            return 1
        self.assertEqual(pairs.old[index()], 40)

    def test_pending_operand_of_another_type(self):
        # A list that waits on the stack may be one that is being filled.
        pairs = Pairs([10, 20], (30, 40))

        def index():
            reached.append(self.reached(pairs))
            return 1
        reached = []
        self.assertEqual(pairs.old[index()], 20 + 20 * reached[0])

    def test_pending_comparison(self):
        pairs = Pairs.things()
        self.assertTrue(pairs.old is (self.remap(pairs), pairs.new)[1])

    def test_pending_format(self):
        pairs = Pairs("".join(["ab", "c"]), "new")
        self.assertEqual(f"{pairs.old}{self.remap(pairs) and 1}"[-1], "1")

    def test_pending_format_of_something_else(self):
        # What was formatted has become an object that is no string.
        pairs = Pairs("".join(["ab", "c"]), Thing())
        with self.assertRaises(TypeError):
            f"{pairs.old}{gc.remap(pairs.list) and 1}"

    def test_accumulator_of_a_comprehension(self):
        # Only the collector can show the container that is being filled.
        def refill(mark, kind, other):
            for container in gc.get_referrers(mark):
                if type(container) is kind and len(container) == 1:
                    pairs = Pairs(container, other)
                    del container
                    try:
                        gc.remap(pairs.list)
                    except TypeError:
                        return
                    return
        for other in 5, (1,), Thing():
            with self.subTest(other=other):
                mark = Thing("mark")
                self.assertIn(mark, [
                    mark if i == 0 else refill(mark, list, other)
                    for i in range(3)])
                self.assertIn(mark, {
                    mark if i == 0 else refill(mark, set, other)
                    for i in range(3)})
                self.assertIn(mark, {
                    (mark if i == 0 else refill(mark, dict, other)): i
                    for i in range(3)})

    def test_containers_under_construction(self):
        pairs = Pairs.things(4)
        r = {"a": pairs.old_at(0), **{"b": pairs.old_at(1)},
             "c": [pairs.old_at(2), *{pairs.old_at(3)},
                   self.remap(pairs) and 1]}
        self.assertEqual(r, {"a": pairs.new_at(0), "b": pairs.new_at(1),
                             "c": [pairs.new_at(2), pairs.new_at(3), 1]})

    def test_iterator_becomes_another_iterator(self):
        makers = [
            lambda *x: iter(list(x)), lambda *x: iter(tuple(x)),
            lambda *x: (i for i in x), lambda *x: map(int, x),
            lambda *x: iter(dict.fromkeys(x)),
            lambda *x: iter(range(x[0], x[-1] + 1)),
        ]
        for old in range(len(makers)):
            for new in range(len(makers)):
                with self.subTest(old=old, new=new):
                    pairs = Pairs(makers[old](1, 2, 3), makers[new](4, 5))
                    seen = []
                    for x in pairs.old:
                        seen.append(x)
                        if x == 2:
                            self.remap(pairs)
                    self.assertEqual(seen, [1, 2, 4, 5])

    def test_iterator_in_a_hot_loop(self):
        pairs = Pairs(iter(list(range(1000))), (i for i in range(5)))
        seen = []
        for x in pairs.old:
            seen.append(x)
            if x == 500:
                gc.remap(pairs.list)
        self.assertEqual(seen, [*range(501), *range(5)])

    def test_iterator_becomes_something_else(self):
        for other in ([1], (1,), 5, Thing(), None, "text", {1: 1}):
            with self.subTest(other=other):
                pairs = Pairs(iter([1, 2, 3]), other)
                seen = []
                for x in pairs.old:
                    seen.append(x)
                    if x == 2:
                        self.refused(pairs, TypeError, "(?i)iterator")
                self.assertEqual(seen, [1, 2, 3])

    def test_iterator_becomes_something_else_when_called_directly(self):
        pairs = Pairs(iter([1, 2, 3]), [4])
        seen = []
        for x in pairs.old:
            seen.append(x)
            if x == 2:
                try:
                    gc.remap(pairs.list)
                except TypeError as exc:
                    self.assertRegex(str(exc), "(?i)iterator")
                else:
                    self.fail("TypeError not raised")
        self.assertEqual(seen, [1, 2, 3])

    def test_iterator_in_a_comprehension(self):
        pairs = Pairs(iter([1, 2, 3]), iter([4]))

        def step(x):
            if x == 2:
                self.remap(pairs)
            return x
        self.assertEqual([step(x) for x in pairs.old], [1, 2, 4])
        pairs = Pairs(iter([1, 2, 3]), [4])

        def step(x):
            if x == 2:
                self.refused(pairs, TypeError, "(?i)iterator")
            return x
        self.assertEqual({step(x): 1 for x in pairs.old}, {1: 1, 2: 1, 3: 1})

    def test_iterator_in_an_outer_frame(self):
        pairs = Pairs(iter([1, 2, 3]), {})

        def inner():
            self.refused(pairs, TypeError, "(?i)iterator")

        def outer():
            total = 0
            for x in pairs.old:
                inner()
                total += x
            return total
        self.assertEqual(outer(), 6)

    def test_iterator_in_a_generator(self):
        pairs = Pairs(iter([1, 2, 3]), [4])

        def generate():
            for x in pairs.old:
                yield x
        g = generate()
        next(g)
        self.refused(pairs, TypeError, "(?i)iterator")
        self.assertEqual(list(g), [2, 3])

    def test_iterator_in_another_thread(self):
        pairs = Pairs(iter([1, 2, 3]), [4], iter([5, 6]), iter([7]))
        ready, go = threading.Event(), threading.Event()
        seen = []

        def run(index):
            for x in pairs.old_at(index):
                ready.set()
                go.wait()
                seen.append(x)
        single = Pairs()
        for index in range(2):
            ready.clear()
            go.clear()
            seen.clear()
            thread = threading.Thread(target=run, args=(index,))
            thread.start()
            ready.wait()
            # Nothing else may remember this object.
            single.list, pairs.list[index] = [pairs.list[index]], None
            if index == 0:
                self.refused(single, TypeError, "(?i)iterator")
            else:
                self.remap_while_blocked(single, thread)
            go.set()
            thread.join()
            self.assertEqual(seen, [[1, 2, 3], [5, 7]][index])

    def test_pending_operand_in_another_thread(self):
        # Blocked in a native function, with values on its stack.
        pairs = Pairs.things()
        lock, ready = threading.Lock(), threading.Event()
        seen = []

        def run():
            seen.append((pairs.old, [pairs.old, ready.set()],
                         lock.acquire()))
        lock.acquire()
        thread = threading.Thread(target=run)
        thread.start()
        ready.wait()
        self.remap_while_blocked(pairs, thread)
        lock.release()
        thread.join()
        self.assertEqual(seen, [(pairs.new, [pairs.new, None], True)])

    def test_with_statement(self):
        log = []

        class Manager:
            def __init__(self, name):
                self.name = name

            def __enter__(self):
                return self

            def __exit__(self, *exc):
                log.append(self.name)
        pairs = Pairs(Manager("old"), Manager("new"))
        with pairs.old as m:
            self.remap(pairs)
            self.assertIs(m, pairs.new)
        self.assertEqual(log, ["new"])

    def test_with_statement_and_its_exit_function(self):
        log = []
        pairs = Pairs(lambda self, *exc: log.append("old"),
                      lambda self, *exc: log.append("new"))
        C = type("C", (), {"__enter__": lambda self: self,
                           "__exit__": pairs.old})
        with C():
            self.remap(pairs)
        self.assertEqual(log, ["new"])

    def test_lock_of_a_with_statement(self):
        # The bound method that waits on the stack belongs to a lock.
        pairs = Pairs(threading.Lock(), Thing())
        with pairs.old:
            try:
                gc.remap(pairs.list)
            except TypeError:
                pass
            self.assertTrue(pairs.old.locked())
        self.assertFalse(pairs.old.locked())

    def test_deep_recursion(self):
        pairs = Pairs.things()

        def down(n, x):
            if n:
                y = x
                return down(n - 1, y) + (y is pairs.new)
            self.remap(pairs)
            return 0
        self.assertEqual(down(300, pairs.old), 300)


class GeneratorTests(RemapTestCase):

    def test_local_of_a_suspended_generator(self):
        pairs = Pairs.things()

        def generate(x):
            y = [x]
            yield
            yield x, y[0]
        g = generate(pairs.old)
        next(g)
        self.remap(pairs)
        self.assertEqual(next(g), (pairs.new, pairs.new))

    def test_argument_of_a_generator_not_started(self):
        pairs = Pairs.things()

        def generate(x):
            yield x
        g = generate(pairs.old)
        self.remap(pairs, references=1)
        self.assertIs(next(g), pairs.new)

    def test_stack_of_a_suspended_generator(self):
        pairs = Pairs.things()

        def generate(make):
            yield (make(), (yield 1))
        g = generate(lambda: pairs.old)
        next(g)
        self.remap(pairs, references=1)
        self.assertEqual(g.send(2), (pairs.new, 2))

    def test_running_generator(self):
        pairs = Pairs.things()

        def generate(x):
            yield 1
            self.remap(pairs, kept=1)
            yield x
        self.assertEqual(list(generate(pairs.old)), [1, pairs.new])

    def test_swap_with_a_running_generator(self):
        # The frame below keeps the generator that runs; where else it is on a
        # stack, it is an object like others.
        def loops(outer, inner):
            seen = []
            for x in outer:
                for y in inner:
                    seen.append((x, y))
            return seen

        def running(action):
            yield "a"
            action()
            yield "b"

        def nothing():
            pass

        def swap():
            gc.remap([(pair[0], pair[1]), (pair[1], pair[0])])

        def swap_twice():
            swap()
            swap()

        def fail():
            with self.assertRaises(ZeroDivisionError):
                gc.remap([(pair[0], pair[1]), (pair[1], pair[0]), (key, Raises())])

        class Raises:
            def __hash__(self):
                raise ZeroDivisionError
        key = Thing()
        table = {key: 1}
        for action in nothing, swap_twice, fail, swap:
            with self.subTest(action=action.__name__):
                for _ in range(100):    # calls of generators get inlined
                    loops((i for i in (1, 2)), running(nothing))
                pair = [(i for i in (1, 2, 3)), running(action)]
                first, second = pair
                seen = loops(first, second)
                # The outer loop has another generator, which has come to its end.
                self.assertEqual(seen, [(1, "a"), (1, "b")])
                self.assertEqual([*pair[0]], [])
                self.assertEqual([*pair[1]], [2, 3] if action is swap else [])
        self.assertEqual(table, {key: 1})

    def test_finished_generator(self):
        pairs = Pairs.things()

        def generate(x):
            yield x
        g = generate(pairs.old)
        self.assertEqual(len(list(g)), 1)
        self.remap(pairs, references=0)
        self.assertEqual(list(g), [])

    def test_generator_is_the_old_object(self):
        pairs = Pairs((i for i in [1, 2]), (i for i in [3, 4]))
        holder = [pairs.old]
        next(holder[0])
        self.remap(pairs)
        self.assertEqual(list(holder[0]), [3, 4])
        self.assertEqual(list(pairs.old), [2])

    def test_delegation(self):
        pairs = Pairs((i for i in [1, 2, 3]), (i for i in [4, 5]))

        def outer():
            yield from pairs.old
        g = outer()
        self.assertEqual(next(g), 1)
        self.assertIs(g.gi_yieldfrom, pairs.old)
        self.remap(pairs)
        self.assertIs(g.gi_yieldfrom, pairs.new)
        self.assertEqual(list(g), [4, 5])

    def test_delegation_to_something_else(self):
        for other in ([1], 5, Thing()):
            with self.subTest(other=other):
                pairs = Pairs((i for i in [1, 2, 3]), other)

                def outer():
                    yield from pairs.old
                g = outer()
                next(g)
                self.refused(pairs, TypeError)
                self.assertEqual(list(g), [2, 3])

    def test_many_generators(self):
        pairs = Pairs.things()

        def generate(x):
            yield
            yield x
        generators = [generate(pairs.old) for _ in range(100)]
        for g in generators:
            next(g)
        self.remap(pairs, references=100)
        self.assertEqual([next(g) for g in generators], [pairs.new] * 100)

    def test_code_of_a_suspended_generator(self):
        # The frame that is suspended runs its own code: kept or refused.
        one = compiled("def f():\n yield 1\n yield 2")
        pairs = Pairs(one.__code__,
                      compiled("def f():\n yield 3\n yield 4").__code__)
        g = one()
        self.assertEqual(next(g), 1)
        code = id(g.gi_code)
        try:
            gc.remap(pairs.list)
        except TypeError:
            self.assertIs(one.__code__, pairs.old)
        self.assertEqual(id(g.gi_code), code)
        self.assertEqual(list(g), [2])

    def test_contextmanager(self):
        log = []

        @contextlib.contextmanager
        def manager(x):
            try:
                yield
            finally:
                log.append(x)
        pairs = Pairs.things()
        with manager(pairs.old):
            self.remap(pairs)
        self.assertEqual(log, [pairs.new])

    def test_generator_with_a_pending_exception(self):
        pairs = Pairs(ValueError("old"), KeyError("new"))

        def generate():
            try:
                raise pairs.old
            except Exception:
                yield 1
                yield sys.exception()
        g = generate()
        next(g)
        pairs.old.__traceback__ = None
        self.remap(pairs)
        self.assertIs(next(g), pairs.new)
        g.close()
        pairs.old.__traceback__ = pairs.new.__traceback__ = None


def step(coroutine, value=None):
    try:
        return coroutine.send(value)
    except StopIteration as exc:
        return exc.value


class Suspend:
    def __await__(self):
        return (yield self)


class CoroutineTests(RemapTestCase):

    def test_local(self):
        pairs = Pairs.things()

        async def f(x):
            await Suspend()
            return x
        c = f(pairs.old)
        step(c)
        self.remap(pairs, references=1)
        self.assertIs(step(c), pairs.new)

    def test_nested(self):
        pairs = Pairs.things()

        async def inner(x):
            await Suspend()
            return x

        async def outer(x):
            return x, await inner(x), x
        c = outer(pairs.old)
        step(c)
        self.remap(pairs)
        self.assertEqual(step(c), (pairs.new,) * 3)

    def test_awaited_coroutine(self):
        async def inner(value):
            await Suspend()
            return value
        pairs = Pairs(inner("old"), inner("new"))

        async def outer():
            return await pairs.old
        c = outer()
        step(c)
        step(pairs.new)
        self.remap(pairs)
        self.assertEqual(step(c), "new")
        pairs.old.close()

    def test_awaited_coroutine_becomes_something_else(self):
        async def inner():
            await Suspend()
            return "result"
        for other in (5, [1], Thing()):
            with self.subTest(other=other):
                pairs = Pairs(inner(), other)

                async def outer():
                    return await pairs.old
                c = outer()
                step(c)
                self.refused(pairs, TypeError)
                self.assertEqual(step(c), "result")

    def test_async_generator(self):
        pairs = Pairs.things()

        async def generate(x):
            yield 1
            await Suspend()
            yield x

        async def consume():
            return [i async for i in generate(pairs.old)]
        c = consume()
        step(c)
        self.remap(pairs)
        self.assertEqual(step(c), [1, pairs.new])

    def test_async_iterator_becomes_something_else(self):
        class Iterator:
            def __init__(self):
                self.n = 0

            def __aiter__(self):
                return self

            async def __anext__(self):
                self.n += 1
                if self.n > 3:
                    raise StopAsyncIteration
                await Suspend()
                return self.n
        for other in (5, [1], Iterator()):
            with self.subTest(other=type(other)):
                pairs = Pairs(Iterator(), other)

                async def consume():
                    return [i async for i in pairs.old]
                c = consume()
                step(c)
                reached = self.reached(pairs)
                # No crash: an object that is no such iterator raises.
                try:
                    while type(r := step(c)) is Suspend:
                        pass
                except (TypeError, AttributeError):
                    self.assertNotIsInstance(other, Iterator)
                else:
                    # The pending __anext__() belongs to the new object too.
                    self.assertEqual(
                        r, [0, 1, 2, 3] if reached else [1, 2, 3])

    def test_async_with(self):
        log = []

        class Manager:
            def __init__(self, name):
                self.name = name

            async def __aenter__(self):
                return self

            async def __aexit__(self, *exc):
                log.append(self.name)
        pairs = Pairs(Manager("old"), Manager("new"))

        async def f():
            async with pairs.old as m:
                await Suspend()
                return m
        c = f()
        step(c)
        self.remap(pairs)
        self.assertIs(step(c), pairs.new)
        self.assertEqual(log, ["new"])

    def test_asyncio(self):
        pairs = Pairs.things()
        seen = []

        async def wait(event, x):
            await event.wait()
            seen.append(x)

        async def run():
            event = asyncio.Event()
            tasks = [asyncio.create_task(wait(event, pairs.old))
                     for _ in range(3)]
            await asyncio.sleep(0)
            self.remap(pairs, kept=1)
            event.set()
            await asyncio.gather(*tasks)
        asyncio.run(run())
        self.assertEqual(seen, [pairs.new] * 3)


class FrameTests(RemapTestCase):

    def test_frame_object(self):
        pairs = Pairs.things()
        x = pairs.old
        frame = sys._getframe()
        self.remap(pairs)
        self.assertIs(frame.f_locals["x"], pairs.new)
        self.assertIs(x, pairs.new)
        del frame

    def test_frame_that_outlives_its_call(self):
        pairs = Pairs.things()

        def f(x):
            return sys._getframe()
        frame = f(pairs.old)
        self.remap(pairs, references=1)
        self.assertIs(frame.f_locals["x"], pairs.new)
        frame.clear()

    def test_extra_local_that_gets_the_name_of_a_variable(self):
        class Name(str):
            pass

        def frame():
            x = "variable"
            return sys._getframe()
        frame = frame()
        old = "".join(["non ", "int"])
        frame.f_locals[old] = "extra"
        gc.remap([(old, Name("x"))])
        # The variable is found; the other is shown beside it.
        self.assertEqual(frame.f_locals["x"], "variable")
        self.assertEqual(list(frame.f_locals.values()), ["variable", "extra"])
        frame.f_locals["x"] = "again"
        self.assertEqual(frame.f_locals["x"], "again")

    def test_extra_locals(self):
        pairs = Pairs.things()

        def f():
            frame = sys._getframe()
            frame.f_locals["extra"] = pairs.old
            return frame
        frame = f()
        self.remap(pairs)
        self.assertIs(frame.f_locals["extra"], pairs.new)
        frame.clear()

    def test_frame_becomes_something_else(self):
        def f():
            raise ValueError
        try:
            f()
        except ValueError as exc:
            tb = exc.__traceback__.tb_next
        for other in (5, [1]):
            with self.subTest(other=other):
                pairs = Pairs(tb.tb_frame, other)
                self.refused(pairs, TypeError, "frame")
                self.assertIs(tb.tb_frame, pairs.old)
        del tb

    def test_globals_of_a_frame(self):
        # The namespace of code that is running.
        namespace = {"x": 1, "refused": self.refused}
        exec("def f(pairs):\n"
             " refused(pairs, TypeError)\n"
             " return x", namespace)
        pairs = Pairs(namespace, Thing())
        del namespace
        self.assertEqual(pairs.old["f"](pairs), 1)
        pairs.old.clear()

    def test_code_of_a_running_frame(self):
        run = compiled(
            "def f(pairs):\n"
            " try: gc.remap(pairs.list)\n"
            " except TypeError: pass\n"
            " x = 5\n"
            " return x", gc=gc)
        pairs = Pairs(run.__code__,
                      compiled("def f(pairs): return 6").__code__)
        self.assertEqual(run(pairs), 5)
        self.assertEqual(run(Pairs()),
                         5 if run.__code__ is pairs.old else 6)
        run.__globals__.clear()

    def test_function_of_a_running_frame(self):
        def make(value):
            def f(pairs, again):
                if again:
                    self.remap(pairs)
                return value
            return f
        pairs = Pairs(make(1), make(2))
        self.assertEqual(pairs.old(pairs, True), 1)

    def test_function_of_a_running_frame_becomes_something_else(self):
        for other in (5, Thing(), [1], print):
            with self.subTest(other=other):
                def f(pairs):
                    try:
                        gc.remap(pairs.list)
                    except TypeError:
                        pass
                    return sys._getframe().f_code.co_name
                pairs = Pairs(f, other)
                del f
                self.assertEqual(pairs.old(pairs), "f")

    def test_trace_function(self):
        seen = []

        def old(frame, event, arg):
            seen.append("old")

        def new(frame, event, arg):
            seen.append("new")
        pairs = Pairs(old, new)
        del old, new

        def f():
            pass
        previous = sys.gettrace()
        sys.settrace(pairs.old)
        try:
            f()
            left_behind = gc.remap(pairs.list).left_behind
            f()
        finally:
            sys.settrace(previous)
        self.assertEqual(seen[0], "old")
        # Called next, or out of reach and counted.
        self.assertEqual(seen[-1], "old" if any(left_behind) else "new")

    def test_profile_function(self):
        seen = []

        def old(frame, event, arg):
            seen.append("old")

        def new(frame, event, arg):
            seen.append("new")
        pairs = Pairs(old, new)
        del old, new
        previous = sys.getprofile()
        sys.setprofile(pairs.old)
        try:
            abs(1)
            left_behind = gc.remap(pairs.list).left_behind
            abs(1)
        finally:
            sys.setprofile(previous)
        self.assertEqual(seen[0], "old")
        self.assertEqual(seen[-1], "old" if any(left_behind) else "new")


class ExceptionTests(RemapTestCase):

    def test_arguments_and_attributes(self):
        pairs = Pairs.things()
        exc = ValueError(pairs.old, 1)
        exc.attribute = pairs.old
        exc.add_note("note")
        exc.__notes__.append(pairs.old)
        self.remap(pairs)
        self.assertEqual(exc.args, (pairs.new, 1))
        self.assertIs(exc.attribute, pairs.new)
        self.assertEqual(exc.__notes__, ["note", pairs.new])

    def test_fields_of_builtin_exceptions(self):
        pairs = Pairs.things()
        o = pairs.old
        cases = [
            (StopIteration(o), "value"), (SystemExit(o), "code"),
            (AttributeError("", name=o, obj=o), "name"),
            (AttributeError("", name="n", obj=o), "obj"),
            (NameError("", name=o), "name"),
            (ImportError("", name=o, path=o), "path"),
            (OSError(1, o, o), "strerror"), (OSError(1, "", o), "filename"),
            (SyntaxError("", (o, 1, 1, o)), "filename"),
            (SyntaxError("", (o, 1, 1, o)), "text"),
        ]
        del o
        self.remap(pairs)
        for exc, name in cases:
            with self.subTest(exc=type(exc), name=name):
                self.assertIs(getattr(exc, name), pairs.new)
        exc = None
        cases.clear()

    def test_context_and_cause(self):
        pairs = Pairs(ValueError("old"), KeyError("new"))
        one, two = RuntimeError(), RuntimeError()
        one.__context__ = pairs.old
        two.__cause__ = pairs.old
        self.remap(pairs)
        self.assertIs(one.__context__, pairs.new)
        self.assertIs(two.__cause__, pairs.new)

    def test_context_becomes_something_else(self):
        for other in (5, Thing(), ValueError):
            for field in "__context__", "__cause__":
                with self.subTest(other=other, field=field):
                    pairs = Pairs(ValueError("old"), other)
                    exc = RuntimeError()
                    setattr(exc, field, pairs.old)
                    self.refused(pairs, TypeError, field.strip("_"))
                    self.assertIs(getattr(exc, field), pairs.old)

    def leaves(self, exc):
        if not isinstance(exc, BaseExceptionGroup):
            return [repr(exc)]
        return [leaf for e in exc.exceptions for leaf in self.leaves(e)]

    def test_value_stored_beside_the_variables_of_a_frame(self):
        frame = sys._getframe()
        old, new = float("1.5"), float("2.5")
        frame.f_locals["beside"] = old
        pairs = [[old, new]]
        del old
        self.assertEqual(gc.remap(pairs).left_behind, (0,))
        self.assertIs(frame.f_locals["beside"], new)
        del frame

    def test_locals_that_a_running_frame_keeps_for_c_code(self):
        import _testlimitedcapi
        old, new = _testlimitedcapi.eval_getlocals(), {}
        pairs = [[old, new]]
        del old
        self.assertEqual(gc.remap(pairs).left_behind, (0,))
        self.assertIs(_testlimitedcapi.eval_getlocals(), new)
        self.assertIs(new["pairs"], pairs)
        new.clear()

    def test_asynchronous_generator_that_is_under_way(self):
        """An awaitable finishes what it has begun with its generator."""
        @types.coroutine
        def wait():
            yield "waits"

        async def generate(tag):
            try:
                yield tag + "1"
            except ZeroDivisionError:
                pass
            await wait()
            yield tag + "2"

        for begin in (lambda gen: gen.asend(None),
                      lambda gen: gen.athrow(ZeroDivisionError())):
            gens = [generate("a"), generate("b")]
            for gen in gens:
                self.assertRaises(StopIteration, gen.asend(None).send, None)
            under_way, other = begin(gens[0]), begin(gens[1])
            self.assertEqual(under_way.send(None), "waits")
            del gen
            a, b = gens
            pairs = [[a, b], [b, a]]
            del a, b
            result = gc.remap(pairs)
            self.assertEqual(result.left_behind, (1, 0))
            self.assertEqual([g.ag_running for g in gens], [False, True])
            with self.assertRaises(StopIteration) as stop:
                under_way.send(None)
            self.assertEqual(stop.exception.value, "a2")
            self.assertEqual([g.ag_running for g in gens], [False, False])
            # One that has not begun belongs to the other one now.
            self.assertRaises(
                (StopAsyncIteration, ZeroDivisionError), other.send, None)
            self.assertFalse(gens[1].ag_running)
            self.assertRaises(StopIteration, gens[0].aclose().send, None)

    def test_frame_of_a_traceback(self):
        """Its line is found out later, by an index into its code."""
        namespace = {}
        exec("def long():\n" + "    x = [1, 2, 3]\n" * 1000 + "    1/0", namespace)

        def short():
            return sys._getframe()
        try:
            namespace["long"]()
        except ZeroDivisionError as e:
            tb = e.__traceback__.tb_next
        pairs = Pairs(tb.tb_frame, short())
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(tb.tb_lineno, 1002)
        # One of the same code is as good.
        first, second = short(), short()
        tb = types.TracebackType(None, first, first.f_lasti, -1)
        pairs = Pairs(first, second)
        del first, second
        self.remap(pairs)
        self.assertIs(tb.tb_frame, pairs.new)
        self.assertEqual(tb.tb_lineno, pairs.new.f_lineno)

    def test_no_exception_of_a_group_is_lost(self):
        """The rest of a group, of which except* has handled a part, is made
        of the exceptions that were in it when it was split."""
        def inner(group):
            return group.exceptions[0]

        def outer(group):
            return group

        def none(group):
            return object()

        def handle(get, new):
            try:
                raise ExceptionGroup("outer", [
                    ExceptionGroup("inner", [ValueError(1), KeyError(2)]),
                    OSError(3)])
            except* KeyError:
                group = [x for x in gc.get_objects()
                         if type(x) is ExceptionGroup
                         and x.message == "outer"
                         and len(self.leaves(x)) == 3]
                gc.remap([(get(group.pop()), new)])
            except* OSError:
                raise NameError(4)

        for get, new in ((none, ValueError()), (inner, TypeError(5)),
                         (inner, ExceptionGroup("new", [TypeError(5)])),
                         (outer, ExceptionGroup("new", [TypeError(5)])),
                         (outer, TypeError(5))):
            with self.subTest(get=get, new=new):
                with self.assertRaises(ExceptionGroup) as raised:
                    handle(get, new)
                self.assertCountEqual(self.leaves(raised.exception),
                                      ["ValueError(1)", "NameError(4)"])

    def test_base_exception_in_a_group_of_exceptions(self):
        # Looked at when a group is made, as of items whose __class__ is
        # assigned later.
        group = ExceptionGroup("group", [ValueError(1), TypeError(2)])
        pairs = Pairs(group.exceptions[0], KeyboardInterrupt())
        self.remap(pairs)
        self.assertIsInstance(group, Exception)
        self.assertIs(group.exceptions[0], pairs.new)

    def test_exception_that_would_be_its_own_cause(self):
        for name in "__cause__", "__context__":
            with self.subTest(name):
                exc = ValueError()
                setattr(exc, name, KeyError())
                self.refused(Pairs(getattr(exc, name), exc), TypeError,
                             "must be BaseException, not the object itself")

    def test_arguments_tuple(self):
        exc = ValueError(1)
        pairs = Pairs(exc.args, tuple([2, 3]))
        self.remap(pairs)
        self.assertEqual(exc.args, (2, 3))
        pairs = Pairs(exc.args, [4])
        self.refused(pairs, TypeError, "args")
        self.assertEqual(str(exc), "(2, 3)")

    def test_exception_that_is_being_handled(self):
        pairs = Pairs(ValueError("old"), KeyError("new"))
        with self.assertRaises(KeyError) as caught:
            try:
                raise pairs.old
            except ValueError:
                pairs.old.__traceback__ = None
                self.remap(pairs)
                self.assertIs(sys.exception(), pairs.new)
                raise
        self.assertIs(caught.exception, pairs.new)
        pairs.new.__traceback__ = pairs.new.__context__ = None
        pairs.old.__traceback__ = None
        caught = None

    def test_exception_that_is_being_handled_becomes_something_else(self):
        for other in (5, Thing(), ValueError):
            with self.subTest(other=other):
                pairs = Pairs(ValueError("old"), other)
                try:
                    raise pairs.old
                except ValueError:
                    self.refused(pairs, TypeError, "(?i)exc")
                    self.assertIs(sys.exception(), pairs.old)
                pairs.old.__traceback__ = None

    def test_outer_exception_that_is_being_handled(self):
        # Saved on the stack while an inner one is handled.
        pairs = Pairs(ValueError("old"), KeyError("new"))
        try:
            raise pairs.old
        except ValueError:
            pairs.old.__traceback__ = None
            try:
                raise RuntimeError
            except RuntimeError as inner:
                inner.__context__ = None
                self.remap(pairs)
            self.assertIs(sys.exception(), pairs.new)
        self.assertIsNone(sys.exception())
        pairs.new.__traceback__ = pairs.new.__context__ = None

    def test_outer_exception_becomes_something_else(self):
        pairs = Pairs(ValueError("old"), 5)
        try:
            raise pairs.old
        except ValueError:
            try:
                raise RuntimeError
            except RuntimeError as inner:
                inner.__context__ = None
                self.refused(pairs, TypeError)
            self.assertIs(sys.exception(), pairs.old)
        pairs.old.__traceback__ = None

    def test_exception_in_a_finally_clause(self):
        pairs = Pairs(ValueError("old"), KeyError("new"))
        with self.assertRaises(KeyError):
            try:
                raise pairs.old
            finally:
                gc.remap(pairs.list)
        for index in range(2):
            pairs.list[0][index].__traceback__ = None
            pairs.list[0][index].__context__ = None

    def test_exception_in_a_finally_clause_becomes_something_else(self):
        for other in (5, Thing(), ValueError):
            with self.subTest(other=other):
                pairs = Pairs(ValueError("old"), other)
                with self.assertRaises(ValueError):
                    try:
                        raise pairs.old
                    finally:
                        self.refused(pairs, TypeError)
                pairs.old.__traceback__ = None

    def test_exception_variable(self):
        pairs = Pairs(ValueError("old"), KeyError("new"))
        try:
            raise pairs.old
        except ValueError as exc:
            exc.__traceback__ = None
            self.remap(pairs)
            self.assertIs(exc, pairs.new)

    def test_traceback(self):
        pairs = Pairs.things()

        def f(x):
            raise ValueError
        try:
            f(pairs.old)
        except ValueError as exc:
            error = exc
        self.remap(pairs)
        self.assertIs(
            error.__traceback__.tb_next.tb_frame.f_locals["x"], pairs.new)
        error = None

    def test_traceback_object(self):
        def raised():
            try:
                raise ValueError
            except ValueError as exc:
                return exc
        one, two = raised(), raised()
        pairs = Pairs(one.__traceback__, two.__traceback__)
        self.remap(pairs)
        self.assertIs(one.__traceback__, two.__traceback__)
        pairs = Pairs(one.__traceback__, 5)
        self.refused(pairs, TypeError, "traceback")
        one.__traceback__ = two.__traceback__ = None

    def test_next_of_a_traceback(self):
        def raised(depth):
            if depth:
                raised(depth - 1)
            raise ValueError
        try:
            raised(3)
        except ValueError as exc:
            error = exc
        pairs = Pairs(error.__traceback__.tb_next, 5)
        self.refused(pairs, TypeError, "tb_next")
        pairs = Pairs(error.__traceback__.tb_next.tb_next, [5])
        self.refused(pairs, TypeError, "tb_next")
        error = None

    def test_exception_group(self):
        pairs = Pairs(ValueError("old"), KeyError("new"))
        group = ExceptionGroup("group", [pairs.old, TypeError()])
        self.remap(pairs)
        self.assertEqual(group.exceptions[0], pairs.new)
        self.assertEqual(group.split(KeyError)[0].exceptions, (pairs.new,))

    def test_exception_group_gets_something_else(self):
        # No crash, whatever is in the tuple then.
        for other in (5, Thing()):
            with self.subTest(other=other):
                pairs = Pairs(ValueError("old"), other)
                group = ExceptionGroup("group", [pairs.old, TypeError()])
                try:
                    gc.remap(pairs.list)
                except TypeError:
                    self.assertIs(group.exceptions[0], pairs.old)
                try:
                    group.split(TypeError)
                    group.subgroup(ValueError)
                except (TypeError, ValueError):
                    pass
                repr(group)

    def test_exception_on_its_way_through_native_code(self):
        pairs = Pairs(ValueError("old"), KeyError("new"))

        def items():
            try:
                raise pairs.old
            finally:
                gc.remap(pairs.list)
            yield
        with self.assertRaises(KeyError):
            list(items())
        for index in range(2):
            pairs.list[0][index].__traceback__ = None
            pairs.list[0][index].__context__ = None


if __name__ == "__main__":
    main()
