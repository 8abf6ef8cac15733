import keras
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.frameworks.labels import check_labels, fits

BINARY, CLASSES = np.array([0, 1, 1, 0]), np.array([0, 1, 2, 0])
ONE_HOT, REAL = np.eye(3)[CLASSES], np.array([0.5, -1.0, 3.0, 2.0])
SEQUENCE = np.array([[0, 1, 2, 1, 0]] * 4)  # a class for each of five steps

GOOD = [
    (BINARY, "binary_crossentropy", (1,)),
    (BINARY[:, None], "binary_crossentropy", (1,)),
    (BINARY == 1, "bce", (1,)),
    (ONE_HOT, "binary_crossentropy", (3,)),  # several labels at once
    (BINARY / 2, keras.losses.BinaryCrossentropy(), (1,)),
    (CLASSES, "sparse_categorical_crossentropy", (3,)),
    (CLASSES[:, None], keras.losses.sparse_categorical_crossentropy, (3,)),
    (CLASSES.astype("float32"), "SparseCategoricalCrossentropy", (7,)),
    (SEQUENCE, "sparse_categorical_crossentropy", (5, 3)),
    (SEQUENCE, "sparse_categorical_crossentropy", (None, 3)),
    (SEQUENCE[..., None], "sparse_categorical_crossentropy", (5, 3)),
    (ONE_HOT, "categorical_crossentropy", (3,)),
    (ONE_HOT, "categorical_crossentropy", None),
    (REAL, "mse", (1,)),
    (REAL[:, None], "mse", (1,)),
    (ONE_HOT, "mean_absolute_error", (3,)),
    (CLASSES, "a_loss_of_mine", (5,)),
    (CLASSES, lambda y, p: y - p, (5,)),
    (CLASSES, None, (5,)),
]


@pytest.mark.parametrize(("y", "loss", "outputs"), GOOD)
def test_what_keras_trains_is_let_through(y, loss, outputs):
    check_labels(y, loss, outputs)


BAD = [
    (REAL, "binary_crossentropy", (1,), "labels from 0 to 1"),
    (2 * BINARY - 1, "bce", (1,), "map -1 to 0"),
    (CLASSES, "binary_crossentropy", None, "sparse_categorical_crossentropy"),
    (ONE_HOT, "binary_crossentropy", (1,), "3 units"),
    (BINARY, keras.losses.BinaryCrossentropy(), (2,), "1 unit,"),
    (CLASSES, "sparse_categorical_crossentropy", (2,), "3 units"),
    (CLASSES, keras.losses.SparseCategoricalCrossentropy(), (2,), "up to 2"),
    (SEQUENCE, "sparse_categorical_crossentropy", (5, 2), "up to 2"),
    (SEQUENCE, "sparse_categorical_crossentropy", (4, 3), "one shape"),
    (BINARY, "sparse_categorical_crossentropy", (1,), "--loss binary_crossentropy"),
    (ONE_HOT, "sparse_categorical_crossentropy", (3,), "--loss categorical_crossentropy"),
    (CLASSES - 1, "sparse_categorical_crossentropy", (3,), "number the classes from 0"),
    (CLASSES + 0.5, "sparse_categorical_crossentropy", (3,), "--loss mse"),
    (CLASSES, "categorical_crossentropy", (3,), "--loss sparse_categorical_crossentropy"),
    (ONE_HOT, "categorical_crossentropy", (4,), "3 units"),
    (ONE_HOT, "mse", (1,), "is 3 numbers"),  # Keras would broadcast
    (REAL, "huber", (4,), "gives 4 numbers"),  # and here too, in batches of 4
]


@pytest.mark.parametrize(("y", "loss", "outputs", "words"), BAD)
def test_what_keras_would_train_on_garbage_is_refused(y, loss, outputs, words):
    with pytest.raises(FaninError) as error:
        check_labels(y, loss, outputs)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((), (), True),
        ((), (1,), True),
        ((3,), (3, 1), True),
        ((3,), (None,), True),
        ((1,), (5,), False),
        ((3,), (), False),
        ((28, 28), (28, 28, 3), False),
    ],
)
def test_shapes_fit_up_to_one_last_axis(one, other, same):
    assert fits(one, other) == fits(other, one) == same
