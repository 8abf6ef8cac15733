"""A test that a model is healthy at step 0; nothing heavy is imported before it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis
    from fanin.rules.finding import Severity


def assert_healthy(
    model: Any,
    batch_or_x: Any = None,
    y: Any = None,
    *,
    loss: Any = None,
    severity: Severity = "error",
    select: Sequence[str] = ("ALL",),
    ignore: Sequence[str] = (),
    **options: Any,
) -> Diagnosis:
    """Assert that `fanin.diagnose` finds nothing in a model that is as grave as `severity`.

    Args:
        model: As for `fanin.diagnose`: a model of any framework, or a function that makes one.
        batch_or_x: The inputs; or, with a loss and without `y`, a pair of inputs and targets, as data loaders
            yield it. Leave it out to describe the inputs: `inputs=(8, 20)`.
        y: The targets.
        loss: What is minimized, as for `fanin.diagnose`.
        severity: From which severity on a finding fails the test: "error", "warning" or "info".
        select: Codes of rules, beginnings of codes ("FWD"), or names.
        ignore: Those to leave out.
        **options: Of `fanin.diagnose`.

    Returns:
        What was found, which may be printed, or asserted more about.

    Raises:
        AssertionError: The model is not healthy; the message has each finding with its code, its layer, and
            what mends it.
        FaninError: The model cannot be checked.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        >>> assert_healthy(model, inputs=(32, 20), loss="cross_entropy").ok
        True
    """
    __tracebackhide__ = True
    from fanin.api import diagnose
    from fanin.integrations.summary import summary
    from fanin.rules.diagnosis import UnhealthyError

    x, y = _inputs_and_targets(batch_or_x, y, loss)
    found = diagnose(model, x, y, loss=loss, select=select, ignore=ignore, **options)
    try:
        found.raise_for(severity)
    except UnhealthyError:
        raise AssertionError(summary(found, severity)) from None
    return found


def _inputs_and_targets(x: Any, y: Any, loss: Any) -> tuple[Any, Any]:
    pair = loss is not None and y is None and isinstance(x, tuple | list) and len(x) == 2
    return tuple(x) if pair else (x, y)
