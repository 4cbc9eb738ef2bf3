"""Every scenario of the battery, in a process of its own."""

import pytest
import run
import scenarios

import engines

_ALL = scenarios.load()

# They need weak references to follow, the slot in typing.Generic, or that an
# instance that is made anew need not fit its new class itself.
_OPEN = {
    "classes/weak references to instances that are rebuilt",
    "classes/a generic class",
    "classes/a generic class of the new syntax",
    "classes/slots of two classes, one added",
    "data/a weak dictionary keyed by a class",
    "functions/weakly held function",
}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.xfail(strict=False)) if name in _OPEN else name
    for name in _ALL])
def test_scenario(name):
    engine = engines.Hotreload()
    engine.prepare()
    result = run.run_forked(engine, _ALL[name])
    assert result["passed"], (result.get("error"), result.get("where", result["failure"]))
