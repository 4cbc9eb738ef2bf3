"""What the interpreter and its threads hold outside of objects."""

import atexit
import codecs
import gc
import signal
import sys
import threading
import warnings

import _testcapi
import _warnings

from support import RemapTestCase, main, run_script


class RootTestCase(RemapTestCase):

    def setUp(self):
        # Functions of the test: their references are counted exactly.
        def old(*args):
            return args

        def new(*args):
            return args
        self.pair = [[old, new]]

    @property
    def old(self):
        return self.pair[0][0]

    @property
    def new(self):
        return self.pair[0][1]

    def remap(self, references):
        result = gc.remap(self.pair)
        self.assertEqual((result.references, result.left_behind),
                         (references, (0,)), result)


class InterpreterTests(RootTestCase):

    def test_signal_handler(self):
        before = signal.signal(signal.SIGUSR1, self.old)
        try:
            self.remap(1)
            self.assertIs(signal.getsignal(signal.SIGUSR1), self.new)
        finally:
            signal.signal(signal.SIGUSR1, before)

    def test_signal_handler_is_called(self):
        called = []
        self.pair[0][1] = lambda *args: called.append(args)
        before = signal.signal(signal.SIGUSR1, self.old)
        try:
            self.remap(1)
            signal.raise_signal(signal.SIGUSR1)
        finally:
            signal.signal(signal.SIGUSR1, before)
        self.assertEqual(called[0][0], signal.SIGUSR1)

    def test_signal_handler_that_cannot_be_called(self):
        # The system knows of SIG_IGN and SIG_DFL, and would go on calling.
        before = signal.signal(signal.SIGUSR1, self.old)
        try:
            for new in ([1], signal.SIG_IGN, signal.SIG_DFL, None):
                self.pair[0][1] = new
                with self.assertRaisesRegex(TypeError, "must be callable"):
                    gc.remap(self.pair)
                self.assertIs(signal.getsignal(signal.SIGUSR1), self.old)
        finally:
            signal.signal(signal.SIGUSR1, before)

    def test_monitoring(self):
        monitoring = sys.monitoring
        monitoring.use_tool_id(3, "a tool of the tests")
        try:
            event = monitoring.events.PY_RETURN
            monitoring.register_callback(3, event, self.old)
            self.remap(1)
            self.assertIs(monitoring.register_callback(3, event, None),
                          self.new)
        finally:
            monitoring.free_tool_id(3)

    def test_name_of_a_tool(self):
        monitoring = sys.monitoring
        self.pair = [["".join(["old", " tool"]), "".join(["new", " tool"])]]
        monitoring.use_tool_id(3, self.pair[0][0])
        try:
            with self.assertRaisesRegex(TypeError, "names.* must be str"):
                gc.remap([(self.old, None)])
            self.assertIs(monitoring.get_tool(3), self.old)
            self.remap(1)
            self.assertIs(monitoring.get_tool(3), self.new)
        finally:
            monitoring.free_tool_id(3)

    def test_lists_of_the_collector(self):
        for name in "garbage", "callbacks":
            with self.subTest(name=name):
                seen = []
                replacement = []
                if name == "callbacks":
                    replacement.append(lambda phase, info: seen.append(phase))
                self.pair = [[getattr(gc, name), replacement]]
                del replacement
                self.remap(2)
                try:
                    self.assertIs(getattr(gc, name), self.new)
                    gc.collect()
                    self.assertEqual(
                        seen, ["start", "stop"] * (name == "callbacks"))
                finally:
                    self.pair[0].reverse()
                    self.remap(2)

    def test_lists_of_the_collector_stay_lists(self):
        pair = [[gc.callbacks, (1, 2)]]
        result = gc.remap(pair)
        try:
            self.assertEqual(result.holders,
                             (("callbacks of the interpreter",),))
            gc.collect()
        finally:
            gc.callbacks = pair[0][0]

    def test_warning_filters(self):
        self.pair = [[_warnings.filters, list(warnings.filters)]]
        self.assertEqual(gc.remap(self.pair).left_behind, (0,))
        try:
            self.assertIs(warnings.filters, self.new)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                warnings.warn("something")
            self.assertEqual(len(caught), 1)
        finally:
            self.pair[0].reverse()
            gc.remap(self.pair)

    def test_registry_of_warnings(self):
        self.pair = [[_warnings._onceregistry, {}]]
        self.assertEqual(gc.remap(self.pair).left_behind, (0,))
        try:
            self.assertIs(_warnings._onceregistry, self.new)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("once")
                for _ in range(3):
                    warnings.warn("something")
            self.assertEqual(len(caught), 1)
        finally:
            self.pair[0].reverse()
            gc.remap(self.pair)

    def test_builtins_and_sys(self):
        # The modules themselves.  Names are looked up in their dicts, which stay.
        for name in "builtins", "sys":
            with self.subTest(name=name):
                out = run_script(self, f'''
                    import builtins, gc, sys, types
                    new = types.ModuleType("{name}")
                    vars(new).update(vars({name}))
                    pair = [[{name}, new]]
                    del new
                    gc.remap(pair)
                    print({name} is pair[0][1],
                          pair[0][1] is __import__("sys").modules["{name}"])
                    try:
                        gc.remap([(vars(pair[0][0]), {{}})])
                    except TypeError as error:
                        print(error.field)
                    import colorsys
                    print(len([1]), colorsys.__name__)
                    ''')
                self.assertEqual(out.splitlines(),
                                 ["True True", "md_dict", "1 colorsys"])

    def test_lists_of_the_import_machinery(self):
        out = run_script(self, '''
            import gc, sys
            class Finder:
                @staticmethod
                def find_spec(name, path=None, target=None):
                    found.append(name)
            found = []
            names = "meta_path", "path_hooks", "path_importer_cache", "path"
            pairs = [[getattr(sys, name), getattr(sys, name).copy()]
                     for name in names]
            pairs[0][1].insert(0, Finder)
            result = gc.remap(pairs)
            print(result.left_behind,
                  [getattr(sys, n) is p[1] for n, p in zip(names, pairs)])
            import colorsys
            print(found)
            ''')
        self.assertEqual(out.splitlines(), ["(0, 0, 0, 0) [True, True, True, True]",
                                            "['colorsys']"])

    def test_module_table(self):
        # Importing uses it, and not what sys.modules is.
        out = run_script(self, """
            import gc, sys
            table = dict(sys.modules)
            result = gc.remap([(sys.modules, table)])
            print(result.left_behind, sys.modules is table)
            import colorsys
            print("colorsys" in table, len(table) == len(sys.modules))
            """)
        self.assertEqual(out, "(0,) True\nTrue True\n")

    def test_module_table_stays_a_dict(self):
        out = run_script(self, """
            import gc, sys
            pair = [[sys.modules, 5]]
            print(gc.remap(pair).holders)
            sys.modules = pair[0][0]
            import colorsys
            print(colorsys.__name__)
            """)
        self.assertEqual(out, "(('modules of the interpreter',),)\ncolorsys\n")

    def test_import_function(self):
        # __import__ in builtins is replaced; what the interpreter compares it
        # with is not, or the replacement would never be called.
        out = run_script(self, """
            import builtins, gc, importlib
            def replacement(name, *args, **kwargs):
                print("import", name)
                return importlib.__import__(name, *args, **kwargs)
            gc.remap([(builtins.__import__, replacement)])
            import colorsys
            """)
        self.assertEqual(out.splitlines()[0], "import colorsys")

    def test_module_of_the_import_machinery(self):
        out = run_script(self, """
            import gc, sys, types
            import _frozen_importlib
            m = types.ModuleType("_frozen_importlib")
            vars(m).update(vars(_frozen_importlib))
            result = gc.remap([(_frozen_importlib, m)])
            import colorsys
            print(result.left_behind, colorsys.__name__)
            """)
        self.assertEqual(out, "(0,) colorsys\n")

    def test_modules_by_index(self):
        # C code finds the state of some modules by a number.
        out = run_script(self, """
            import gc, sys, types
            import readline
            for replacement in (types.ModuleType("m"), 5, None, [1]):
                pair = [[sys.modules["readline"], replacement]]
                gc.remap(pair)
                sys.modules["readline"] = pair[0][0]
            import readline
            try:
                readline.get_completer()
                readline.set_completer(len)
                readline.parse_and_bind("tab: complete")
            except (SystemError, ImportError):
                pass
            print("end")
            """)
        self.assertEqual(out, "end\n")

    def test_types_of_what_the_interpreter_makes(self):
        # C code trusts the layout of what it makes, and looks for the types.
        out = run_script(self, """
            import ast, gc
            class Group(BaseExceptionGroup, Exception): pass
            class Name(ast.expr): _fields = "id", "ctx"
            pairs = [(ExceptionGroup, Group), (ast.Name, Name)]
            print(gc.remap(pairs).left_behind)
            try:
                try:
                    raise ValueError
                except* ValueError as group:
                    print(type(group) is pairs[0][0])
            finally:
                tree = ast.parse("x", mode="eval")
                print(type(tree.body) is pairs[1][0])
            x = "found"
            print(eval(compile(tree, "", "eval")))
            try:
                gc.remap(pairs, strict=True)
            except RuntimeError as exc:
                print("refused")
            """)
        self.assertEqual(out, "(1, 1)\nTrue\nTrue\nfound\nrefused\n")

    def test_completer_of_readline(self):
        # A module that is initialized in one phase has no slots.
        out = run_script(self, '''
            import gc
            try:
                import readline
            except ImportError:
                print("1 True md_state of 'module'")
            else:
                old, new = [lambda *args: 1], [lambda *args: 2]
                readline.set_completer(old[0])
                pair = [[old[0], new[0]]]
                result = gc.remap(pair)
                print(*result.left_behind, readline.get_completer() is pair[0][0],
                      result.holders[0][0].partition(" object")[0])
            ''')
        self.assertEqual(out, "1 True md_state of 'module'\n")

    def test_search_function_of_codecs(self):
        def search(name):
            return codecs.lookup("utf-8") if name == "gcremapold" else None

        def replacement(name):
            return codecs.lookup("utf-8") if name == "gcremapnew" else None
        codecs.register(search)
        self.pair = [[search, replacement]]
        del search, replacement
        self.remap(1)
        try:
            self.assertEqual("x".encode("gcremapnew"), b"x")
            self.assertRaises(LookupError, "x".encode, "gcremapold")
        finally:
            codecs.unregister(self.new)

    def test_codec_that_was_looked_up(self):
        out = run_script(self, """
            import codecs, gc
            for name, other in ("cp1250", (1,)), ("cp1251", 5):
                gc.remap([(codecs.lookup(name), other)])
                try:
                    "x".encode(name)
                except TypeError as exc:
                    print(exc)
            gc.remap([(codecs.lookup("cp1252"), codecs.lookup("cp1253"))])
            print("\\u03b1".encode("cp1252"))
            """)
        self.assertEqual(out.splitlines(), [
            "the codec registered for 'cp1250' is not a 4-tuple",
            "the codec registered for 'cp1251' is not a 4-tuple",
            r"b'\xe1'"])

    def test_error_handler(self):
        codecs.register_error("test.gc_remap", self.old)
        self.remap(1)
        self.assertIs(codecs.lookup_error("test.gc_remap"), self.new)

    def test_atexit(self):
        out = run_script(self, """
            import atexit, gc
            class Thing:
                def __init__(self, name):
                    self.name = name
            old, new = Thing("old"), Thing("new")
            def first(*args, **kwargs):
                print("first", [x.name for x in args], kwargs)
            def second(*args, **kwargs):
                print("second", [x.name for x in args],
                      {k: v.name for k, v in kwargs.items()})
            atexit.register(first, old, new, word=old)
            result = gc.remap([(first, second), (old, new)], strict=True)
            print(result.left_behind)
            """)
        self.assertEqual(out.splitlines(), [
            "(0, 0)", "second ['new', 'new'] {'word': 'new'}"])

    def test_arguments_of_an_exit_function(self):
        # The tuple and the dict, which only atexit has.
        out = run_script(self, """
            import atexit, gc
            mark = []
            def show(*args, **kwargs):
                print(args, kwargs)
            atexit.register(show, mark, word=mark)
            pairs = []
            for x in gc.get_objects():
                if type(x) is tuple and x and x[0] is mark:
                    pairs.append((x, ("new", "args")))
                elif type(x) is dict and x.get("word") is mark:
                    pairs.append((x, {"other": 1}))
            del x
            result = gc.remap(pairs, strict=True)
            print(result.references)
            """)
        self.assertEqual(
            out, "2\n('new', 'args') {'other': 1}\n")

    def test_exit_function_that_remaps(self):
        out = run_script(self, """
            import atexit, gc
            def last(): print("last")
            def other(): print("other")
            def first(): gc.remap([(last, other), (first, other)])
            atexit.register(last)
            atexit.register(first)
            """)
        self.assertEqual(out, "other\n")

    def test_audit_hook(self):
        out = run_script(self, """
            import gc, sys
            def old(event, args):
                if event == "test":
                    print("old")
            def new(event, args):
                if event == "test":
                    print("new")
            sys.addaudithook(old)
            sys.audit("test")
            print(gc.remap([(old, new)], strict=True).left_behind)
            sys.audit("test")
            """)
        self.assertEqual(out.splitlines(), ["old", "(0,)", "new"])

    def test_fork_hooks(self):
        out = run_script(self, """
            import gc, os
            def old(): print("old", flush=True)
            def new(): print("new", flush=True)
            os.register_at_fork(before=old)
            print(gc.remap([(old, new)], strict=True).left_behind, flush=True)
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
            """)
        self.assertEqual(out.splitlines(), ["(0,)", "new"])

    def test_failure(self):
        class Bad:
            def __hash__(self):
                if fail:
                    raise ZeroDivisionError
                return 1
        fail = False
        table = {(Bad(), self.old): 1}
        before = signal.signal(signal.SIGUSR1, self.old)
        atexit.register(self.old)
        fail = True
        try:
            self.assertRaises(ZeroDivisionError, gc.remap, self.pair)
            self.assertIs(signal.getsignal(signal.SIGUSR1), self.old)
            fail = False
            self.remap(3)
        finally:
            signal.signal(signal.SIGUSR1, before)
            atexit.unregister(self.new)
        self.assertEqual(len(table), 1)

    def test_failure_after_the_table_has_moved(self):
        # The array of exit functions grows while the remap runs.
        out = run_script(self, """
            import atexit, gc
            class Bad:
                def __hash__(self):
                    if fail:
                        for _ in range(100):
                            atexit.register(int)
                        raise ZeroDivisionError
                    return 1
            def first(): print("first")
            def second(): print("second")
            fail = False
            table = {(Bad(), first): 1}
            atexit.register(first)
            fail = True
            try:
                gc.remap([(first, second)])
            except ZeroDivisionError:
                print("undone")
            """)
        self.assertEqual(out.splitlines(), ["undone", "first"])

    def test_type_that_can_be_sent(self):
        run_script(self, '''
            import gc
            import _interpreters
            from test.support.interpreters import queues

            class Queue:
                def __new__(cls, id, /):
                    self = super().__new__(cls)
                    self._id = id
                    return self

                def __hash__(self):
                    return hash(self._id)

                @property
                def id(self):
                    return self._id
            queue = queues.create()
            assert _interpreters.is_shareable(queue)
            old = queues.Queue
            [left] = gc.remap([(old, Queue)]).left_behind
            assert left > 0, left
            assert type(queue) is Queue is queues.Queue
            assert not _interpreters.is_shareable(queue)
            ''')

    def test_other_interpreters_stay_as_they_are(self):
        out = run_script(self, """
            import gc, signal
            import _interpreters as interpreters
            def old(*args): print("old")
            def new(*args): print("new")
            signal.signal(signal.SIGUSR1, old)
            other = interpreters.create()
            error = interpreters.exec(other, '''if True:
                import atexit, gc
                def old(): print("old of the other", flush=True)
                def new(): print("new of the other", flush=True)
                atexit.register(old)
                result = gc.remap([(old, new)])
                assert result.left_behind == (0,), result
                ''')
            assert error is None, error.formatted
            gc.remap([(old, new)])
            interpreters.destroy(other)
            signal.raise_signal(signal.SIGUSR1)
            """)
        self.assertEqual(out.splitlines(), ["new of the other", "new"])

    def test_builtin_types_of_another_interpreter(self):
        # Their subclasses and weak references are of each interpreter.
        out = run_script(self, """
            import gc, weakref
            import _interpreters as interpreters
            class A(int): pass
            other = interpreters.create()
            error = interpreters.exec(other, '''if True:
                import gc, weakref
                class A(int): pass
                class B(int): pass
                a, ref, pairs = A(3), weakref.ref(int), [(A, B)]
                del A, B
                result = gc.remap(pairs)
                assert result.left_behind == (0,), result
                assert type(a) is pairs[0][1]
                assert ref() is int
                classes = [c for c in int.__subclasses__()
                           if c.__module__ == "__main__"]
                assert classes == [pairs[0][0], pairs[0][1]], classes
                ''')
            assert error is None, error.formatted
            interpreters.destroy(other)
            print([c.__name__ for c in int.__subclasses__()
                   if c.__module__ == "__main__"], weakref.ref(int)() is int)
            """)
        self.assertEqual(out, "['A'] True\n")


class ThreadTests(RootTestCase):

    def test_trace_function(self):
        def old(frame, event, arg):
            return old

        def new(frame, event, arg):
            seen.append(event)
            return new

        def traced():
            result = gc.remap(pair)
            return result, sys.gettrace()
        seen = []
        pair = [[old, new]]
        before = sys.gettrace()
        sys.settrace(old)
        try:
            result, now = traced()
        finally:
            sys.settrace(before)
        self.assertEqual(result.left_behind, (0,))
        self.assertIs(now, pair[0][1])
        self.assertIn("line", seen)     # in a frame that the old one traced

    def test_profile_function(self):
        before = sys.getprofile()
        sys.setprofile(self.old)
        try:
            result = gc.remap(self.pair)
            now = sys.getprofile()
        finally:
            sys.setprofile(before)
        self.assertEqual(result.left_behind, (0,))
        self.assertIs(now, self.new)

    def test_profile_function_of_another_thread(self):
        ready, go = threading.Event(), threading.Event()
        seen = []

        def work():
            sys.setprofile(self.pair[0][0])
            ready.set()
            go.wait()
            seen.append(sys.getprofile())
            sys.setprofile(None)
        thread = threading.Thread(target=work)
        thread.start()
        ready.wait()
        result = gc.remap(self.pair)
        go.set()
        thread.join()
        # One is an argument that C code of the thread may be working with.
        self.assertLessEqual(result.left_behind[0], 1)
        self.assertIs(seen[0], self.new)

    def test_trace_function_written_in_C(self):
        # Its object is of a type that its C function knows.
        pair = [[[], (1, 2)]]
        _testcapi.settrace_to_record(pair[0][0])
        try:
            result = gc.remap(pair)
        finally:
            sys.settrace(None)
        self.assertEqual(result.left_behind, (1,))
        self.assertGreater(len(pair[0][0]), 2)

    def test_exception_that_waits_for_its_thread(self):
        import ctypes
        class Old(Exception): pass
        class New(Exception): pass
        ready, go = threading.Lock(), threading.Lock()
        ready.acquire()
        go.acquire()
        seen = []

        def work():
            try:
                ready.release()
                go.acquire()
                for _ in range(10**6):
                    pass
            except Exception as error:
                seen.append(type(error))
        thread = threading.Thread(target=work)
        thread.start()
        ready.acquire()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(Old))
        pairs = [(Old, New)]
        del Old
        gc.remap(pairs)
        go.release()
        thread.join()
        self.assertEqual(seen, [New])

    def test_hooks_of_asynchronous_generators(self):
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self.old, self.old)
        try:
            self.remap(2)
            self.assertEqual(sys.get_asyncgen_hooks(), (self.new, self.new))
        finally:
            sys.set_asyncgen_hooks(*before)

    def test_exception_being_handled(self):
        pair = [[ValueError("old"), ValueError("new")]]
        try:
            raise pair[0][0]
        except ValueError:
            gc.remap(pair)
            self.assertIs(sys.exception(), pair[0][1])
            try:
                raise KeyError
            except KeyError as error:
                self.assertIs(error.__context__, pair[0][1])
        self.assertIsNone(sys.exception())

    def test_exception_being_handled_in_another_thread(self):
        pair = [[ValueError("old"), ValueError("new")]]
        ready, go = threading.Event(), threading.Event()
        seen = []

        def run():
            try:
                raise pair[0][0]
            except ValueError:
                ready.set()
                go.wait()
                seen.append(sys.exception() is pair[0][1])
                try:
                    raise KeyError
                except KeyError as error:
                    seen.append(error.__context__ is pair[0][1])
        thread = threading.Thread(target=run)
        thread.start()
        ready.wait()
        gc.remap(pair)
        go.set()
        thread.join()
        self.assertEqual(seen, [True, True])

    def test_exception_being_handled_stays_an_exception(self):
        pair = [[ValueError("old"), 5]]
        try:
            raise pair[0][0]
        except ValueError:
            self.assertRaises(TypeError, gc.remap, pair)
            self.assertIs(sys.exception(), pair[0][0])


if __name__ == "__main__":
    main()
