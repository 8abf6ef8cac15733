import json
import math

import pytest

from fanin import FaninError
from profiles import blocks, broken, layer, mlp, profile, weight


def agreement(comparison, quantity):
    return next(row for row in comparison.agreement if row.quantity == quantity)


def test_equal_profiles_agree():
    found = mlp().compare(mlp(source="measured"))
    for quantity in ("forward.q", "backward.q", "gradient"):
        row = agreement(found, quantity)
        assert (row.ratio, row.worst) == (1.0, 1.0)
        assert row.within == 1.0
    assert agreement(found, "forward.q").step == 1.0
    assert found.missing == ()


def test_ratios_steps_and_sigmas_by_hand():
    one = profile([layer("a", 1.0, share=0.1), layer("b", 2.0, share=0.1), layer("c", 4.0, share=0.1)])
    other = profile([layer("a", 1.1), layer("b", 2.2), layer("c", 8.8)])
    found = one.compare(other)
    row = agreement(found, "forward.q")
    assert row.ratio == pytest.approx(1.1)
    assert row.worst == pytest.approx(2.2)
    assert row.worst_step == pytest.approx(2)
    assert row.where == "c"
    assert row.within == pytest.approx(2 / 3)
    differences = [d for d in found.differences if d.quantity == "forward.q"]
    assert [d.step for d in differences] == [None, pytest.approx(1), pytest.approx(2)]
    bar = math.hypot(0.1, 0.001, 0.0011)
    assert differences[0].sigmas == pytest.approx(0.1 / bar)


def test_a_deviation_that_nobody_knows_is_none():
    one, other = (profile([layer("a", q, share=0.0, c=0.0)]) for q in (1.0, 2.0))
    found = one.compare(other)
    assert agreement(found, "forward.q").within == 0.0  # its error is known
    assert agreement(found, "forward.mean").within is None


def test_what_only_one_knows_is_missing():
    found = broken().compare(profile([layer("first", 1.0), layer("more", 1.0)]))
    assert found.missing == ("lost", "last", "more")
    assert {d.name for d in found.differences} == {"first"}


def test_a_gradient_that_is_nothing_is_left_out():
    one = profile([layer("a", 1.0)], parameters=(weight("a.weight", 1e-2), weight("a.bias", 1e-30)))
    other = profile([layer("a", 1.0)], parameters=(weight("a.weight", 1e-2), weight("a.bias", 1e-15)))
    assert [d.name for d in one.compare(other).differences if d.quantity == "gradient"] == ["a.weight"]


def test_profiles_of_other_models_are_refused():
    with pytest.raises(FaninError, match="no layer in common"):
        mlp().compare(blocks())


def test_json_holds_both_and_what_parts_them():
    record = json.loads(mlp().compare(mlp(factor=0.6, source="measured")).to_json())
    assert (record["one"]["source"], record["other"]["source"]) == ("predicted", "measured")
    assert len(record["differences"]) == 7 * 5 + 4
    assert {row["quantity"] for row in record["agreement"]} == {
        "forward.q", "forward.mean", "forward.c", "backward.q", "backward.c", "gradient",
    }  # fmt: skip
