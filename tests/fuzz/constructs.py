"""Functions that have every instruction of the interpreter, with objects of their
own on the stack: what instructions.py runs."""

import contextlib
import types


class Context:
    def __enter__(self):
        return self

    def __exit__(self, *args):
        return True

    async def __aenter__(self):
        return [self]

    async def __aexit__(self, *args):
        return True


class Count:
    def __init__(self, n=3):
        self.n = n

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.n:
            raise StopAsyncIteration
        self.n -= 1
        return [self.n]


class Wait:
    def __await__(self):
        return [(yield (1, 2))]


class Point:
    __match_args__ = ("x", "y")

    def __init__(self, x=1, y=2):
        self.x, self.y = x, y

    def method(self, *args, **kwargs):
        return args, kwargs

    def __getitem__(self, index):
        return (index,)

    def __setitem__(self, index, value):
        self.item = index, value

    def __delitem__(self, index):
        del self.item

    def __iter__(self):
        return iter([(1,), (2,)])

    def keys(self):
        return ["a", "b"]


class Point3(Point):
    def __init__(self, *args):
        super().__init__(*args)
        self.parent = super().method([1], b=[2])


def take(*args, **kwargs):
    return args, kwargs


def run(coroutine, steps=20):
    try:
        for _ in range(steps):
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    finally:
        coroutine.close()


def calls():
    p, d = Point(x=[1], y=[2]), {"b": [3]}
    return (take(*[[1], (2,)], *p, **{"a": [1]}, **d), take([1], a=(1, [2])),
            take(1, *(x for x in ([1], [2]))), p.method([1], z=[()]),
            isinstance([1], list), len([1]), type([1]), str([1]), tuple([[1]]))


def functions():
    x = [1]

    def f(a=[1], *, b=[2], c: list[int] = ()) -> tuple:
        return a, b, c, x
    return f(), (lambda *a, y=(1, [x]): (a, y, x))(1, 2), f(*[[1]], b=2)


def closures():
    x, y = [1], (2,)

    def outer():
        nonlocal x
        x = [x, y]
        return lambda: [x, y, outer]
    result = outer()()
    del y
    return result, x


def classes():
    x = [1]

    class A(Point, metaclass=type):
        a: int = [1]
        b: list = ()
        y = x

        def f(self):
            return __class__, super().method(), x

    class B(A):
        __slots__ = ("q", "r")
    return A().f(), B(), [A, B], Point3([1], [2]).parent


def generics():
    def f[T: (int, str), *Ts, **P](a: T, *b: *Ts) -> T:
        return [a, T]

    class C[T](Point):
        def f(self) -> T:
            return T
    type X[T] = list[T] | dict[str, T]
    return (f([1]), C[int], X[int], X.__value__, f.__annotations__,
            f.__type_params__[0].__constraints__, C().f())


def unpacking():
    (a, b), *c, d = [[1], [2]], [3], [4], (5,)
    [e, [f, *g]] = [[1], ([1], [2], [3])]
    for (h, i), j in [(([1], [2]), [3])]:
        pass
    return a, b, c, d, e, f, g, h, i, j


def displays():
    a = [[1], *[[2]], *(3,)]
    b = (*a, *[1])
    c = {*[1], *b[2:]}
    d = {**{"a": [1]}, **{"b": []}, "c": ()}
    a[0:1] = [[5]]
    p = Point()
    p[[1]] = p[1:2:3], p[[1], (2,)], a[::1]
    del p[[1]], a[0:1]
    return a, b, c, d, p, f"{a}{b!r:>10}{(1, [2])}{3:{4}}", [1] < [2], [1] in [[1]]


def comprehensions():
    y = [[1]]
    return ([(x, y) for x in [[1], [2]] for _ in (x,)], {(x,): [x] for x in "ab"},
            {(x, y[0][0]) for x in "ab"}, list((a, y) for a in [[1], [2]]),
            [z := y for _ in [1]], z)


def operators():
    a = [1] + [2]
    a += [3]
    a *= 2
    return a, (1,) + (2, [1]), {1} | {2}, {"a": [1]} | {"b": [2]}, "%s %s" % ([1], (2,))


def matches():
    found = []
    for value in [{"a": [1], "b": [2], "c": 3}, [1, [2], 3], Point([1], [2]),
                  Point3([1], [3]), (1,), "x", {"k": {}}]:
        match value:
            case {"a": a, "b": [*b], **rest}:
                found.append((a, b, rest))
            case [1, [x], *z]:
                found.append((x, z))
            case Point3([a], [b]) | Point(x=[a], y=b):
                found.append([a, b])
            case (1,) | {"k": {}}:
                found.append([value])
            case _:
                found.append((value,))
    return found


def imports():
    import os.path as path
    from collections import OrderedDict as Ordered, deque
    return [path, Ordered, deque]


def exceptions():
    seen = []
    for error in (ValueError([1]), KeyError(()), OSError(1, "x")):
        try:
            raise error from TypeError([2])
        except (ValueError, KeyError) as e:
            seen.append([e, e.args])
        except OSError as e:
            seen.append((e,))
        finally:
            seen.append([1])
    return seen


def exception_groups():
    seen = []
    for error in (ExceptionGroup("a", [ValueError([1]), TypeError([2]), ExceptionGroup(
            "b", [KeyError(1)])]), ValueError([1])):
        try:
            try:
                raise error
            except* (ValueError, KeyError) as e:
                seen.append([e, e.args])
            except* TypeError as e:
                seen.append((e,))
                raise OSError([1])
        except BaseExceptionGroup as e:
            seen.append([e, e.exceptions])
    return seen


def contexts():
    seen = []
    with Context() as a, contextlib.nullcontext([1]) as b:
        seen.append((a, b))
        raise ValueError([1])
    for x in [[1], [2]]:
        with Context():
            return [seen, x]


def generators():
    def count(n):
        try:
            x = [n]
            while n:
                x = yield n, x
                n -= 1
            return [x]
        finally:
            x = [3]

    def both():
        return [(yield from count(3)), (yield from [[1], [2]])]
    seen = [*both()]
    for leave in (lambda g: g.throw(ValueError([1])), lambda g: g.close()):
        generator = both()
        next(generator)
        with contextlib.suppress(ValueError):
            leave(generator)
        seen.append(generator)
    return seen


def coroutines():
    @types.coroutine
    def old():
        return ((yield [1]),)

    async def numbers():
        for i in range(2):
            await Wait()
            yield [i]

    async def main():
        seen = [await Wait(), await old()]
        async for x in Count():
            seen.append((x,))
        async for x in numbers():
            seen.append([x])
        seen += [(y, [1]) async for y in Count() if y]
        async with Context() as a, Context():
            await Wait()
            raise ValueError([a])
        return seen
    return run(main())


def loops():
    seen = []
    for k, v in {"a": [1], "b": [2]}.items():
        seen.append((k, v))
    for a, b in zip([[1], [2]], ((3,), (4,))):
        seen += [(a, b)]
    for i, x in enumerate([[1]]):
        seen += [(i, x)]
    for source in Point(), {(1,), (2,)}, (y for y in [[1], [2]]), range(3), "ab":
        for x in source:
            seen.append([x])
    return seen


def attributes():
    p = Point([1])
    p.q, p.x = [2], (3,)
    seen = [p.q, p.x, p.method([1]), Point.method]
    del p.q
    try:
        return p.q
    except AttributeError as error:
        return [error, seen]


def executed():
    namespace = {}
    exec("a: int = [1]\nb: list = (a,)\nclass X:\n  c: str = [a]\n"
         "  def f(self): return [a]\nfrom os.path import *\nd = X().f()", namespace)
    return namespace["d"], namespace["__annotations__"]


def called_by_c():
    return (sorted([[3], [1], [2]], key=lambda x: [x, (x,)]),
            max([[1], [2]], key=lambda x: (x,)),
            list(map(lambda *a: [a], [[1]], ((2,),))))


ALL = [calls, functions, closures, classes, generics, unpacking, displays,
       comprehensions, operators, matches, imports, exceptions, exception_groups,
       contexts, generators, coroutines, loops, attributes, executed, called_by_c]
