"""gc.remap() and io, sqlite3, re, xml, struct."""

import collections
import copy
import gc
import sys
import io
import os
import re
import sqlite3
import struct
import tempfile
import xml.etree.ElementTree as ET

import _struct

from support import Pairs, RemapTestCase, Thing, fresh_str, main, run_script


def raw_file(content=b"one\ntwo\nthree\n" * 4):
    descriptor, path = tempfile.mkstemp()
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.unlink(path)
    return io.FileIO(descriptor, "r+")


class RawWrapper(io.RawIOBase):

    def __init__(self, lines):
        self.lines = lines

    def readable(self):
        return True

    def readinto(self, b):
        line = self.lines.pop(0) if self.lines else b""
        b[:len(line)] = line
        return len(line)


class StreamTests(RemapTestCase):

    def test_raw_of_another_type(self):
        # The closed check must not take it for a FileIO.
        pairs = Pairs(raw_file(), RawWrapper([b"four\n"]))
        f = io.BufferedReader(pairs.old)
        self.remap(pairs)
        self.assertIs(f.raw, pairs.new)
        self.assertEqual(f.readline(), b"four\n")
        pairs.new.close()
        self.assertTrue(f.closed)
        with self.assertRaises(ValueError):
            f.readline()
        pairs.old.close()

    def test_raw_of_what_has_been_buffered(self):
        """The buffer has its place in the stream that it was read from."""
        old, new = raw_file(b"a" * 64), raw_file(b"0123456789" * 4)
        f = io.BufferedRandom(old)
        pairs = Pairs(old, new)
        del old, new
        self.assertEqual(f.read(4), b"aaaa")
        self.refused(pairs, TypeError, "must be the stream of what it has buff")
        f.seek(0)
        f.write(b"b")
        self.refused(pairs, TypeError, "must be the stream of what it has buff")
        f.flush()
        # With nothing in between it goes on where the new one stands.
        f.seek(0, io.SEEK_END)
        pairs.new.seek(30)
        self.remap(pairs)
        self.assertEqual(f.tell(), 30)
        f.write(b"written")
        self.assertEqual(f.tell(), 37)
        f.flush()
        self.assertEqual(pairs.new.tell(), 37)
        self.assertEqual(f.seek(28), 28)
        self.assertEqual(f.read(4), b"89wr")
        self.assertEqual(f.seek(-3, io.SEEK_CUR), 29)
        self.assertEqual(f.read(2), b"9w")
        f.close()
        pairs.old.close()

    def test_raw_below_text(self):
        # TextIOWrapper caches the FileIO.
        pairs = Pairs(raw_file(), RawWrapper([b"four\n"]))
        f = io.TextIOWrapper(io.BufferedReader(pairs.old), "utf-8")
        self.remap(pairs)
        self.assertEqual(f.readline(), "four\n")
        pairs.old.close()
        f.readline()
        pairs.new.close()
        with self.assertRaises(ValueError):
            f.readline()

    def test_buffer(self):
        pairs = Pairs(io.BufferedReader(raw_file(b"a\n")),
                      io.BufferedReader(raw_file(b"b\n")))
        f = io.TextIOWrapper(pairs.old, "utf-8")
        self.remap(pairs)
        pairs.old.close()
        self.assertEqual(f.read(), "b\n")
        pairs.new.close()
        with self.assertRaises(ValueError):
            f.read()

    def test_buffer_without_read1(self):
        class Buffer:
            closed = False
            def seekable(self):
                return False
            def read(self, n=-1):
                data, self.data = self.data, b""
                return data
            def readable(self):
                return True
            def flush(self):
                pass
            def close(self):
                self.closed = True
        pairs = Pairs(io.BytesIO(b"a\n"), Buffer())
        pairs.new.data = b"b\n"
        f = io.TextIOWrapper(pairs.old, "utf-8")
        self.assertTrue(f.seekable())
        self.remap(pairs)
        self.assertEqual(f.readline(), "b\n")
        with self.assertRaises(io.UnsupportedOperation):
            f.tell()
        f.close()

    def test_buffer_that_can_seek_when_text_has_been_decoded(self):
        class Pipe(io.BytesIO):
            def seekable(self):
                return False
        pairs = Pairs(Pipe(b"a\nb\nc\n"), io.BytesIO(b"d\n"))
        f = io.TextIOWrapper(pairs.old, "utf-8")
        self.assertEqual(f.readline(), "a\n")
        self.remap(pairs)
        # There is no position for what was decoded.
        self.assertTrue(f.seekable())
        self.assertRaises(OSError, f.tell)
        self.assertEqual([*f], ["b\n", "c\n", "d\n"])
        self.assertEqual(f.tell(), 2)

    def test_buffer_that_is_replaced_in_the_middle_of_a_read(self):
        class Buffer(io.BytesIO):
            def seekable(self):
                return self.can_seek

            def read1(self, size=-1):
                data = super().read1(size)
                if buffers:
                    gc.remap([(buffers.pop(), self.new)])
                return data
        for before in True, False:
            for after in True, False:
                with self.subTest(before=before, after=after):
                    old, new = Buffer(b"a\nb\n"), Buffer(b"c\n")
                    old.can_seek, new.can_seek = before, after
                    old.new = new
                    f = io.TextIOWrapper(old, "utf-8")
                    buffers = [old]
                    del old
                    self.assertEqual([f.readline() for _ in range(4)],
                                     ["a\n", "b\n", "c\n", ""])
                    self.assertIs(f.buffer, new)
                    del new.can_seek, f

    def test_swap_of_buffers(self):
        pairs = Pairs.swap(io.BytesIO(b"a\n"), io.BytesIO(b"b\n"))
        f = io.TextIOWrapper(pairs.old, "utf-8")
        g = io.TextIOWrapper(pairs.new, "utf-8")
        self.remap(pairs)
        self.assertEqual((f.read(), g.read()), ("b\n", "a\n"))

    def test_buffer_that_cannot_say(self):
        # An error of the repair puts everything back.
        pairs = Pairs(io.BufferedReader(raw_file(b"a\n")), Thing())
        f = io.TextIOWrapper(pairs.old, "utf-8")
        self.refused(pairs, AttributeError, "seekable")
        self.assertIs(f.buffer, pairs.old)
        self.assertEqual(f.read(), "a\n")
        f.close()

    def test_tell_after_another_buffer(self):
        pairs = Pairs(io.BytesIO(b"a\n" * 10), io.BytesIO(b"b\n"))
        f = io.TextIOWrapper(pairs.old, "utf-8")
        f.readline()
        self.remap(pairs)
        with self.assertRaises(OSError):
            f.tell()

    def test_snapshot(self):
        def open_file():
            data = bytes(bytearray(b"one\ntwo\n") * 10)   # no constant
            f = io.TextIOWrapper(io.BytesIO(data), "utf-8")
            f.readline()
            return f
        def chunk(f):
            [snapshot] = [x for x in gc.get_referents(f) if type(x) is tuple]
            return snapshot[1]
        for new in (12345, [1], b"", b"x", fresh_str("text"), b"y" * 1000):
            with self.subTest(new=new):
                f = open_file()
                gc.remap([(chunk(f), new)])
                try:
                    f.tell()
                except OSError:
                    pass
                self.assertEqual(f.readline(), "two\n")

    def test_pending_list(self):
        # Its items are joined by copying memory.
        for new in (12345, [1], b"x" * 10_000, b"x", "\xe9" * 15, Thing()):
            with self.subTest(new=new):
                target = io.BytesIO()
                f = io.TextIOWrapper(target, "utf-8")
                first, second = fresh_str("some text 1"), fresh_str("text 2")
                f.write(first)
                f.write(second)
                gc.remap([(second, new)])
                second = None
                with self.assertRaises((RuntimeError, TypeError)):
                    f.flush()
                f.write("more")
                f.flush()
                self.assertEqual(target.getvalue(), b"more")

    def test_encoder(self):
        import codecs
        # A function in C encodes in the place of one that it knows.
        target = io.BytesIO()
        f = io.TextIOWrapper(target, "ascii")
        [encoder] = [x for x in gc.get_referents(f)
                     if isinstance(x, codecs.IncrementalEncoder)]
        pairs = Pairs(encoder, type(encoder)("replace"))
        encoder = None
        self.remap(pairs, left_behind=(1,))
        pairs = Pairs(pairs.old, Thing())
        self.remap(pairs, left_behind=(1,))
        f.write("abc")
        self.assertRaises(UnicodeEncodeError, f.write, "\u20ac")
        f.flush()
        self.assertEqual(target.getvalue(), b"abc")

    def test_names_of_the_codecs(self):
        # The stream has codecs for these, and looks them up again.
        target = io.BytesIO()
        f = io.TextIOWrapper(target, fresh_str("utf-8"), fresh_str("replace"))
        for name, new in ("encoding", "latin-1"), ("errors", "strict"):
            pairs = Pairs(getattr(f, name), new)
            self.remap(pairs, left_behind=(1,))
            self.assertIs(getattr(f, name), pairs.old)
        f.write("\xe9\udc80")
        f.reconfigure(errors="ignore")
        f.write("\xe9\udc80")
        f.flush()
        self.assertEqual(target.getvalue(), b"\xc3\xa9?\xc3\xa9")

    def test_decoded(self):
        f = io.TextIOWrapper(io.BytesIO(b"one\ntwo\n"), "utf-8")
        f.readline()
        [text] = [x for x in gc.get_referents(f) if x == "one\ntwo\n"]
        pairs = Pairs(text, "short")
        text = None
        self.refused(pairs, TypeError, r"decoded_chars of .* must be")
        self.assertEqual(f.readline(), "two\n")

    def test_bytesio(self):
        # A stream copies what it is made from, if only when it must.
        pairs = Pairs(b"".join([b"one", b"two"]), b"four")
        f = io.BytesIO(pairs.old)
        self.remap(pairs, left_behind=(1,))
        self.assertEqual(f.getvalue(), b"onetwo")

    def test_exported(self):
        pairs = Pairs(io.BytesIO(b"one"), io.BytesIO(b"four"))
        view = pairs.old.getbuffer()
        self.remap(pairs, left_behind=(1,))
        view[0] = 65
        self.assertEqual(pairs.old.getvalue(), b"Ane")
        view.release()
        pairs.old.write(b"12345")

    def test_dict(self):
        f = io.StringIO()
        f.attribute = 1
        pairs = Pairs(f.__dict__, {"attribute": 2})
        self.refused(Pairs(f.__dict__, [1]), TypeError, r"dict of .* must be dict")
        if self.reached(pairs):
            self.assertEqual(f.attribute, 2)

    def test_pair(self):
        pairs = Pairs(io.BytesIO(b"a"), io.BytesIO(b"b"))
        f = io.BufferedRWPair(io.BytesIO(), io.BytesIO())
        self.assertEqual(f.read(), b"")
        readers = [x for x in gc.get_referents(f)
                   if type(x) is io.BufferedReader]
        gc.remap([(readers[0], 12345)])
        readers = None
        with self.assertRaises(AttributeError):
            f.read()


class DatabaseTests(RemapTestCase):

    def connection(self):
        con = sqlite3.connect(":memory:")
        self.addCleanup(con.close)
        return con

    def test_statement_in_the_cache(self):
        class Con(sqlite3.Connection):
            pass
        for other in ("int", "another statement", "of another connection"):
            with self.subTest(other=other):
                con = self.connection()
                con.execute("select 1").fetchone()
                def statement(con):
                    [cache] = [x for x in gc.get_referents(con)
                               if type(x).__name__ == "_lru_cache_wrapper"]
                    return cache("select 1")
                if other == "int":
                    new = 12345
                elif other == "another statement":
                    new = con("select 2")
                else:
                    new = self.connection()("select 3")
                gc.remap([(statement(con), new)])
                new = None
                self.assertIn(con.execute("select 1").fetchone(), [(1,), (2,)])

    def test_swap_of_connections(self):
        a, b = self.connection(), self.connection()
        for con, table in ((a, "a"), (b, "b")):
            con.execute(f"create table {table} (x)")
        pairs = Pairs.swap(a, b)
        gc.remap(pairs.list)
        a.execute("select * from b").fetchall()
        b.execute("select * from a").fetchall()
        with self.assertRaises(sqlite3.OperationalError):
            a.execute("select * from a")
        a = b = con = None

    def test_cursor_under_way(self):
        pairs = Pairs(self.connection(), self.connection())
        cur = pairs.old.execute("select 1 union select 2")
        gc.remap(pairs.list)
        self.assertEqual(cur.fetchall(), [(1,), (2,)])
        pairs.old.close()
        pairs.new.execute("select 1")

    def test_cursor_at_rest(self):
        pairs = Pairs(self.connection(), self.connection())
        pairs.new.execute("create table t (x)")
        cur = pairs.old.cursor()
        gc.remap(pairs.list)
        self.assertIs(cur.connection, pairs.new)
        cur.execute("select * from t")
        self.refused(Pairs(pairs.new, Thing()), TypeError, r"connection of .* must")
        cur.close()

    def test_blob(self):
        con = self.connection()
        con.execute("create table t (b)")
        con.execute("insert into t values (zeroblob(10))")
        # The connection closes what its weak references refer to.
        pairs = Pairs(con.blobopen("t", "b", 1), Thing())
        gc.remap(pairs.list)
        con.close()
        pairs.list.clear()

    def test_weak_references(self):
        con = self.connection()
        con.execute("create table t (b)")
        con.execute("insert into t values (zeroblob(10))")
        blob = con.blobopen("t", "b", 1)
        lists = [x for x in gc.get_referents(con) if type(x) is list]
        for items in lists:
            for item in list(items):
                gc.remap([(item, 12345)])
        item = items = lists = None
        for i in range(450):
            con.cursor().execute("select 1").fetchall()
        con.close()
        with self.assertRaises(sqlite3.ProgrammingError):
            blob.close()

    def test_row(self):
        for new in (12345, [1], (), (1,), "text", Thing()):
            with self.subTest(new=new):
                con = self.connection()
                con.row_factory = sqlite3.Row
                row = con.execute("select 1 as a, 2 as b").fetchone()
                description = [x for x in gc.get_referents(row)
                               if x != (1, 2) and type(x) is tuple][0]
                gc.remap([(description[0], new)])
                description = None
                for use in (lambda: row.keys(), lambda: row["b"],
                            lambda: row["c"], lambda: list(row),
                            lambda: hash(row)):
                    try:
                        use()
                    except (TypeError, IndexError):
                        pass

    def test_exceptions(self):
        # Connections borrow them.
        out = run_script(self, """
            import gc, sqlite3
            con = sqlite3.connect(":memory:")
            old = sqlite3.OperationalError
            class New(Exception): pass
            gc.remap([(old, New)])
            del old
            gc.collect()
            try:
                con.execute("nonsense")
            except Exception as e:
                print(type(e).__mro__[1].__name__)
            """)
        self.assertEqual(out, "DatabaseError\n")


class PatternTests(RemapTestCase):

    def test_pattern_of_a_match(self):
        pairs = Pairs(re.compile("(?P<a>x)(?P<b>y)"),
                      re.compile("(?P<a>x)(y)(?P<c>z)(?P<d>z)"))
        m = pairs.old.match("xy")
        gc.remap(pairs.list)
        self.assertIs(m.re, pairs.new)
        for use in (lambda: m["a"], lambda: m["d"], m.groupdict, m.groups,
                    lambda: m.lastgroup, lambda: m.expand(r"\4\3"),
                    lambda: m.expand(r"\g<d>"), lambda: repr(m)):
            try:
                use()
            except (IndexError, re.error):
                pass
        self.refused(Pairs(pairs.new, Thing()), TypeError, r"pattern of .* must be")
        re.purge()

    def test_source(self):
        pairs = Pairs(fresh_str("a(b)"), fresh_str("c(d)"))
        p = re.compile(pairs.old)
        re.purge()
        gc.remap(pairs.list)
        self.assertEqual(p.pattern, "a(b)")
        self.assertTrue(p.match("ab"))
        self.assertEqual(hash(p), hash(copy.copy(p)))

    def test_string(self):
        pairs = Pairs(fresh_str("abcdef"), fresh_str("xy"))
        m = re.match("a(b)(cde)", pairs.old)
        gc.remap(pairs.list)
        self.assertEqual(m.groups(), ("y", ""))
        gc.remap([(m.string, 12345)])
        with self.assertRaises(TypeError):
            m.groups()
        re.purge()

    def test_scanner(self):
        pairs = Pairs(re.compile("a(b)"), re.compile("(a)(b)" * 40))
        scanner = pairs.old.scanner("ab" * 100)
        gc.remap(pairs.list)
        self.assertIs(scanner.pattern, pairs.old)
        self.assertEqual(scanner.match().group(1), "b")
        self.assertEqual(scanner.search().group(1), "b")
        re.purge()

    def test_template(self):
        # Compiled templates are cached by a Python function.
        for new in (b"bytes", 12345, None):
            p = re.compile("(a)(b)")
            template = re._compile_template(p, r"one\1two\2")
            literal = [x for x in gc.get_referents(template) if x == "one"][0]
            if new is None:
                other = re._compile_template(re.compile("(a)" * 20),
                                             r"\1\20")
                gc.remap([(template, other)])
                literal = other = template = None
                with self.assertRaises(IndexError):
                    p.sub(r"one\1two\2", "ab")
            else:
                try:
                    gc.remap([(literal, new)])
                except (TypeError, ValueError):
                    pass
                literal = template = None
                self.assertEqual(p.sub(r"one\1two\2", "ab"), "oneatwob")
            re.purge()

    def test_groupindex(self):
        p = re.compile("(?P<a>x)")
        index = [x for x in gc.get_referents(p) if type(x) is dict][0]
        pairs = Pairs(index, [1])
        index = None
        self.refused(pairs, TypeError, r"groupindex of .* must be dict")
        names = [x for x in gc.get_referents(p)
                 if type(x) is tuple and x == (None, "a")][0]
        pairs = Pairs(names, "text")
        names = None
        self.refused(pairs, TypeError, r"indexgroup of .* must be tuple")
        re.purge()


class ElementTests(RemapTestCase):

    def test_children(self):
        pairs = Pairs(ET.Element("old"), ET.Element("new"))
        root = ET.Element("root")
        for i in range(3):
            root.append(pairs.old)
        self.remap(pairs)
        self.assertEqual([x.tag for x in root.iter()],
                         ["root", "new", "new", "new"])
        self.refused(Pairs(pairs.new, Thing()), TypeError, "must be an Element")
        self.refused(Pairs(pairs.new, ["x"]), TypeError, "must be an Element")

    def test_child_of_a_subclass(self):
        class Sub(ET.Element):
            pass
        pairs = Pairs(Sub("old"), ET.Element("new"))
        root = ET.Element("root")
        root.append(pairs.old)
        self.remap(pairs)
        self.assertIs(root[0], pairs.new)

    def joined(self):
        builder = ET.TreeBuilder()
        root = builder.start("root", {})
        builder.data(fresh_str("one"))
        builder.data(fresh_str("two"))
        builder.end("root")
        return root

    def test_joined_text(self):
        root = self.joined()
        [pieces] = [x for x in gc.get_referents(root) if type(x) is list]
        pairs = Pairs(pieces, ["three", "four"])
        pieces = None
        self.remap(pairs)
        self.assertEqual(root.text, "threefour")

    def test_joined_text_becomes_something_else(self):
        for new in (12345, Thing(), {}, (1, 2), [1, 2], fresh_str("text")):
            with self.subTest(new=new):
                root = self.joined()
                [pieces] = [x for x in gc.get_referents(root)
                            if type(x) is list]
                gc.remap([(pieces, new)])
                pieces = None
                if type(new) is list:
                    with self.assertRaises(TypeError):
                        root.text
                else:
                    self.assertIs(root.text, new)
                copy.copy(root)

    def test_text_of_the_user(self):
        root = ET.Element("root")
        pairs = Pairs(fresh_str("a"*3), ["one", "two"])
        root.text = root.tail = pairs.old
        self.remap(pairs)
        self.assertIs(root.text, pairs.new)
        self.assertIs(root.tail, pairs.new)

    def test_attrib(self):
        pairs = Pairs({"a": "1"}, {"b": "2"})
        root = ET.Element("root")
        root.attrib = pairs.old
        self.remap(pairs)
        self.assertEqual(root.get("b"), "2")
        self.refused(Pairs(pairs.new, [1]), TypeError, r"attrib of .* must be dict")

    def test_iterator(self):
        root = ET.fromstring("<a><b><c/><c/><c/></b><d/></a>")
        iterator = root.iter()
        next(iterator)
        next(iterator)
        next(iterator)
        pairs = Pairs(root[0], ET.fromstring("<x><y/></x>"))
        self.refused(Pairs(pairs.old, Thing()), TypeError, "an Element")
        gc.remap(pairs.list)
        self.assertEqual([x.tag for x in iterator], ["d"])

    def test_builder(self):
        builder = ET.TreeBuilder()
        builder.start("a", {})
        node = builder.start("b", {})
        pairs = Pairs(node, Thing())
        node = None
        self.refused(pairs, TypeError, "an Element")
        pairs = Pairs(pairs.old, ET.Element("new"))
        gc.remap(pairs.list)
        builder.data("text")
        builder.end("b")
        builder.end("a")
        self.assertEqual(ET.tostring(builder.close()),
                         b"<a><new>text</new></a>")

    def test_target(self):
        class Target:
            def start(self, tag, attrib):
                self.tag = tag
            def close(self):
                return self.tag
        # Not a TreeBuilder any more, and the other way round.
        pairs = Pairs(ET.TreeBuilder(), Thing())
        parser = ET.XMLParser(target=pairs.old)
        try:
            gc.remap(pairs.list)
        except TypeError:
            pass
        parser.feed("<a>text</a>")
        try:
            parser.close()
        except Exception:
            pass
        pairs = Pairs(Target(), ET.TreeBuilder())
        parser = ET.XMLParser(target=pairs.old)
        try:
            gc.remap(pairs.list)
        except TypeError:
            pass
        parser.feed("<a>text</a>")
        self.assertIsNotNone(parser.close())


class StructTests(RemapTestCase):

    def setUp(self):
        _struct._clearcache()
        self.addCleanup(_struct._clearcache)

    def cached(self, format):
        struct.calcsize(format)
        [cache] = [x for x in gc.get_referents(_struct) if type(x) is dict
                   and format in x]
        return cache[format]

    def test_cache(self):
        for new in (12345, [1], b"x", Thing()):
            with self.subTest(new=new):
                _struct._clearcache()
                gc.remap([(self.cached("<2h"), new)])
                self.assertEqual(struct.pack("<2h", 1, 2), b"\1\0\2\0")
                self.assertEqual(struct.unpack("<2h", b"\1\0\2\0"), (1, 2))
                self.assertEqual(struct.calcsize("<2h"), 4)

    def test_iterator(self):
        pairs = Pairs(struct.Struct("<2h"), struct.Struct("<i"))
        iterator = pairs.old.iter_unpack(b"\1\0\0\0" * 3)
        self.assertEqual(next(iterator), (1, 0))
        self.refused(Pairs(pairs.old, struct.Struct("<q")), TypeError,
                     r"so of .* must be a Struct of the same size")
        self.refused(Pairs(pairs.old, Thing()), TypeError, r"so of .* must be")
        gc.remap(pairs.list)
        self.assertEqual(list(iterator), [(1,), (1,)])


class RollbackTests(RemapTestCase):
    """What was in a field fits: it is put back without being asked for."""

    class Fails:
        armed = None

        def __hash__(self):
            if self.armed is not None:
                self.armed()
                1 / 0
            return 1

    def rolled_back(self, old, new, armed=lambda: None):
        key, fails = self.Fails(), self.Fails()
        table = {key: 1}
        fails.armed = armed
        pairs = [(old, new), (key, fails)]
        del old, new, key
        gc.collect()
        before = [sys.getrefcount(x) for x in pairs[0]]
        with self.assertRaises(ZeroDivisionError):
            gc.remap(pairs)
        fails.armed = None
        gc.collect()
        self.assertEqual([sys.getrefcount(x) for x in pairs[0]], before)
        self.assertEqual(list(table), [pairs[1][0]])

    def test_subclass_instance(self):
        class Sub(io.IncrementalNewlineDecoder):
            pass

        def decoder():
            return next(x for x in gc.get_referents(stream)
                        if isinstance(x, io.IncrementalNewlineDecoder))
        stream = io.StringIO(newline=None)
        self.rolled_back(decoder(), Sub(None, True))
        self.assertIs(type(decoder()), io.IncrementalNewlineDecoder)

    def test_field_that_would_keep_by_now(self):
        first, second = (sqlite3.connect(":memory:") for _ in "12")
        cursor = first.cursor()
        connections = [first, second]
        del first, second
        # A call with *connections is one of C code, for which both are kept.
        self.rolled_back(connections[0], connections[1],
                         lambda: cursor.execute("select 1 union select 2"))
        self.assertIs(cursor.connection, connections[0])
        cursor.close()
        for connection in connections:
            connection.close()


if __name__ == "__main__":
    main()
