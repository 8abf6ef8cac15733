"""Random values are what is claimed of them; `python -m benchmarks.streams` looks at many more."""

import pytest

from simulations.streams import CHECKS

# The values are the same at every run. The smallest of so many p-values is above this in 99 cases of 100.
LEAST = 0.01 / len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.topic}, {check.case}")
def test_chance_explains_what_was_found(check):
    assert check.p_value(300_000) > LEAST
