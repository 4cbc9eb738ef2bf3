"""itertools and operator."""

import itertools
import operator
import warnings

from makers import Thing, maker


def things(count=6):
    return iter([Thing() for _ in range(count)])


@maker("itertools.batched")
def batched():
    return itertools.batched(things(), 2)


@maker("itertools.pairwise")
def pairwise():
    it = itertools.pairwise(things())
    next(it)
    return it


@maker("itertools.groupby")
def groupby():
    it = itertools.groupby(things(), Thing())
    next(it)
    return it


@maker("itertools._grouper")
def grouper():
    return next(itertools.groupby(things(), Thing()))[1]


@maker("itertools._tee")
def tee():
    it, = itertools.tee(things(), 1)
    next(it)
    return it


@maker("itertools._tee_dataobject")
def tee_dataobject():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make = type(tee().__reduce__()[2][0])
        link = make(things(), [Thing()], None)
        return make(things(), [Thing() for _ in range(57)], link)


@maker("itertools.cycle")
def cycle():
    it = itertools.cycle(things())
    next(it)
    return it


@maker("itertools.dropwhile")
def dropwhile():
    return itertools.dropwhile(Thing(), things())


@maker("itertools.takewhile")
def takewhile():
    return itertools.takewhile(Thing(), things())


@maker("itertools.islice")
def islice():
    return itertools.islice(things(), 5)


@maker("itertools.starmap")
def starmap():
    return itertools.starmap(Thing(), things())


@maker("itertools.chain")
def chain():
    it = itertools.chain(things(), things())
    next(it)
    return it


@maker("itertools.product")
def product():
    it = itertools.product(things(), things())
    next(it)
    return it


@maker("itertools.combinations")
def combinations():
    it = itertools.combinations(things(), 2)
    next(it)
    return it


@maker("itertools.combinations_with_replacement")
def combinations_with_replacement():
    it = itertools.combinations_with_replacement(things(), 2)
    next(it)
    return it


@maker("itertools.permutations")
def permutations():
    it = itertools.permutations(things(), 2)
    next(it)
    return it


@maker("itertools.accumulate")
def accumulate():
    it = itertools.accumulate(things(), Thing(), initial=Thing())
    return it


@maker("itertools.accumulate")
def accumulate_begun():
    it = itertools.accumulate(things(), Thing())
    next(it)
    next(it)
    return it


@maker("itertools.compress")
def compress():
    return itertools.compress(things(), things())


@maker("itertools.filterfalse")
def filterfalse():
    return itertools.filterfalse(Thing(), things())


@maker("itertools.count")
def count():
    return itertools.count(float("1e10"), float("2.5"))


@maker("itertools.count")
def count_fast():
    class One(int):
        pass
    return itertools.count(5, One(1))


@maker("itertools.repeat")
def repeat():
    return itertools.repeat(Thing())


@maker("itertools.zip_longest")
def zip_longest():
    it = itertools.zip_longest(things(), things(), fillvalue=Thing())
    next(it)
    return it


@maker("operator.itemgetter")
def itemgetter():
    return operator.itemgetter(Thing())


@maker("operator.itemgetter")
def itemgetter_index():
    return operator.itemgetter(int("1000"))


@maker("operator.itemgetter")
def itemgetter_several():
    return operator.itemgetter(Thing(), Thing())


@maker("operator.attrgetter")
def attrgetter():
    return operator.attrgetter("a.b", "c")


class Name(str):
    """Is not interned."""


@maker("operator.methodcaller")
def methodcaller():
    return operator.methodcaller(Name("method"), Thing(), Thing(), key=Thing())
