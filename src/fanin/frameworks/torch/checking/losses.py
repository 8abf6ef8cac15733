"""The loss: whose it is, what it compares the outputs with, and what a guess would have."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as f
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from fanin.errors import FaninError
from fanin.frameworks.torch.checking import units
from fanin.frameworks.torch.checking.endings import Ending
from fanin.frameworks.torch.checking.labels import Labels, labels_of
from fanin.rules.vitals import Loss, Target

_KINDS: dict[Any, tuple[Loss, bool]] = {
    f.cross_entropy: ("cross_entropy", True),
    f.nll_loss: ("cross_entropy", False),
    f.binary_cross_entropy_with_logits: ("binary_cross_entropy", True),
    f.binary_cross_entropy: ("binary_cross_entropy", False),
    f.mse_loss: ("mse", True),
    f.l1_loss: ("other", True),
    f.smooth_l1_loss: ("other", True),
    f.huber_loss: ("other", True),
}
"""Functions, what they are, and whether they take logits."""
_APPLIED: dict[Any, str] = {
    **dict.fromkeys((f.softmax, torch.softmax, torch.Tensor.softmax), "softmax"),
    **dict.fromkeys((f.log_softmax, torch.log_softmax, torch.Tensor.log_softmax), "log_softmax"),
    **dict.fromkeys((f.sigmoid, torch.sigmoid, torch.Tensor.sigmoid, f.logsigmoid), "sigmoid"),
}
"""Functions that make probabilities of logits, or their logarithms."""
_ORDER = ("cross_entropy", "binary_cross_entropy", "mse", "other")

NAMED: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": f.cross_entropy,
    "binary_cross_entropy": f.binary_cross_entropy_with_logits,
    "mse": f.mse_loss,
}
"""Losses by name, of logits."""


@dataclass
class Compared:
    """What a loss was seen to compare.

    Args:
        kind: What it is.
        logits: Whether it takes logits.
        output: What it was given.
        target: What that was compared with.
        weight: Of the classes, or of the positive ones.
        mean: Its mean over all that is compared, without weights, whatever the loss makes of that.
        labels: Of classes by their numbers.
    """

    kind: Loss = "other"
    logits: bool = True
    output: torch.Tensor | None = None
    target: torch.Tensor | None = None
    weight: torch.Tensor | None = None
    mean: float | None = None
    labels: Labels | None = None


class Comparison(TorchFunctionMode):
    """Sees which losses of PyTorch are called while the block runs, in the user's loss or in the model.

    Args:
        output: The model's; None while it runs.

    Attributes:
        applied: The function that makes probabilities of the output first of all.
    """

    def __init__(self, output: torch.Tensor | None = None) -> None:
        super().__init__()
        self._seen: list[Compared] = []
        self._output, self.applied = Ending(output), ""

    @property
    def found(self) -> Compared:
        """What was compared last."""
        return self._seen[-1] if self._seen else Compared()

    def of(self, output: torch.Tensor) -> Compared:
        """Return what compares an output, or else what came last: classes before numbers.

        Args:
            output: The model's.
        """
        same = [one for one in self._seen if one.output is not None and one.output.numel() == output.numel()]
        return min(same, key=lambda one: _ORDER.index(one.kind), default=self.found)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _KINDS and not _is_mapped((*args, *kwargs.values())):
            kind, logits = _KINDS[func]
            given = dict(zip(("input", "target"), args, strict=False)) | kwargs
            weight = given.get("pos_weight") if given.get("weight") is None else given["weight"]
            target = given.get("target")
            labels = labels_of(given) if kind == "cross_entropy" else None
            if labels is not None:
                args = tuple(labels.known if one is target else one for one in args)
                kwargs = {name: labels.known if one is target else one for name, one in kwargs.items()}
                given["target"] = labels.known
            result = func(*args, **kwargs)
            mean, output = _mean(func, given), given.get("input")
            self._seen.append(Compared(kind, logits, output, target, weight, mean, labels))
            return result
        result = func(*args, **kwargs)
        if self._output.value is not None and _crosses(args, result):
            output, target = sorted(args[:2], key=lambda one: not one.requires_grad)
            self._seen.append(Compared(output=output, target=target))
        if func in _APPLIED and self._output.makes(args[0] if args else kwargs.get("input")):
            self.applied = self.applied or _APPLIED[func]
        return result


def _crosses(args: tuple[Any, ...], result: Any) -> bool:
    """Return whether an operation takes each output with every target: (n, 1) with (n,).

    Who means to compare all with all gives both the same axes, or has outputs on both sides.
    """
    if len(args) < 2 or not all(isinstance(one, torch.Tensor) for one in (*args[:2], result)):
        return False
    one, other = args[:2]
    same = [size for size in one.shape if size > 1] == [size for size in other.shape if size > 1]
    larger = result.numel() > max(one.numel(), other.numel())
    return same and larger and one.ndim != other.ndim and one.requires_grad != other.requires_grad


def _is_mapped(given: tuple[Any, ...]) -> bool:
    """Return whether `torch.func` maps a loss over examples: one of them tells little."""
    return any(units.unwrapped(one) is not one for one in given)


def _mean(func: Callable[..., torch.Tensor], given: dict[str, Any]) -> float:
    """Return the mean of a loss whose sum may be taken, or some of which may weigh more."""
    kept = {name: given[name] for name in ("input", "target", "ignore_index") if name in given}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the loss itself has told
        return func(**kept).item()


def named(loss: str) -> Callable[..., torch.Tensor]:
    """Return a loss by its name.

    Raises:
        FaninError: There is none.
    """
    if loss not in NAMED:
        raise FaninError(
            f"There is no loss {loss!r}.",
            expected=f"one of {', '.join(NAMED)}, or a function (outputs, targets)",
        )
    return NAMED[loss]


def at_zero(loss: Callable[..., Any], outputs: Any, target: Any) -> float | None:
    """Return what a loss is where all outputs are 0; None where that is no number.

    Args:
        loss: A function of (outputs, targets), or of the outputs alone where there are no targets.
        outputs: A tensor, or tensors in tuples, lists and mappings.
        target: The targets.

    Example:
        >>> at_zero(lambda one, other: (one - other).abs().mean(), torch.ones(4), torch.full((4,), 3.0))
        3.0
    """
    with contextlib.suppress(Exception), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever a user's loss does with what it has not expected
        zeros = tree_map(lambda one: torch.zeros_like(one) if torch.is_floating_point(one) else one, outputs)
        found = loss(zeros) if target is None else loss(zeros, target)
        return found.mean().item()
    return None


def random_target(loss: str, output: torch.Tensor) -> torch.Tensor:
    """Return targets at random for a loss by name: classes, zeros and ones, or standard normal numbers."""
    if loss == "cross_entropy":
        shape = (output.shape[0], *output.shape[2:])
        return torch.randint(0, max(output.shape[1], 1), shape, device=output.device)
    if loss == "binary_cross_entropy":
        return torch.randint(0, 2, output.shape, device=output.device).to(output.dtype)
    return torch.randn(output.shape, device=output.device, dtype=output.dtype)


def fitting(loss: str, output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs and targets as a loss by name takes them: classes of tokens in one row."""
    if loss == "cross_entropy":
        if not target.is_floating_point() and output.ndim == target.ndim + 1 and output.ndim > 2:
            per_token = output.shape[:-1] == target.shape
            return (output.flatten(0, -2), target.flatten()) if per_token else (output, target.long())
        return output, target if target.is_floating_point() else target.long()
    return output, target.to(output.dtype).reshape(output.shape)


def target_of(compared: Compared) -> Target | None:
    """Return what targets are distributed by; None where no loss that is known was seen."""
    output, target = compared.output, compared.target
    if output is None or target is None:
        return None
    if compared.kind in ("mse", "other"):
        return _numbers(target.detach(), output)
    if compared.kind == "binary_cross_entropy":
        share = _share(target.detach().double(), compared.weight)
        entropy = -(torch.special.xlogy(share, share) + torch.special.xlogy(1 - share, 1 - share)).item()
        low, high = (one.item() for one in torch.aminmax(target.detach()))
        return Target(classes=2, entropy=entropy, low=low, high=high, constant=low == high)
    classes = output.shape[1] if output.ndim > 1 else output.shape[0]
    low, high = (0, 0) if compared.labels is None else compared.labels[:2]
    shares = _shares(target.detach(), classes)
    of_all = target.is_floating_point()
    return Target(
        classes=classes,
        entropy=_entropy(shares, compared.weight),
        low=low,
        high=high,
        constant=int(shares.count_nonzero()) == 1,
        empty=(target == 0).all(min(1, target.ndim - 1)).double().mean().item() if of_all else 0.0,
    )


def _numbers(target: torch.Tensor, output: torch.Tensor) -> Target:
    """Return what real targets are distributed by; of many, by what some at even distances are."""
    values = units.sampled(target).double()
    low, high = torch.quantile(values, torch.tensor([0.05, 0.95], dtype=values.dtype, device=values.device))
    return Target(
        variance=values.var(correction=0).item(),
        mean=values.mean().item(),
        low=low.item(),
        high=high.item(),
        broadcast=torch.broadcast_shapes(target.shape, output.shape) != output.shape,
        constant=bool((target == target.flatten()[:1]).all()),
    )


def _share(target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Return the share of the positive ones, which may weigh more."""
    positive = target if weight is None else target * weight
    return (positive.sum() / (positive + 1 - target).sum()).clamp(0, 1)


def _shares(target: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the share that each class has in the targets."""
    if target.is_floating_point():
        return target.double().movedim(1, -1).reshape(-1, classes).mean(0)
    kept = target[(target >= 0) & (target < classes)].flatten()
    return torch.bincount(kept, minlength=classes).double() / max(len(kept), 1)


def _entropy(share: torch.Tensor, weight: torch.Tensor | None) -> float:
    if weight is not None:
        share = share * weight / (share * weight).sum()
    return abs(torch.special.xlogy(share, share).sum().item())


def is_loss(value: Any) -> bool:
    """Return whether something may be a loss."""
    return value is None or isinstance(value, str | nn.Module) or callable(value)
