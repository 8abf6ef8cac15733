"""Axes of the units of products, however a layer writes them."""

import keras
import numpy as np
import pytest

from fanin.frameworks import units
from fanin.frameworks.keras.checking.products import of_convolution, of_product

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(6, 5, 8)).astype("float32")
W = RANDOM.normal(size=(8, 3, 4)).astype("float32")
FLAT = W.reshape(8, 12)

PRODUCTS = [
    ("matmul", (X, FLAT), False),
    ("dot", (X, FLAT), False),
    ("matmul", (FLAT.T, X[0].T), True),
    ("einsum", ("btd,dhk->bthk", X, W), False),
    ("einsum", ("...d,dk->...k", X, FLAT), False),
    ("einsum", ("hdk,btd->bthk", np.swapaxes(W, 0, 1), X), True),
    ("tensordot", (X, W, 1), False),
    ("tensordot", (X, W, [[2], [0]]), False),
    ("tensordot", (np.moveaxis(W, 0, 2), X, [[2], [2]]), True),
]


@pytest.mark.parametrize(("name", "args", "first"), PRODUCTS)
def test_units_of_a_result_are_those_of_the_kernel(name, args, first):
    found = of_product(name, args, {}, first=first)
    result = keras.ops.convert_to_numpy(getattr(keras.ops, name)(*args))
    rows = units.by_unit(result, found.axes)
    kernel = units.by_unit(np.asarray(found.kernel), found.kernel_axes)
    read = np.asarray(found.read)
    # A unit is the inputs times its own row of the kernel.
    flat = read.T if name == "matmul" and first else read.reshape(-1, 8)
    for row, weights in zip(rows, kernel, strict=True):
        assert np.allclose(np.sort(row), np.sort(flat @ weights), atol=1e-4)


def test_no_products():
    assert of_product("einsum", ("bd,bd->b", X[:, 0], X[:, 0]), {}, first=False) is None
    assert of_product("einsum", ("b->b", X[:, 0, 0]), {}, first=False) is None
    assert of_product("tensordot", (X, RANDOM.normal(size=(5, 8)), 2), {}, first=False) is None


@pytest.mark.parametrize(
    ("given", "axes"), [("channels_first", (1,)), ("channels_last", (-1,)), (None, (-1,))]
)
def test_convolutions(given, axes):
    found = of_convolution("conv", (X, W), {"data_format": given})
    assert (found.axes, found.kernel_axes) == (axes, (-1,))
    assert of_convolution("conv", (X, W, 1, "same", given), {}).axes == axes
    assert of_convolution("conv_transpose", (X, W), {}).kernel_axes == (-2,)
    assert of_convolution("depthwise_conv", (X, W), {}).kernel_axes == (-2, -1)
    assert of_convolution("separable_conv", (X, W, FLAT), {}).kernel is FLAT
