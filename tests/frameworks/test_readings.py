import numpy as np
import pytest

from fanin.frameworks.readings import LayerReading, Moments, Reading, averaged, measured, moments_of


def reading(q, gradient=None):
    back = None if gradient is None else Moments(0.0, gradient, 0.5)
    return Reading(
        (LayerReading("fc", "Linear", (4, 8), Moments(0.5 * q, q, 0.1), back),),
        (("fc.weight", (8, 8), 1.0, gradient),),
    )


def test_moments_by_hand():
    random = np.random.default_rng(0)
    x = random.normal(1.0, 2.0, size=(5, 3, 7))
    found = moments_of(x, 5)
    pairs = [np.mean(x[i] * x[j]) for i in range(5) for j in range(5) if i != j]
    assert found.mean == pytest.approx(x.mean())
    assert found.q == pytest.approx((x**2).mean())
    assert found.c == pytest.approx(np.mean(pairs) / (x**2).mean())


def test_the_batch_is_found_where_it_is():
    x = np.random.default_rng(0).normal(size=(4, 6, 5))
    assert moments_of(x.swapaxes(0, 1), 4).c == pytest.approx(moments_of(x, 4).c)
    assert moments_of(x.reshape(12, 2, 5), 4).c == pytest.approx(moments_of(x, 4).c)
    assert moments_of(x[:3], 4).c is None
    assert moments_of(x[:1], 1).c is None
    assert moments_of(np.zeros((2, 2)), 2) == Moments(0.0, 0.0)


def test_networks_make_means_with_errors():
    found = measured([reading(q, 2 * q) for q in (1.0, 2.0, 3.0)], model="m", inputs="", cotangent="")
    estimate = found["fc"].forward.q
    assert (estimate.value, estimate.chance) == (2.0, 1.0)
    assert estimate.error == pytest.approx(1 / np.sqrt(3))
    assert found["fc"].backward.q.value == 4.0
    assert found.parameters[0].gradient.value == 4.0
    assert found.source == "measured"


def test_one_network_has_no_known_error():
    found = measured([reading(2.0)], model="m", inputs="", cotangent="")
    assert (found["fc"].forward.q.error, found["fc"].forward.q.chance) == (0.0, 0.0)
    assert found["fc"].backward is None
    assert found.parameters[0].gradient is None


def test_batches_are_averaged():
    assert averaged([reading(1.0, 3.0), reading(3.0, 5.0)]).layers[0].gradient.q == 4.0
    assert averaged([reading(1.0), reading(3.0)]).layers[0].outputs.q == 2.0
