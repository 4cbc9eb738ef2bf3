"""_io, sqlite3, re, xml, the CJK codecs."""

import _elementtree
import _io
import _multibytecodec
import _sre
import codecs
import io
import os
import pyexpat
import re
import sqlite3
import tempfile
import xml.etree.ElementTree as ET

from makers import Thing, maker, unfilled


def fresh(text):
    """An equal str or bytes that is nobody else's."""
    return text[:1] + text[1:]


def attributes(x):
    """Fills the __dict__ of a stream."""
    x.an_attribute = Thing()
    return x


def raw_file(content=b"one\ntwo\nthree\n" * 4, mode="w+"):
    descriptor, path = tempfile.mkstemp()
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.unlink(path)
    return io.FileIO(descriptor, mode)


# --- _io ---------------------------------------------------------------------

@maker("_io.FileIO")
def fileio():
    return attributes(raw_file())


@maker("_io._IOBase")
def iobase():
    return attributes(io.IOBase.__new__(_io._IOBase))


@maker("_io._RawIOBase")
def rawiobase():
    return attributes(_io._RawIOBase())


@maker("_io._BufferedIOBase")
def bufferediobase():
    return attributes(_io._BufferedIOBase())


@maker("_io._TextIOBase")
def textiobase():
    return attributes(_io._TextIOBase())


@maker("_io.BytesIO")
def bytesio():
    return attributes(io.BytesIO(fresh(b"some bytes")))


@maker("_io._BytesIOBuffer", keep=True)
def bytesiobuf():
    stream = bytesio()
    view = stream.getbuffer()
    return view.obj, view, stream


@maker("_io.StringIO")
def stringio():
    return attributes(io.StringIO("some\r\ntext", newline="\r\n"))


@maker("_io.StringIO")
def stringio_universal():
    return attributes(io.StringIO("some\ntext", newline=None))


@maker("_io.BufferedReader")
def reader():
    x = attributes(io.BufferedReader(raw_file()))
    x.read(3)
    return x


@maker("_io.BufferedWriter")
def writer():
    x = attributes(io.BufferedWriter(raw_file()))
    x.write(b"abc")
    return x


@maker("_io.BufferedRandom")
def random():
    return attributes(io.BufferedRandom(raw_file()))


@maker("_io.BufferedRWPair")
def rwpair():
    return attributes(io.BufferedRWPair(raw_file(), raw_file()))


@maker("_io.IncrementalNewlineDecoder")
def newline_decoder():
    decoder = codecs.getincrementaldecoder("utf-8")()
    return io.IncrementalNewlineDecoder(decoder, True, fresh("ignore"))


def text(encoding="utf-8", **options):
    return attributes(io.TextIOWrapper(
        io.BufferedRandom(raw_file()), fresh(encoding),
        fresh("backslashreplace"), **options))


@maker("_io.TextIOWrapper")
def textio_read():
    x = text(newline="\r\n")
    x.read(5)                       # decoded_chars, snapshot
    return x


@maker("_io.TextIOWrapper")
def textio_write():
    x = text("utf-7")               # a codec without an encodefunc
    x.write(fresh("some text"))
    x.write(fresh("more text"))     # pending_bytes
    return x


@maker("_io.TextIOWrapper")
def textio_write_str():
    x = text()
    x.write(fresh("some text"))     # pending_bytes
    return x


# --- sqlite3 -----------------------------------------------------------------

class Connection(sqlite3.Connection):
    """So that close() is not asked for: with a __del__."""

    def __del__(self):
        self.close()


@maker(__name__ + ".Connection")
def connection():
    x = sqlite3.connect(":memory:", factory=Connection)
    x.row_factory = Thing()
    x.text_factory = Thing()
    x.set_trace_callback(Thing())
    x.set_progress_handler(Thing(), 10_000)
    x.set_authorizer(lambda *args: sqlite3.SQLITE_OK)
    x.executescript("create table t (b)")
    return x


def plain_connection():
    return sqlite3.connect(":memory:", factory=Connection,
                           detect_types=sqlite3.PARSE_COLNAMES)


@maker("sqlite3.Cursor")
def cursor():
    x = plain_connection().execute('select ? as "a [atype]", 2 union select 3, 4',
                                   ("one",))
    x.row_factory = Thing()
    return x


@maker("sqlite3.Cursor")
def cursor_done():
    con = plain_connection()
    x = con.execute("create table t (a)")
    x.execute("insert into t values (1)")
    x.lastrowid
    return con.cursor().execute("select 1 where 0")


@maker("sqlite3.Row")
def row():
    con = plain_connection()
    con.row_factory = sqlite3.Row
    return con.execute("select 1 as a, 'two' as b").fetchone()


@maker("sqlite3.Blob")
def blob():
    con = plain_connection()
    con.execute("create table t (b)")
    con.execute("insert into t values (zeroblob(10))")
    return con.blobopen("t", "b", 1)


@maker("sqlite3.PrepareProtocol")
def prepare_protocol():
    return sqlite3.PrepareProtocol()


@maker("sqlite3.Statement")
def statement():
    return plain_connection()("select 1")


# --- re ----------------------------------------------------------------------

def fresh_pattern():
    re.purge()
    x = re.compile(fresh(r"(?P<first>a)(?P<second>b)"))
    if hasattr(x, "_fail_after"):   # in debug builds
        x._fail_after(1_000_000, Thing())
    return x


# The module imports re._compile_template() only now.
re.sub("(a)", r"\1", "a")


@maker("re.Pattern")
def pattern():
    return fresh_pattern()


@maker("re.Match")
def match():
    x = fresh_pattern().match(fresh("ab"))
    x.regs
    return x


@maker("_sre.SRE_Scanner")
def scanner():
    return fresh_pattern().scanner(fresh("ababab"))


@maker("_sre.SRE_Template")
def template():
    return _sre.template(fresh_pattern(), [fresh("one"), 1, fresh("two"), 2,
                                           fresh("three")])


# --- xml ---------------------------------------------------------------------

@maker("xml.etree.ElementTree.Element")
def element():
    x = ET.Element(fresh("tag"), {fresh("key"): fresh("value")})
    x.text = fresh("text")
    x.tail = fresh("tail")
    for i in range(6):
        ET.SubElement(x, fresh("child"))
    return x


@maker("xml.etree.ElementTree.Element")
def element_joined():
    """Text and tail in pieces, to be joined on demand."""
    builder = ET.TreeBuilder()
    builder.start("root", {})
    x = builder.start("tag", {"key": fresh("value")})
    builder.data(fresh("one"))
    builder.data(fresh("two"))
    builder.start("child", {})
    builder.end("child")
    builder.end("tag")
    builder.data(fresh("three"))
    builder.data(fresh("four"))
    builder.end("root")
    return x


@maker("_elementtree._element_iterator")
def element_iterator():
    x = ET.fromstring("<a><b><c/><d/></b><e/></a>").iter(fresh("c"))
    next(x)
    return x


@maker("_elementtree._element_iterator")
def element_iterator_new():
    return ET.fromstring("<a><b/></a>").iter(fresh("a"))


@maker("xml.etree.ElementTree.TreeBuilder")
def treebuilder():
    x = ET.TreeBuilder(element_factory=lambda tag, attrib: ET.Element(tag, attrib),
                       comment_factory=lambda text: ET.Comment(text),
                       pi_factory=lambda target, text: ET.PI(target, text))
    x.start("a", {})
    x.start("b", {})
    x.start("c", {})
    x.end("c")                      # last_for_tail, this, last
    x.data(fresh("text"))
    return x


class Events(list):
    pass


@maker("xml.etree.ElementTree.TreeBuilder", keep=True)
def treebuilder_events():
    builder = ET.TreeBuilder()
    parser = ET.XMLParser(target=builder)
    names = ("start", "end", "start-ns", "end-ns", "comment", "pi")
    parser._setevents(Events(), [fresh(name) for name in names])
    return builder, parser


class Target:
    """Handlers that are no bound methods of it, but objects of their own."""

    def __init__(self):
        for name in ("start_ns", "end_ns", "start", "data", "end", "comment",
                     "pi", "close", "doctype"):
            setattr(self, name, Thing())


@maker("xml.etree.ElementTree.XMLParser")
def xmlparser():
    x = ET.XMLParser(target=Target())
    x.entity[fresh("entity")] = fresh("value")
    x.feed("<a x='1'>text<b/>")
    return x


@maker("pyexpat.xmlparser")
def expat_parser():
    x = pyexpat.ParserCreate()
    for name in dir(x):
        if name.endswith("Handler"):
            setattr(x, name, Thing())
    return x


# --- the CJK codecs ----------------------------------------------------------

CODEC = codecs.lookup("euc-jp")


@maker("_multibytecodec.MultibyteCodec")
def multibyte_codec():
    import _codecs_jp
    return _codecs_jp.getcodec("shift_jis")


@maker("encodings.euc_jp.IncrementalEncoder")
def multibyte_encoder():
    return CODEC.incrementalencoder(fresh("xmlcharrefreplace"))


@maker("encodings.euc_jp.IncrementalDecoder")
def multibyte_decoder():
    return CODEC.incrementaldecoder(fresh("backslashreplace"))


@maker("encodings.euc_jp.StreamReader")
def multibyte_reader():
    return CODEC.streamreader(io.BytesIO(b"abc"), fresh("backslashreplace"))


@maker("encodings.euc_jp.StreamWriter")
def multibyte_writer():
    return CODEC.streamwriter(io.BytesIO(), fresh("xmlcharrefreplace"))


# not filled: winconsoleio.c: self->dict: Windows only
# not filled: _iomodule.c: state->PyWindowsConsoleIO_Type: Windows only


unfilled("Modules/_io/_iomodule.c", "iomodule_traverse_change",
         "state->PyWindowsConsoleIO_Type", "only on Windows")
