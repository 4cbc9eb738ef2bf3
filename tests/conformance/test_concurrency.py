"""gc.remap() and what waits: futures and tasks, thread locals, weak references;
and the iterators of strings, buffers, ABCs and syntax trees."""

import _asyncio
import abc
import ast
import asyncio
import contextvars
import gc
import pickle
import threading
import weakref

from support import (
    Key, Pairs, RemapTestCase, Thing, fresh_str, main, run_script)


class Loop:
    """Enough of an event loop for futures and tasks."""

    def __init__(self):
        self.scheduled = []

    def get_debug(self):
        return False

    def call_soon(self, *args, context=None):
        self.scheduled.append((args, context))

    def call_exception_handler(self, context):
        pass

    def step(self):
        args, context = self.scheduled.pop(0)
        return context.run(*args)


class Callback:
    def __init__(self):
        self.called = 0

    def __call__(self, *args):
        self.called += 1


def fresh(text):
    """A str that is not interned."""
    return "".join([text[:1], text[1:]])


class FutureTests(RemapTestCase):

    def test_loop(self):
        pairs = Pairs(Loop(), Loop())
        future = _asyncio.Future(loop=pairs.old)
        future.add_done_callback(print, context=contextvars.Context())
        self.remap(pairs)
        self.assertIs(future.get_loop(), pairs.new)
        future.set_result(1)
        self.assertEqual(len(pairs.new.scheduled), 1)
        self.assertEqual(pairs.old.scheduled, [])
        pairs.new.scheduled.clear()

    def test_callbacks(self):
        for count in (1, 2, 3):
            for which in range(count):
                pairs = Pairs(Callback(), Callback())
                others = [Callback() for _ in range(count)]
                others[which] = pairs.old
                loop = Loop()
                future = _asyncio.Future(loop=loop)
                for callback in others:
                    future.add_done_callback(
                        callback, context=contextvars.Context())
                callback = others = None
                self.remap(pairs)
                self.assertEqual(
                    [c for c, _ in future._callbacks].index(pairs.new), which)
                future.set_result(1)
                while loop.scheduled:
                    loop.step()
                self.assertEqual(pairs.new.called, 1)
                self.assertEqual(pairs.old.called, 0)

    def test_remove_callback(self):
        pairs = Pairs(Callback(), Callback())
        future = _asyncio.Future(loop=Loop())
        for _ in range(3):
            future.add_done_callback(pairs.old)
        self.remap(pairs)
        self.assertEqual(future.remove_done_callback(pairs.old), 0)
        self.assertEqual(future.remove_done_callback(pairs.new), 3)

    def test_context(self):
        pairs = Pairs(contextvars.Context(), contextvars.Context())
        loop = Loop()
        future = _asyncio.Future(loop=loop)
        future.add_done_callback(print, context=pairs.old)
        future.add_done_callback(print, context=pairs.old)
        self.remap(pairs)
        future.set_result(1)
        self.assertIs(loop.scheduled[0][1], pairs.new)
        self.assertIs(loop.scheduled[1][1], pairs.new)
        loop.scheduled.clear()

    def test_pair_of_callback(self):
        # The pairs are in a list that is private to the future.
        for other in (1, (), (1,), [], "text"):
            for use in (lambda f: f.set_result(1), lambda f: f.cancel(),
                        lambda f: f.remove_done_callback(print),
                        lambda f: f.set_exception(ValueError()),
                        lambda f: f._callbacks):
                future = _asyncio.Future(loop=Loop())
                for i in range(2):
                    future.add_done_callback(
                        Callback(), context=contextvars.Context())
                pairs = [(future._callbacks[1], other)]
                gc.remap(pairs)
                try:
                    use(future)
                except TypeError:
                    pass
                future.get_loop().scheduled.clear()
                if future.done() and not future.cancelled():
                    future.exception()
        pairs = use = None

    def test_pair_of_many_callbacks(self):
        future = _asyncio.Future(loop=Loop())
        for i in range(5):
            future.add_done_callback(Callback())
        pairs = [(future._callbacks[3], 1)]
        gc.remap(pairs)
        with self.assertRaisesRegex(TypeError, "must be kept in a pair"):
            future.remove_done_callback(print)
        with self.assertRaisesRegex(TypeError, "must be kept in a pair"):
            future.cancel()
        future.get_loop().scheduled.clear()

    def test_result(self):
        pairs = Pairs.things()
        future = _asyncio.Future(loop=Loop())
        future.set_result(pairs.old)
        self.remap(pairs)
        self.assertIs(future.result(), pairs.new)

    def test_exception(self):
        pairs = Pairs(ValueError(1), KeyError(2))
        future = _asyncio.Future(loop=Loop())
        future.set_exception(pairs.old)
        self.remap(pairs)
        self.assertIs(future.exception(), pairs.new)
        self.assertRaises(KeyError, future.result)
        pairs.new.__traceback__ = None

    def test_exception_must_be_one(self):
        future = _asyncio.Future(loop=Loop())
        future.set_exception(ValueError(1))
        future.exception()
        for other in (1, [], "text", ValueError, Thing(), None):
            pairs = Pairs(future.exception(), other)
            self.refused(pairs, TypeError,
                         "fut_exception of .*must be an exception")
        pairs = None
        self.assertRaises(ValueError, future.result)

    def raise_one(self, exc):
        try:
            raise exc
        except Exception as e:
            return e

    def where(self, future):
        """The functions in which result() says that it was raised."""
        try:
            future.result()
        except Exception as e:
            names, tb = [], e.__traceback__
            while tb is not None:
                names.append(tb.tb_frame.f_code.co_name)
                tb = tb.tb_next
            e.__traceback__ = None
            return names[1:]

    def test_traceback_is_the_one_of_the_exception(self):
        # As set_exception() takes it, for the first result() to put it back.
        class Unhashable:
            def __hash__(self):
                raise ZeroDivisionError

        def raise_new(exc):
            try:
                raise exc
            except KeyError as e:
                return e
        for new, names in ((raise_new(KeyError(1)), ["raise_new"]),
                           (KeyError(2), [])):
            for fails in True, False:
                with self.subTest(names=names, fails=fails):
                    future = _asyncio.Future(loop=Loop())
                    future.set_exception(self.raise_one(ValueError()))
                    pairs = Pairs(future.exception(), new)
                    table = {Thing(): 1}
                    if fails:
                        pairs.list.append((next(iter(table)), Unhashable()))
                        self.assertRaises(ZeroDivisionError, gc.remap,
                                          pairs.list)
                        self.assertEqual(self.where(future), ["raise_one"])
                    else:
                        gc.remap(pairs.list)
                        self.assertEqual(self.where(future), names)
                    pairs.old.__traceback__ = None

    def test_stop_iteration_is_no_exception_of_a_future(self):
        # set_exception() would make a RuntimeError of it: an await would
        # take it for a result.
        future = _asyncio.Future(loop=Loop())
        future.set_exception(ValueError(1))
        pairs = Pairs(future.exception(), StopIteration(5))
        self.refused(pairs, TypeError, "no StopIteration")
        pairs = None
        self.assertRaises(ValueError, future.result)
        future.exception().__traceback__ = None

    def test_traceback_must_be_one(self):
        future = _asyncio.Future(loop=Loop())
        try:
            raise ValueError
        except ValueError as e:
            future.set_exception(e)
            pairs = [(e.__traceback__, 1)]
        future.exception()
        self.assertRaisesRegex(
            TypeError, "fut_exception_tb|traceback", gc.remap, pairs)
        self.assertRaises(ValueError, future.result)
        pairs = None
        future.exception().__traceback__ = None

    def test_cancel_message(self):
        pairs = Pairs.things()
        future = _asyncio.Future(loop=Loop())
        future.cancel(pairs.old)
        self.remap(pairs)
        with self.assertRaises(asyncio.CancelledError) as caught:
            future.result()
        self.assertEqual(caught.exception.args, (pairs.new,))
        caught = None

    def test_iterator(self):
        pairs = Pairs(_asyncio.Future(loop=Loop()),
                      _asyncio.Future(loop=Loop()))
        it = iter(pairs.old)
        self.remap(pairs)
        self.assertIs(next(it), pairs.new)
        pairs.new.set_result(5)
        with self.assertRaises(StopIteration) as caught:
            next(it)
        self.assertEqual(caught.exception.value, 5)
        caught = None

    def test_iterator_of_subclass(self):
        class Sub(_asyncio.Future):
            pass
        pairs = Pairs(_asyncio.Future(loop=Loop()), Sub(loop=Loop()))
        it = iter(pairs.old)
        self.remap(pairs)
        self.assertIs(next(it), pairs.new)

    def test_iterator_needs_a_future(self):
        for other in (1, [], Thing(), iter([]), "text"):
            pairs = Pairs(_asyncio.Future(loop=Loop()), other)
            it = iter(pairs.old)
            self.refused(pairs, TypeError, "future of .* must be a future")
            self.assertIs(next(it), pairs.old)


class TaskTests(RemapTestCase):

    def start(self, coro, **kwargs):
        loop = Loop()
        task = _asyncio.Task(coro, loop=loop, context=contextvars.Context(),
                             **kwargs)
        task._log_destroy_pending = False
        return loop, task

    def test_task_that_waits_to_be_stepped(self):
        async def f(result):
            return result
        loop, task = self.start(f(1))
        pairs = Pairs(task, self.start(f(2))[1])
        del task
        # The set of all tasks held both.
        self.remap(pairs, collisions=1)
        loop.step()
        self.assertFalse(pairs.old.done())
        self.assertEqual(pairs.new.result(), 2)
        pairs.old.get_coro().close()

    def test_name_must_be_a_text(self):
        # An int is the number of a name that has not been made yet.
        async def f():
            pass
        loop, task = self.start(f(), name=fresh_str("old name"))
        pairs = Pairs(task.get_name(), 12345)
        self.refused(pairs, TypeError, "task_name of .* must be str")
        pairs.list[0] = (pairs.old, fresh_str("another name"))
        self.remap(pairs)
        self.assertEqual(task.get_name(), "another name")
        loop.step()

    def test_step_needs_a_task(self):
        async def f():
            pass
        loop, task = self.start(f())
        pairs = Pairs(task, 1)
        del task
        # Tasks are weakly referenced: so can be what takes their place.
        for other in (Thing(), {1}, _asyncio.Future(loop=Loop())):
            pairs.list[0] = (pairs.old, other)
            self.refused(pairs, TypeError, "sw_task of .* must be a task")
        loop.step()
        self.assertTrue(pairs.old.done())
        pairs = other = None

    def test_step_needs_an_exception(self):
        class BadYield:
            def __await__(self):
                yield 1

        async def f():
            await BadYield()
        loop, task = self.start(f())
        loop.step()
        step = loop.scheduled[0][0][0]
        (exc,) = [x for x in gc.get_referents(step)
                  if isinstance(x, RuntimeError)]
        pairs = Pairs(exc, ValueError("other"))
        del exc
        for other in (None, 1, ValueError):
            with self.assertRaisesRegex(TypeError, "sw_arg of"):
                gc.remap([(pairs.old, other)])
        self.remap(pairs)
        loop.step()
        self.assertIs(task.exception(), pairs.new)
        pairs.new.__traceback__ = None

    def test_coroutine(self):
        async def f(result):
            return result
        pairs = Pairs(f(1), f(2))
        loop, task = self.start(pairs.old)
        self.remap(pairs)
        loop.step()
        self.assertEqual(task.result(), 2)
        pairs.old.close()

    def test_coroutine_may_be_anything(self):
        # A step calls what it is asked to call, and fails if it cannot.
        async def f():
            pass
        for other in (1, [], "text", iter([]), Thing()):
            pairs = Pairs(f(), other)
            loop, task = self.start(pairs.old)
            self.remap(pairs)
            try:
                loop.step()
            except RuntimeError:
                pass
            if task.done():
                task.exception()
            loop.scheduled.clear()
            pairs.old.close()

    def test_waiter(self):
        futures = [_asyncio.Future(loop=Loop()) for _ in range(2)]

        async def f(future):
            await future
        loop = futures[0].get_loop()
        task = _asyncio.Task(f(futures[0]), loop=loop,
                             context=contextvars.Context())
        task._log_destroy_pending = False
        loop.step()
        pairs = Pairs(*futures)
        futures = None
        self.remap(pairs)
        self.assertIs(task._fut_waiter, pairs.new)
        task.cancel()
        self.assertTrue(pairs.new.cancelled())
        self.assertFalse(pairs.old.done())
        task.get_coro().close()
        pairs = None

    def test_name_and_context(self):
        async def f():
            return var.get()
        var = contextvars.ContextVar("var", default=0)
        pairs = Pairs(contextvars.Context(), contextvars.Context(),
                      fresh("old name"), fresh("new name"))
        pairs.new.run(var.set, 2)
        loop = Loop()
        task = _asyncio.Task(f(), loop=loop, name=pairs.old_at(1),
                             context=pairs.old)
        self.remap(pairs)
        self.assertEqual(task.get_name(), "new name")
        self.assertIs(task.get_context(), pairs.new)
        loop.step()
        self.assertEqual(task.result(), 2)

    def test_wakeup_keeps_its_task(self):
        # The function casts its self.
        future = _asyncio.Future(loop=Loop())

        async def f():
            await future
        task = _asyncio.Task(f(), loop=future.get_loop(),
                             context=contextvars.Context())
        task._log_destroy_pending = False
        future.get_loop().step()
        pairs = Pairs(task, Thing())
        del task
        result = gc.remap(pairs.list)
        self.assertGreaterEqual(result.left_behind[0], 1)
        future.set_result(1)
        future.get_loop().step()
        self.assertTrue(pairs.old.done())

    def test_context_of_eager_task(self):
        # The context that was entered is the one that is left.
        run_script(self, """
            import asyncio, contextvars, gc
            var = contextvars.ContextVar("var", default=0)

            async def f(pairs):
                var.set(1)
                gc.remap(pairs)
                return var.get()

            async def main():
                context = contextvars.copy_context()
                pairs = [(context, contextvars.Context())]
                loop = asyncio.get_running_loop()
                task = asyncio.Task(f(pairs), loop=loop, context=context,
                                    eager_start=True)
                del context
                assert task.done() and task.result() == 1
                assert var.get() == 0
                assert task.get_context() is pairs[0][1]
                await asyncio.sleep(0)
            asyncio.run(main())
        """)

    def test_task_in_its_step(self):
        out = run_script(self, """
            import asyncio, gc

            async def other():
                await asyncio.sleep(0.01)
                return "other"

            async def main():
                task = asyncio.create_task(other())
                await asyncio.sleep(0)
                pairs = []
                async def f(end):
                    pairs[:] = [(asyncio.current_task(), task)]
                    gc.remap(pairs)
                    end()
                    return "f"
                for end in lambda: None, lambda: 1 / 0:
                    asyncio.create_task(f(end))
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                    print(repr(pairs[0][0].exception() or
                               pairs[0][0].result()))
                print(await task)
                print(asyncio.current_task() is not task)
            asyncio.run(main())
            """)
        self.assertEqual(out.splitlines(), [
            "'f'", "ZeroDivisionError('division by zero')", "other", "True"])

    def test_task_in_its_eager_step(self):
        out = run_script(self, """
            import asyncio, gc

            async def other():
                await asyncio.sleep(0)

            async def main():
                task = asyncio.create_task(other())
                async def f():
                    gc.remap([(asyncio.current_task(), task)])
                    return 1
                eager = asyncio.Task(f(), loop=asyncio.get_running_loop(),
                                     eager_start=True)
                print(eager.result(), asyncio.current_task() in (eager, task))
                await asyncio.sleep(0)
            asyncio.run(main())
            """)
        self.assertEqual(out, "1 False\n")

    def test_everything_of_a_running_program(self):
        run_script(self, """
            import asyncio, gc

            class Old:
                def work(self): return "old"
            class New:
                def work(self): return "new"

            async def worker(obj, queue, results):
                while True:
                    item = await queue.get()
                    results.append((item, obj.work()))
                    queue.task_done()

            async def main():
                queue, results = asyncio.Queue(), []
                tasks = [asyncio.create_task(worker(Old(), queue, results))
                         for _ in range(3)]
                for i in range(6):
                    queue.put_nowait(i)
                await queue.join()
                assert {r for _, r in results} == {"old"}
                results.clear()
                gc.remap([(Old, New)])
                for i in range(6):
                    queue.put_nowait(i)
                await queue.join()
                assert {r for _, r in results} == {"new"}, results
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            asyncio.run(main())
        """)

    def test_running_loop(self):
        # The thread holds it.
        run_script(self, """
            import asyncio, gc
            pairs = [(asyncio.new_event_loop(), asyncio.new_event_loop())]
            asyncio._set_running_loop(pairs[0][0])
            gc.remap(pairs)
            assert asyncio.get_running_loop() is pairs[0][1]
            asyncio._set_running_loop(None)
            for loop in pairs[0]:
                loop.close()
        """)

    def test_state_of_module(self):
        run_script(self, """
            import asyncio, gc, _asyncio
            def fails(old, new):
                try:
                    gc.remap([(old, new)])
                except TypeError as e:
                    return str(e)
                raise AssertionError
            assert "current_tasks" in fails(_asyncio._current_tasks, [])
            assert "eager_tasks" in fails(_asyncio._eager_tasks, [])
            # The name of a keyword argument, and the tuple that it is in.
            names = [x for x in gc.get_referents(_asyncio)
                     if x == ("context",)]
            assert len(names) == 1
            gc.remap([(names[0], 1)])
            fails("context", "".join(["cont", "ext2"]))

            # The functions that were imported.
            from asyncio import base_futures
            gc.remap([(base_futures._future_repr, lambda future: "shown")])
            loop = asyncio.new_event_loop()
            assert repr(loop.create_future()) == "shown"
            loop.close()

            async def main():
                await asyncio.sleep(0)
            asyncio.run(main())
        """)


class LocalTests(RemapTestCase):

    def test_dict_of_a_thread_must_be_one(self):
        local = threading.local()
        local.x = 1
        for other in [1], 5, None:
            pairs = Pairs(local.__dict__, other)
            self.remap(pairs)
            for use in (lambda: local.x, lambda: setattr(local, "x", 2),
                        lambda: delattr(local, "x"), lambda: local.__dict__):
                with self.assertRaisesRegex(TypeError, "__dict__ of a"):
                    use()
            local = threading.local()
            local.x = 1
        pairs = Pairs(local.__dict__, {"x": 2})
        self.remap(pairs)
        self.assertEqual(local.x, 2)

    def test_value(self):
        pairs = Pairs.things()
        local = threading.local()
        local.value = pairs.old
        self.remap(pairs)
        self.assertIs(local.value, pairs.new)

    def test_value_in_another_thread(self):
        pairs = Pairs.things()
        local = threading.local()
        result = []
        ready, go = threading.Event(), threading.Event()

        def f():
            local.value = pairs.old
            ready.set()
            go.wait()
            result.append(local.value is pairs.new)
        thread = threading.Thread(target=f)
        thread.start()
        ready.wait()
        gc.remap(pairs.list)
        go.set()
        thread.join()
        self.assertEqual(result, [True])

    def test_arguments(self):
        pairs = Pairs(Thing(), Thing(), Thing(), Thing())
        result = []

        class Local(threading.local):
            def __init__(self, argument, *, name):
                result[:] = [argument, name]
        local = Local(pairs.old, name=pairs.old_at(1))
        result.clear()
        self.remap(pairs)

        def f():
            local.__dict__
        thread = threading.Thread(target=f)
        thread.start()
        thread.join()
        self.assertIs(result[0], pairs.new)
        self.assertIs(result[1], pairs.new_at(1))
        result = None

    def test_dict(self):
        run_script(self, """
            import gc, threading
            local = threading.local()
            local.a = 1
            pairs = [(local.__dict__, {"b": 2})]
            gc.remap(pairs)
            assert local.b == 2
            assert not hasattr(local, "a")
            # Not a dict: an exception, whatever is asked of it.
            for other in (1, [], "text"):
                pairs = [(local.__dict__, other)]
                gc.remap(pairs)
                for use in (lambda: local.a, lambda: setattr(local, "a", 1),
                            lambda: delattr(local, "a"), lambda: dir(local)):
                    try:
                        use()
                    except (SystemError, AttributeError, TypeError):
                        pass
                local = threading.local()
        """)

    def test_end_of_thread(self):
        # What is called at the end of a thread casts what it finds.
        run_script(self, """
            import gc, threading, weakref
            for other in (1, [], "text", weakref.ref(threading),
                          weakref.ref(threading.Thread)):
                class Local(threading.local):
                    pass
                for cls in (Local, threading.local):
                    local = cls()
                    ready, go = threading.Event(), threading.Event()
                    def f():
                        local.value = 1
                        ready.set()
                        go.wait()
                    thread = threading.Thread(target=f)
                    thread.start()
                    ready.wait()
                    pairs = [(weakref.ref(local), other)]
                    gc.remap(pairs)
                    go.set()
                    thread.join()
                    local.value = 2
                    assert local.value == 2
        """)

    def test_dummies(self):
        run_script(self, """
            import gc, threading
            local = threading.local()
            local.value = 1
            dicts = [x for x in gc.get_referents(local)
                     if type(x) is dict and x]
            for d in dicts:
                for key in list(d):
                    pairs = [(key, object())]
                    del key
                    try:
                        gc.remap(pairs)
                    except TypeError:
                        pass
            local.value = 2
            assert local.value == 2
            thread = threading.Thread(target=setattr, args=(local, "x", 1))
            thread.start()
            thread.join()
        """)


class WeakReferenceTests(RemapTestCase):

    def test_callback(self):
        for make in (weakref.ref, weakref.proxy):
            with self.subTest(make):
                pairs = Pairs(Callback(), Callback())
                target = Key(1)
                ref = make(target, pairs.old)
                self.remap(pairs)
                self.assertEqual(weakref.getweakrefs(target), [ref]
                                 if make is weakref.ref else
                                 weakref.getweakrefs(target))
                del target
                gc.collect()
                self.assertEqual(pairs.new.called, 1)
                self.assertEqual(pairs.old.called, 0)
                ref = None

    def test_callback_may_be_anything_but_none(self):
        run_script(self, """
            import gc, weakref, sys
            sys.unraisablehook = lambda *args: None
            class Target: pass
            def f(ref): pass
            for other in (1, [], "text"):
                target = Target()
                ref = weakref.ref(target, lambda ref: None)
                pairs = [(ref.__callback__, other)]
                gc.remap(pairs)
                del target
                gc.collect()
        """)


class StringIteratorTests(RemapTestCase):

    def test_bytes(self):
        pairs = Pairs(bytes([1, 2, 3]), bytes([4, 5, 6, 7]))
        it = iter(pairs.old)
        next(it)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 6, 7])

    def test_bytearray(self):
        pairs = Pairs(bytearray([1, 2, 3]), bytearray([4, 5, 6, 7]))
        it = iter(pairs.old)
        next(it)
        self.remap(pairs)
        self.assertEqual(list(it), [5, 6, 7])

    def test_str(self):
        for old, new in (("abc", "defg"), ("\xe4bc", "defg"),
                         ("\u1234bc", "\U00012345efg"), ("\xe4bc", "\xe4efg")):
            pairs = Pairs(fresh(old), fresh(new))
            it = iter(pairs.old)
            next(it)
            gc.remap(pairs.list)
            self.assertEqual("".join(it), new[1:])

    def test_ascii_stays_ascii(self):
        class Sub(str):
            pass
        for other in (fresh("\xe4\xf6\xfc"), fresh("\u1234\u1234"),
                      Sub("text"), 1, [], b"text"):
            pairs = Pairs(fresh("text"), other)
            it = iter(pairs.old)
            self.refused(pairs, TypeError, "it_seq of .*must be")
            self.assertEqual(len(list(it)), 4)
        pairs = it = None

    def test_shorter(self):
        for long, short in ((bytes(range(10)), bytes(range(2))),
                            (bytearray(10), bytearray(2)),
                            (fresh("0123456789"), fresh("01")),
                            (fresh("\xe4123456789"), fresh("01"))):
            pairs = Pairs(long, short)
            del long, short
            it = iter(pairs.old)
            for _ in range(6):
                next(it)
            gc.remap(pairs.list)
            self.assertEqual(it.__length_hint__(), 0)
            pickle.dumps(it)
            self.assertEqual(list(it), [])

    def test_type(self):
        for make in (lambda: bytes([1, 2, 3]), lambda: bytearray(3),
                     lambda: fresh("text"), lambda: fresh("\xe4text")):
            for other in (1, [1, 2], (1,), Thing(), memoryview(b"text"),
                          "text" if not isinstance(make(), str) else b"text"):
                pairs = Pairs(make(), other)
                it = iter(pairs.old)
                self.refused(pairs, TypeError, "it_seq of .*must be")
                next(it)
        pairs = other = make = None


class BufferTests(RemapTestCase):

    def test_pickle_buffer_keeps_its_exporter(self):
        pairs = Pairs(bytearray(b"old"), bytearray(b"new!"))
        buffer = pickle.PickleBuffer(pairs.old)
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(bytes(buffer.raw()), b"old")
        buffer.release()

    def test_exporter_written_in_python(self):
        released = []

        class Exporter:
            def __init__(self, data):
                self.data = bytearray(data)

            def __buffer__(self, flags):
                return memoryview(self.data)

            def __release_buffer__(self, view):
                released.append(self)
                view.release()
        pairs = Pairs(Exporter(b"old"), Exporter(b"new!"))
        view = memoryview(pairs.old)
        result = gc.remap(pairs.list)
        self.assertGreaterEqual(result.left_behind[0], 1)
        self.assertEqual(bytes(view), b"old")
        view.release()
        self.assertEqual(len(released), 1)
        self.assertIs(released[0], pairs.old)
        released.clear()
        pairs.old.data.append(1)        # nobody has a buffer of it


class OtherTests(RemapTestCase):

    def test_abc(self):
        class Abstract(abc.ABC):
            pass

        class Registered:
            pass
        Abstract.register(Registered)
        self.assertTrue(issubclass(Registered, Abstract))
        sets = [x for x in gc.get_referents(Abstract._abc_impl)
                if isinstance(x, set)]
        pairs = Pairs(sets[0], set())
        del sets
        for other in (Thing(), frozenset(), len):
            with self.assertRaisesRegex(TypeError, "_abc_.* must be set"):
                gc.remap([(pairs.old, other)])
        self.remap(pairs)
        issubclass(Registered, Abstract)
        isinstance(1, Abstract)
        self.assertFalse(issubclass(int, Abstract))

    def test_abc_registry_of_other_things(self):
        run_script(self, """
            import abc, gc
            class Abstract(abc.ABC): pass
            class Registered: pass
            class Other: pass
            Abstract.register(Registered)
            registry, *_ = [x for x in gc.get_referents(Abstract._abc_impl)
                           if isinstance(x, set) and len(x)
                           and next(iter(x))() is Registered]
            pairs = [(list(registry)[0], 1)]
            gc.remap(pairs)
            try:
                issubclass(Other, Abstract)
            except TypeError:
                pass
        """)

    def test_ast(self):
        pairs = Pairs(ast.Constant(1), ast.Constant(2))
        tree = ast.Expression(ast.BinOp(pairs.old, ast.Add(), pairs.old))
        self.remap(pairs)
        ast.fix_missing_locations(tree)
        self.assertEqual(eval(compile(tree, "<tree>", "eval")), 4)

    def test_ast_of_other_things(self):
        pairs = Pairs(ast.Constant(1), Thing())
        tree = ast.Expression(pairs.old)
        self.remap(pairs)
        self.assertRaises(TypeError, compile, tree, "<tree>", "eval")

    def test_dict_of_ast(self):
        node = ast.Name("name", ast.Load())
        pairs = Pairs(node.__dict__, {"id": "other"})
        self.remap(pairs)
        self.assertEqual(node.id, "other")
        pairs = Pairs(node.__dict__, [])
        self.refused(pairs, TypeError, "dict of .*must be dict")


if __name__ == "__main__":
    main()
