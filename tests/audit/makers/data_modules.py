"""array, struct, json, csv, pickle, queue, random, datetime, zoneinfo, decimal
and the compressors and digests."""

import _json
import _pickle
import _queue
import _random
import _struct
import array
import binascii
import csv
import datetime
import decimal
import gc
import io
import pickle
import struct
import threading
import unicodedata
import zlib
import zoneinfo

import _bz2
import _lzma

from makers import Thing, maker, unfilled


def owned_bytes(text):
    return bytes(bytearray(text))


def fresh(text):
    """A string that is no constant of any code."""
    return "".join([text, text])


@maker("array.array")
def array_():
    return array.array("i", [1, 2, 3])


@maker("array.arrayiterator")
def array_iterator():
    return iter(array.array("i", [1, 2, 3]))


@maker("_struct.Struct")
def struct_():
    return struct.Struct(owned_bytes(b"<ii"))


@maker("_struct.unpack_iterator")
def struct_unpack_iterator():
    return struct.Struct("<i").iter_unpack(bytearray(8))


class Context:
    strict = True

    def __init__(self):
        self.object_hook = Thing()
        self.object_pairs_hook = Thing()
        self.parse_float = Thing()
        self.parse_int = Thing()
        self.parse_constant = Thing()


@maker("_json.Scanner")
def json_scanner():
    return _json.make_scanner(Context())


@maker("_json.Encoder")
def json_encoder():
    return _json.make_encoder({}, Thing(), Thing(), fresh("  "), fresh(": "),
                              fresh(", "), False, False, True)


@maker("_csv.Dialect")
def csv_dialect():
    return csv.reader([], lineterminator=fresh("\r\n")).dialect


@maker("_csv.reader")
def csv_reader():
    reader = csv.reader(iter(["a,b\n", 5]))
    next(reader)
    try:
        next(reader)        # fails, and leaves the list of fields behind
    except csv.Error:
        pass
    return reader


@maker("_csv.writer")
def csv_writer():
    class File:
        write = Thing()
    return csv.writer(File())


class PicklerFile:
    def __init__(self):
        self.write = Thing()


class FullPickler(_pickle.Pickler):
    pass


@maker("makers.data_modules.FullPickler")
def pickler():
    made = FullPickler(PicklerFile(), 5, buffer_callback=Thing())
    made.dispatch_table = {}
    return made


@maker("_pickle.Pickler")
def pickler_with_memo():
    made = _pickle.Pickler(PicklerFile(), 5, buffer_callback=Thing())
    made.persistent_id = Thing()
    first, second = Thing(), Thing()
    made.memo = {id(first): (0, first), id(second): (1, second)}
    return made


@maker("_pickle.Pickler")
def pickler_in_fast_mode():
    made = _pickle.Pickler(PicklerFile(), 5)
    made.fast = True
    nested = []
    for _ in range(60):
        nested = [nested]
    made.dump(nested)
    return made


class Halt:
    """Something that waits in another thread until it is let go."""

    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()

    def start(self, work, *args):
        self.thread = threading.Thread(target=self.run, args=(work, *args),
                                       daemon=True)
        self.thread.start()
        self.reached.wait()

    def run(self, work, *args):
        try:
            work(*args)
        except Exception:
            pass
        finally:
            self.reached.set()

    def __del__(self):
        self.go_on.set()


class Halting:
    def __init__(self, go_on, reached):
        self.go_on, self.reached = go_on, reached

    def __reduce_ex__(self, protocol):
        self.reached.set()
        self.go_on.wait()
        return Thing, ()


class WorkingPickler(_pickle.Pickler):
    def reducer_override(self, obj):
        return NotImplemented

    def persistent_id(self, obj):
        return None


@maker("makers.data_modules.WorkingPickler", keep=True)
def pickler_at_work():
    """In the middle of dump(), in another thread that waits."""
    halt = Halt()
    made = WorkingPickler(PicklerFile(), 5)
    halt.start(made.dump, Halting(halt.go_on, halt.reached))
    return made, halt


@maker("_pickle.Unpickler", keep=True)
def unpickler_at_work():
    """In the middle of load(), in another thread that waits."""
    halt = Halt()
    go_on, reached = halt.go_on, halt.reached

    class File:
        def read(self, size=-1):
            data = file.read(size)
            if not data:
                reached.set()
                go_on.wait()
            return data

        def readline(self):
            return file.readline()

    # Objects that are memoized, and then nothing more: no STOP.
    file = io.BytesIO(pickle.dumps([Thing(), Thing()], 3)[:-1])
    made = _pickle.Unpickler(File())
    made.persistent_load = Thing()
    halt.start(made.load)
    return made, halt


@maker("_pickle.PicklerMemoProxy")
def pickler_memo_proxy():
    return pickler_with_memo().memo


class UnpicklerFile:
    def __init__(self):
        self.read = Thing()
        self.readline = Thing()
        self.readinto = Thing()
        self.peek = Thing()


@maker("_pickle.Unpickler")
def unpickler():
    made = _pickle.Unpickler(UnpicklerFile(), buffers=[Thing()])
    made.persistent_load = Thing()
    return made


@maker("_pickle.UnpicklerMemoProxy")
def unpickler_memo_proxy():
    return unpickler().memo


@maker("_queue.SimpleQueue")
def simple_queue():
    queue = _queue.SimpleQueue()
    for _ in range(6):
        queue.put(Thing())
    for _ in range(4):
        queue.get()
    for _ in range(5):
        queue.put(Thing())      # around the end of the buffer
    return queue


@maker("_random.Random")
def random():
    return _random.Random(1)


@maker("_bz2.BZ2Compressor")
def bz2_compressor():
    return _bz2.BZ2Compressor()


@maker("_bz2.BZ2Decompressor")
def bz2_decompressor():
    return _bz2.BZ2Decompressor()


@maker("_lzma.LZMACompressor")
def lzma_compressor():
    return _lzma.LZMACompressor()


@maker("_lzma.LZMADecompressor")
def lzma_decompressor():
    return _lzma.LZMADecompressor()


@maker("zlib.Compress")
def zlib_compress():
    return zlib.compressobj()


@maker("zlib.Decompress")
def zlib_decompress():
    return zlib.decompressobj(zdict=owned_bytes(b"dictionary"))


@maker("zlib._ZlibDecompressor")
def zlib_decompressor():
    return zlib._ZlibDecompressor()


@maker("datetime.IsoCalendarDate")
def iso_calendar_date():
    return datetime.date(2024, 5, 5).isocalendar()


@maker("datetime.timezone")
def timezone():
    return datetime.timezone(datetime.timedelta(hours=1), fresh("zone"))


@maker("datetime.datetime")
def datetime_():
    return datetime.datetime(2024, 5, 5, tzinfo=timezone())


@maker("datetime.time")
def time_():
    return datetime.time(1, 2, tzinfo=timezone())


@maker("datetime.date")
def date():
    return datetime.date(2024, 5, 5)


@maker("datetime.timedelta")
def timedelta():
    return datetime.timedelta(5)


@maker("datetime.tzinfo")
def tzinfo():
    return datetime.tzinfo()


def tz_file():
    """Version 1 of the format: one type of local time, no transitions."""
    return io.BytesIO(
        b"TZif" + b"\0" * 16 + struct.pack(">6l", 1, 1, 0, 0, 1, 4)
        + struct.pack(">lbb", 3600, 0, 0) + b"ABC\0" + b"\0" + b"\0")


@maker("zoneinfo.ZoneInfo")
def zone_info():
    return zoneinfo.ZoneInfo.from_file(tz_file(), key=Thing())


@maker("decimal.Decimal")
def decimal_():
    return decimal.Decimal("1.5")


@maker("decimal.Context")
def decimal_context():
    return decimal.Context()


@maker("abc.SignalDict", keep=True)
def decimal_signal_dict():
    context = decimal.Context()
    return context.flags, context


@maker("decimal.ContextManager")
def decimal_context_manager():
    with decimal.localcontext(decimal.Context()):   # the outer one
        return decimal.localcontext(decimal.Context())


@maker("unicodedata.UCD")
def unicodedata_ucd():
    return unicodedata.ucd_3_2_0


def digest_maker(name, make):
    def digest():
        return make()
    digest.__name__ = digest.__qualname__ = name
    value = make()
    maker(f"{type(value).__module__}.{type(value).__qualname__}")(digest)


def digests():
    import _blake2
    import _hashlib
    import _md5
    import _sha1
    import _sha2
    import _sha3
    digest_maker("md5", _md5.md5)
    digest_maker("sha1", _sha1.sha1)
    digest_maker("sha224", _sha2.sha224)
    digest_maker("sha256", _sha2.sha256)
    digest_maker("sha384", _sha2.sha384)
    digest_maker("sha512", _sha2.sha512)
    for kind in ("sha3_224", "sha3_256", "sha3_384", "sha3_512", "shake_128",
                 "shake_256"):
        digest_maker(kind, getattr(_sha3, kind))
    digest_maker("blake2b", _blake2.blake2b)
    digest_maker("blake2s", _blake2.blake2s)
    digest_maker("openssl_hash", _hashlib.openssl_sha256)
    digest_maker("openssl_xof", _hashlib.openssl_shake_128)
    digest_maker("openssl_hmac",
                 lambda: _hashlib.hmac_new(b"key", digestmod="sha256"))


digests()


array.array("i").__reduce_ex__(4)       # the module keeps what this imports


def fill_zone_cache():
    """The strong cache of the module _zoneinfo."""
    import _zoneinfo
    import tempfile
    import os
    name = f"Audit/{Thing.__name__}"
    tzpath = zoneinfo.TZPATH
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "Audit"))
        with open(os.path.join(folder, name), "wb") as file:
            file.write(tz_file().getvalue())
        zoneinfo.reset_tzpath([folder])
        try:
            zoneinfo.ZoneInfo(name)
        finally:
            zoneinfo.reset_tzpath(tzpath)


fill_zone_cache()

for field in ("tls_context_key", "cached_context"):
    unfilled("Modules/_decimal/_decimal.c", "decimal_traverse_change",
             f"state->{field}",
             "only where contexts are kept in the thread state")


@maker("_pickle.Pdata")
def unpickler_stack():
    return next(x for x in gc.get_referents(unpickler())
                if type(x).__name__ == "Pdata")


@maker("decimal.SignalDictMixin")
def decimal_signal_dict_mixin():
    return type(decimal.Context().flags).__mro__[1]()
