"""Built-in data: small real tables and the original study's own, with the loss that fits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin.errors import FaninError, missing_extra, nearest
from fanin.frameworks.training import Data

TASKS = ("seed", "digits", "breast_cancer", "wine", "iris", "diabetes")


@dataclass(frozen=True, eq=False)
class Task:
    """Data with what it takes to learn them.

    Args:
        data: Arrays, split 80 to 20, standardized by the training part.
        loss: The natural loss.
        metrics: The natural metrics.
        inputs: Number of features.
        outputs: Number of output units.
        activation: The output's activation, or None.
    """

    data: Data
    loss: str
    metrics: tuple[str, ...]
    inputs: int
    outputs: int
    activation: str | None


def load_task(name: str) -> Task:
    """Return a built-in task.

    "seed" is the original study's: make_classification(1000, 20, n_informative=10). The others are
    scikit-learn's own tables; classes are split in proportion, and the targets of "diabetes" are
    standardized too, so that its losses are shares of their variance.

    Args:
        name: seed, digits, breast_cancer, wine, iris or diabetes.

    Raises:
        FaninError: There is no such task, or scikit-learn is not installed.
    """
    if name not in TASKS:
        near = nearest(name, TASKS)
        raise FaninError(
            f"There is no built-in data {name!r}.",
            expected=f"{', '.join(TASKS)}, or file.py:function",
            fix=f"did you mean {near}?" if near else "",
        )
    try:
        x, y = _table(name)
    except ImportError as error:
        raise missing_extra("scikit-learn", "data") from error
    data = _split(name, x, y)
    if name == "diabetes":
        return Task(data, "mse", ("mae",), x.shape[1], 1, None)
    classes = len(np.unique(y))
    if classes == 2:
        return Task(data, "binary_crossentropy", ("accuracy",), x.shape[1], 1, "sigmoid")
    return Task(data, "sparse_categorical_crossentropy", ("accuracy",), x.shape[1], classes, "softmax")


def _table(name: str) -> tuple[Any, Any]:
    import sklearn.datasets

    datasets: Any = sklearn.datasets  # its annotations cover every return there could be
    if name == "seed":
        return datasets.make_classification(
            n_samples=1000, n_features=20, n_informative=10, n_classes=2, random_state=42
        )
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def _split(name: str, x: Any, y: Any) -> Data:
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    # The original study does not stratify, and its data should be its own.
    classes = y if name not in ("seed", "diabetes") else None
    parts: Any = train_test_split(x, y, test_size=0.2, random_state=42, stratify=classes)
    x_train, x_test, y_train, y_test = parts
    scaler = StandardScaler().fit(x_train)
    if name == "diabetes":
        mean, sd = y_train.mean(), y_train.std()
        y_train, y_test = ((part - mean) / sd for part in (y_train, y_test))
    return Data(
        *(_plain(a) for a in (scaler.transform(x_train), y_train, scaler.transform(x_test), y_test)),
        name=name,
    )


def _plain(array: Any) -> np.ndarray:
    values = np.asarray(array)
    return values.astype(np.float32 if np.issubdtype(values.dtype, np.floating) else np.int32)
