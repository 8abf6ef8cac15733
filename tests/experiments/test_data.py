import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.experiments.arrays import as_array
from fanin.experiments.data import as_data, check_batch, data_sha256, leaves
from fanin.frameworks.training import Data

X = np.arange(12.0).reshape(6, 2)
Y = np.arange(6) % 2


@pytest.mark.parametrize(
    "given",
    [(X, Y, X[:2], Y[:2]), [X, Y, X[:2], Y[:2]], ((X, Y), (X[:2], Y[:2])), Data(X, Y, X[:2], Y[:2])],
)
def test_four_parts_come_in_several_forms(given):
    data = as_data(given)
    parts = (data.x_train, data.y_train, data.x_test, data.y_test)
    for found, wanted in zip(parts, (X, Y, X[:2], Y[:2]), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_two_parts_leave_nothing_to_evaluate_on():
    data = as_data((X, Y), name="mine")
    assert (data.x_test, data.y_test, data.name) == (None, None, "mine")


def test_several_inputs_keep_their_names_and_order():
    data = as_data(({"a": X, "b": X[:, :1]}, [Y, X], {"a": X[:1], "b": X[:1, :1]}, [Y[:1], X[:1]]))
    assert list(data.x_train) == ["a", "b"]
    assert [len(array) for array in leaves(data.y_test)] == [1, 1]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (X, "float32"),
        (X.astype("float16"), "float32"),
        ([[1, 2.5], [3, 4]], "float32"),
        (np.array([[True, 2.5], [0, np.float64(4)]], dtype=object), "float32"),
        (X.astype("uint8"), "uint8"),
        (Y.astype("int64"), "int64"),
        (Y == 1, "bool"),
    ],
)
def test_only_floating_point_numbers_change_their_type(value, dtype):
    array = as_array(value, "x")
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.asarray(value, float))


def test_tensors_of_torch_are_arrays():
    import torch

    assert as_array(torch.ones(3, 2, dtype=torch.float64), "x").dtype == "float32"
    with pytest.raises(FaninError, match="x is no array"):
        as_array(torch.ones(2, requires_grad=True), "x")


def test_integers_are_refused_where_32_bits_would_wrap_them():
    as_array(np.array([2**31 - 1, 1 - 2**31]), "x")
    for value in (2**31, -(2**31), 2**40):
        with pytest.raises(FaninError, match="more than 32 bits"):
            as_array(np.array([value]), "x")


def test_sparse_matrices_say_how_to_fill_them():
    from scipy import sparse

    with pytest.raises(FaninError) as error:
        as_array(sparse.eye(3), "x_train")
    assert error.value.fix == "x_train.toarray()"


@pytest.mark.parametrize("parts", [(None, Y), (X, None), (None, None), (X, Y, X, None), (X, Y, None, Y)])
def test_half_a_pair_is_refused(parts):
    with pytest.raises(FaninError, match=r"only one of x and y|no training data"):
        as_data(parts)


def test_inputs_of_other_names_are_refused():
    with pytest.raises(FaninError, match=r"in x_train and .* in x_test"):
        as_data(({"a": X}, Y, {"b": X}, Y))


def test_only_scikit_learns_order_is_called_so():
    with pytest.raises(FaninError) as swapped:
        as_data((X, X[:2], Y, Y[:2]))
    with pytest.raises(FaninError) as short:
        as_data((X, Y[:5], X[:2], Y[:2]))
    assert "train_test_split" in swapped.value.fix
    assert short.value.fix == ""
    assert short.value.what == "x_train has 6 examples, y_train has 5."


def test_a_batch_fits_the_data():
    check_batch(as_data((X, Y)), 6)
    with pytest.raises(FaninError) as error:
        check_batch(as_data((X, Y)), 7)
    assert error.value.fix == "--batch-size 6"


def test_the_hash_covers_every_byte_type_shape_and_name():
    base = as_data((X, Y, X, Y))
    other = X.copy()
    other[5, 1] += 1e-6 * other[5, 1]
    others = [
        as_data((other, Y, X, Y)),
        as_data((X, Y, other, Y)),
        as_data((X, Y.astype("int32"), X, Y)),
        as_data((X.reshape(6, 2, 1), Y, X.reshape(6, 2, 1), Y)),
        as_data((X, Y)),
        as_data(({"a": X}, Y, {"a": X}, Y)),
        as_data(({"b": X}, Y, {"b": X}, Y)),
    ]
    hashes = [data_sha256(data) for data in (base, *others)]
    assert len(set(hashes)) == len(hashes)
    assert data_sha256(as_data((np.asfortranarray(X), Y, X, Y), name="other")) == hashes[0]
