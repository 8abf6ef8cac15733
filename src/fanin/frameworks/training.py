"""What every framework's trainer is given and gives back; no framework is imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, eq=False)
class Data:
    """Arrays to train and to evaluate on.

    Args:
        x_train: Inputs, (examples, ...): an array, or a list or dict of arrays for several inputs.
        y_train: Targets, (examples, ...).
        x_test: Inputs to evaluate on after every epoch, or None.
        y_test: Their targets, or None.
        name: What to call the data in reports.
    """

    x_train: Any
    y_train: Any
    x_test: Any = None
    y_test: Any = None
    name: str = "data"


@dataclass(frozen=True, eq=False)
class Choice:
    """One of the schemes to compare.

    Args:
        label: What the user calls it, and what tables show.
        scheme: A fanin scheme, or an initializer object of the framework.
        key: What tells it from other choices in a store: the label, with a fingerprint where the
            label alone does not define it (an object or a function of the user's).
    """

    label: str
    scheme: Any
    key: str


@dataclass(frozen=True, eq=False)
class Factory:
    """The user's model builder.

    Args:
        call: The function.
        takes_initializer: Whether it wants the initializer; if not, its model is re-initialized.
        name: What to call it in reports.
    """

    call: Callable[..., Any]
    takes_initializer: bool
    name: str


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: everything but the model, its weights and the data.

    Args:
        epochs: Passes over the training data.
        batch_size: Examples a step; the last batch of an epoch may be shorter.
        optimizer: A name the framework knows ("adam"), or one of its optimizers; None for the one that
            the builder compiled the model with, or else Adam.
        loss: A name or one of the framework's losses; None for the model's own.
        metrics: Names or the framework's metrics; empty for the model's own.
        class_weight: Weight of the loss for each class, or None.
        default_loss: What the data suggest where neither the recipe nor the model has a loss.
        default_metrics: The metrics that go with it.
    """

    epochs: int = 10
    batch_size: int = 32
    optimizer: Any = None
    loss: Any = None
    metrics: tuple[Any, ...] = ()
    class_weight: Mapping[int, float] | None = None
    default_loss: Any = None
    default_metrics: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Run:
    """One finished training run: a scheme under a seed, and what came of it.

    Args:
        scheme: The key of its choice.
        seed: The run's seed.
        curves: One value an epoch for each logged quantity ("loss", "val_accuracy", ...); a quantity
            that overflowed is inf or nan, never dropped.
        seconds: Wall time of the run; runs trained together share their time equally.
        versions: Versions of the packages that trained it.
    """

    scheme: str
    seed: int
    curves: Mapping[str, tuple[float, ...]]
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)


class Trainer(Protocol):
    """Trains one builder under a recipe from many (scheme, seed) starts."""

    notes: list[str]
    """What the user should know about how the runs were made."""

    def train(self, todo: Sequence[tuple[Choice, int]]) -> Iterator[list[Run]]:
        """Yield finished runs, some at a time, for each (choice, seed) in todo."""
        ...
