"""What the C sources say: every use of the macros that visit a reference."""

import bisect
import dataclasses
import pathlib
import re
import sysconfig

FOLDERS = ("Modules", "Objects", "Python")
# Modules of CPython's own tests, examples, and other platforms.
NOT_BUILT = re.compile(
    r"Modules/(_test|xx|_winapi|overlapped|_io/winconsoleio|_ctypes/_ctypes_test"
    r"|_scproxy|_testcapi|_testinternalcapi)|Python/(optimizer)")

MACRO = re.compile(r"\bPy_VISIT_CHANGE(_TYPED|_CHECKED|_TYPE|)\(")
FUNCTION = re.compile(r"^(?:static (?:inline )?)?(?:int )?(\w+)\(", re.M)


def root():
    """The source folder that the running interpreter was built from."""
    return pathlib.Path(sysconfig.get_config_var("abs_srcdir")
                        or sysconfig.get_config_var("srcdir")).resolve()


@dataclasses.dataclass(frozen=True)
class Visit:
    """One use of a macro."""

    file: str           # relative to the source folder, with /
    first: int          # lines, from 1
    last: int
    function: str
    macro: str          # "", "_TYPED", "_CHECKED", "_TYPE"
    field: str          # the C expression, without blanks
    arguments: tuple

    @property
    def kind(self):
        """In the words of the coverage table."""
        if self.macro == "":
            return "open"
        if self.macro == "_TYPE":
            return "type"
        if self.macro == "_TYPED":
            if self.arguments[1].startswith("Py_TYPE("):
                return "the type of the present one"
            return self.arguments[1].lstrip("&")
        accept, says = self.arguments[2], self.arguments[3].strip('"')
        word = {"Py_ChangeKeep": "kept", "Py_ChangeRefuse": "refused",
                "Py_ChangeCallable": "callable",
                "Py_ChangeCallback": "callback",
                "Py_ChangeIterator": "iterator",
                "Py_ChangeExceptionClass": "exception class"}.get(accept)
        return word or f"checked: {says}"

    @property
    def name(self):
        """The last member of the expression."""
        if self.macro == "_TYPE":
            return "ob_type"
        return re.split(r"->|\.", self.field)[-1]


def squeeze(text):
    return re.sub(r"\s+", "", text)


def arguments(text, start):
    """The arguments of the call whose parenthesis opens before start, and
    where it ends."""
    depth, begin, found = 0, start, []
    for i in range(start, len(text)):
        c = text[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                found.append(text[begin:i].strip())
                return found, i
            depth -= 1
        elif c == "," and depth == 0:
            found.append(text[begin:i].strip())
            begin = i + 1
    raise ValueError("a call without an end")


def visits_of(path, name):
    text = path.read_text(encoding="utf-8")
    if "Py_VISIT_CHANGE" not in text:
        return
    lines = [0] + [m.end() for m in re.finditer("\n", text)]
    functions = [(m.start(), m[1]) for m in FUNCTION.finditer(text)
                 if m[1] not in ("if", "for", "while", "switch", "return")]
    starts = [start for start, _ in functions]
    for match in MACRO.finditer(text):
        first = bisect.bisect_right(lines, match.start())
        line = text[lines[first - 1]:].split("\n", 1)[0]
        before = text[lines[first - 1]:match.start()]
        if first > 1 and text[lines[first - 2]:lines[first - 1]] \
                .endswith("\\\n"):
            continue    # in the definition of another macro
        if line.lstrip().startswith("#define") or "//" in before \
                or before.lstrip().startswith("*") or "/*" in before:
            continue
        found, end = arguments(text, match.end())
        function = functions[bisect.bisect_right(starts, match.start()) - 1][1]
        field = found[1] if match[1] == "_CHECKED" else found[0]
        if match[1] == "_TYPE":
            field = "Py_TYPE"
        yield Visit(name, first, bisect.bisect_right(lines, end), function,
                    match[1], squeeze(field), tuple(found))


def all_visits():
    """Every Visit in the sources that are built on Linux."""
    base = root()
    found = []
    for folder in FOLDERS:
        for path in sorted((base / folder).rglob("*.[ch]")):
            name = path.relative_to(base).as_posix()
            if not NOT_BUILT.match(name):
                found += visits_of(path, name)
    return found


class Places:
    """From what a debug build says of a visit to the Visit."""

    def __init__(self, visits):
        self.by_line = {(v.file, line, v.field): v for v in visits
                        for line in range(v.first, v.last + 1)}

    def find(self, where):
        """The Visit of "file:line:expression", None if there is none."""
        file, line, field = where.split(":", 2)
        match = re.search(r"(?:^|/)((?:Modules|Objects|Python)/.*)$", file)
        if match is None:
            return None
        return self.by_line.get((match[1], int(line), squeeze(field)))
