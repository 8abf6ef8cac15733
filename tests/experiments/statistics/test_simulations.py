"""Every claim, on studies with a known truth (`python -m benchmarks.claims` prints the figures)."""

import pytest

from simulations.claims import CLAIMS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.topic}: {claim.case}")
def test_a_claim_holds(claim):
    assert claim.low <= claim.measure() <= claim.high
