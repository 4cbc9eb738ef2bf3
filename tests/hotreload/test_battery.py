"""Every scenario of the battery, in a process of its own."""

import pytest
import run
import scenarios

import engines

_ALL = scenarios.load()


@pytest.mark.parametrize("name", _ALL)
def test_scenario(name):
    engine = engines.Hotreload()
    engine.prepare()
    result = run.run_forked(engine, _ALL[name])
    assert result["passed"], (result.get("error"), result.get("where", result["failure"]))
