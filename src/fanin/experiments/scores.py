"""What is asked of a study: which logged quantity ranks the runs, which way, against which control."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fanin.errors import FaninError, nearest
from fanin.experiments.question import Direction, Question, Score, Target

# Words in a metric's name that say which way it is better; the first that occurs decides.
_SMALLER = (
    "loss",
    "error",
    "mse",
    "mae",
    "mape",
    "msle",
    "rmse",
    "crossentropy",
    "hinge",
    "divergence",
    "poisson",
    "logcosh",
    "log_cosh",
)
_LARGER = (
    "acc",
    "auc",
    "precision",
    "recall",
    "f1",
    "fbeta",
    "r2",
    "iou",
    "sensitivity",
    "specificity",
    "true_",
    "pearson",
    "cosine",
    "concordance",
)


def direction(metric: str) -> Direction | None:
    """Return "max" or "min" for a metric's name, or None when the name does not tell.

    Example:
        >>> direction("val_accuracy"), direction("mean_squared_error"), direction("my_measure")
        ('max', 'min', None)
    """
    name = metric.lower()
    if any(word in name for word in _SMALLER) or "false_" in name:
        return "min"
    return "max" if any(word in name for word in _LARGER) else None


def default_score(logged: Sequence[str]) -> Score:
    """Return what ranks the runs when nobody says: the first metric on held-out data, or else the loss.

    Args:
        logged: Names of the logged quantities, as in `fit`'s history.

    Example:
        >>> default_score(["accuracy", "loss", "val_accuracy", "val_loss"])
        Score(metric='val_accuracy', direction='max')
    """
    held_out = [name for name in logged if name.startswith("val_")] or list(logged)
    metrics = [name for name in held_out if name.removeprefix("val_") != "loss" and direction(name)]
    best = metrics[0] if metrics else next(name for name in held_out if name.endswith("loss"))
    return Score(best, direction(best) or "min")


def as_score(text: str, logged: Sequence[str]) -> Score:
    """Return the score that a user names; "accuracy" means the held-out one where there is one.

    Args:
        text: A logged name, or "max:name" or "min:name" for a metric whose name does not tell the way.
        logged: Names of the logged quantities.

    Raises:
        FaninError: Nothing of that name is logged, or its direction is unknown.
    """
    way, _, name = text.rpartition(":")
    metric = logged_name(name, logged)
    best = way if way in ("max", "min") else direction(metric)
    if best is None:
        raise FaninError(f"Is a larger or a smaller {metric} better?", fix=f"max:{name} or min:{name}")
    return Score(metric, "max" if best == "max" else "min")


def as_target(text: str, logged: Sequence[str]) -> Target:
    """Return a target such as "loss=.3".

    Raises:
        FaninError: It is not name=value, or nothing of that name is logged.

    Example:
        >>> as_target("accuracy=.9", ["loss", "accuracy", "val_loss", "val_accuracy"])
        Target(metric='val_accuracy', value=0.9, direction='max')
    """
    name, _, value = text.partition("=")
    try:
        level = float(value)
    except ValueError:
        raise FaninError(
            f"The target {text!r} is not name=value.", expected="loss=.3 or accuracy=.9"
        ) from None
    score = as_score(name.strip(), logged)
    return Target(score.metric, level, score.direction)


def logged_name(name: str, logged: Iterable[str]) -> str:
    """Return the logged quantity that a name means: held-out before training; train_loss for the latter."""
    known = list(logged)
    for candidate in (f"val_{name}", name, name.removeprefix("train_")):
        if candidate in known:
            return candidate
    near = nearest(name, known)
    raise FaninError(
        f"{name!r} is not logged.",
        expected=f"one of {', '.join(known)}",
        fix=f"did you mean {near}?" if near else "",
    )


# Glorot's is what Keras itself would use, so it is the natural thing to beat.
_CONTROLS = ("glorot_uniform", "xavier_uniform", "glorot_normal", "xavier_normal")


def default_control(labels: Sequence[str]) -> str:
    """Return the scheme that the others are tested against when nobody says.

    Example:
        >>> default_control(["zeros", "he_normal", "glorot_normal"])
        'glorot_normal'
    """
    return next((name for name in _CONTROLS if name in labels), labels[0])


def ask(
    labels: Sequence[str],
    seeds: Sequence[int],
    logged: Sequence[str],
    *,
    score: str | None = None,
    target: str | None = None,
    control: str | None = None,
) -> Question:
    """Return what a study is asked, checked against what its runs will log.

    Args:
        labels: The schemes.
        seeds: The seeds.
        logged: Names of the logged quantities.
        score: See `as_score`.
        target: See `as_target`.
        control: One of the labels.

    Raises:
        FaninError: One of them does not exist.
    """
    if control is not None and control not in labels:
        raise FaninError(f"The control {control!r} is not compared.", expected=f"one of {', '.join(labels)}")
    return Question(
        schemes=tuple(labels),
        seeds=tuple(seeds),
        score=as_score(score, logged) if score else default_score(logged),
        control=control or default_control(labels),
        target=as_target(target, logged) if target else None,
    )
