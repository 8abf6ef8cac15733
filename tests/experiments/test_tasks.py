import numpy as np
import pytest
from sklearn.datasets import load_digits, make_classification

from fanin.errors import FaninError
from fanin.experiments.tasks import TASKS, load_task

SIZES = {
    "seed": (1000, 20, 1),
    "digits": (1797, 64, 10),
    "breast_cancer": (569, 30, 1),
    "wine": (178, 13, 3),
    "iris": (150, 4, 3),
    "diabetes": (442, 10, 1),
}


def test_every_task_is_covered_here():
    assert set(SIZES) == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_split_standardized_and_fits_its_own_network(name):
    task = load_task(name)
    examples, features, outputs = SIZES[name]
    x, y = task.data.x_train, task.data.y_train
    assert len(x) + len(task.data.x_test) == examples
    assert len(task.data.x_test) == -(-examples // 5)
    assert x.shape[1] == task.inputs == features
    assert task.outputs == outputs
    assert (x.dtype, y.dtype) == ("float32", "float32" if name == "diabetes" else "int32")
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    assert set(np.round(x.std(0), 3)) <= {0.0, 1.0}  # some pixels of digits are never touched
    if name == "diabetes":
        assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=1e-5)
    else:
        assert set(task.data.y_test) == set(y) == set(range(max(outputs, 2)))


def test_the_seeds_data_are_the_original_ones():
    x, y = make_classification(n_samples=1000, n_features=20, n_informative=10, n_classes=2, random_state=42)
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    scaler = StandardScaler().fit(x_train)
    data = load_task("seed").data
    np.testing.assert_allclose(data.x_train, scaler.transform(x_train), rtol=1e-6)
    np.testing.assert_allclose(data.x_test, scaler.transform(x_test), rtol=1e-6)
    np.testing.assert_array_equal(data.y_train, y_train)
    np.testing.assert_array_equal(data.y_test, y_test)


def test_classes_are_split_in_proportion():
    _, labels = load_digits(return_X_y=True)
    data = load_task("digits").data
    assert np.abs(np.bincount(data.y_test) - np.bincount(labels) / 5).max() < 1


def test_an_unknown_task_offers_the_nearest():
    with pytest.raises(FaninError) as error:
        load_task("breast-cancer")
    assert "breast_cancer" in error.value.fix
    assert all(name in error.value.expected for name in TASKS)
