"""A callback for Lightning: the model is checked with the first batch, before the first step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers.logger import DummyLogger, Logger
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature
from lightning_utilities.core.apply_func import apply_to_collection
from torch import nn

from fanin.api import diagnose
from fanin.errors import FaninError
from fanin.frameworks.torch.checking.losses import Comparison
from fanin.frameworks.torch.graph.exporting import tensors_of
from fanin.frameworks.torch.holding import held
from fanin.integrations.check import Check

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis
    from fanin.rules.finding import Severity

_TARGETS = ("y", "label", "labels", "label_ids", "target", "targets")


class HealthCheck(Callback):
    """Checks a LightningModule with its first training batch and the loss that its `training_step` returns.

    The first of a batch's tensors, or what is not called labels or targets in a mapping, is taken for the
    inputs. Nothing else changes: parameters, buffers, metrics, random states and what is logged are what they
    would be without it. A module that resumes training, or that optimizes by hand, is not checked.

    Args:
        fail_on: From which severity on a finding ends the run: "error", "warning", "info", or None for never.
        warn_on: From which severity on findings are told.
        **options: Of `fanin.diagnose`, such as `select` and `ignore`.

    Attributes:
        diagnosis: What was found, once it was looked for.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> quiet = dict(logger=False, enable_checkpointing=False, enable_model_summary=False)
        >>> trainer = Trainer(max_epochs=1, callbacks=[HealthCheck(fail_on="error")], **quiet)
    """

    def __init__(
        self, *, fail_on: Severity | None = None, warn_on: Severity | None = "warning", **options: Any
    ) -> None:
        self._check = Check(fail_on, warn_on, options)
        self.diagnosis: Diagnosis | None = None
        self._waits = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the first batch of a run that begins."""
        self._waits = trainer.global_step == 0
        self.diagnosis = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Check the module with the first batch."""
        if not self._waits:
            return
        self._waits, tell = False, trainer.is_global_zero
        if not pl_module.automatic_optimization:
            self._check.unchecked("Its training_step optimizes by itself.", tell=tell)
            return

        def look(**options: Any) -> Diagnosis:
            with held(pl_module), _unlogged(trainer, pl_module), _redirected(trainer, pl_module, batch):
                return diagnose(pl_module, inputs_of(batch), **options)

        self.diagnosis = self._check.run(look, tell=tell)


def inputs_of(batch: Any) -> Any:
    """Return the inputs of a batch.

    Args:
        batch: What a data loader yields.

    Example:
        >>> inputs_of(["x", "y"]), inputs_of({"pixels": "x", "labels": "y"})
        ('x', {'pixels': 'x'})
    """
    if isinstance(batch, Mapping):
        inputs = {name: value for name, value in batch.items() if name not in _TARGETS}
        return inputs or batch
    return inputs_of(batch[0]) if isinstance(batch, tuple | list) and batch else batch


@contextlib.contextmanager
def _unlogged(trainer: Trainer, module: LightningModule) -> Iterator[None]:
    """Keep what a step logs to itself; `held` puts the methods of the module back."""
    loggers = trainer.loggers
    silent: list[Logger] = [DummyLogger() for _ in loggers]
    module.log = lambda *args, **kwargs: None
    trainer.loggers = silent
    try:
        yield
    finally:
        trainer.loggers = loggers


@contextlib.contextmanager
def _redirected(trainer: Trainer, module: LightningModule, batch: Any) -> Iterator[None]:
    """Let a call of a module run its `training_step`, as Lightning's own strategies do; `held` puts it back.

    Args:
        trainer: Whose precision the step has.
        module: The module.
        batch: What the step takes.
    """
    step, forward = _eager(module, "training_step"), _eager(module, "forward")
    whole = _examples(inputs_of(batch))

    def call(*args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        part = _first(batch, whole, _examples([*args, *kwargs.values()]))
        numbered = is_param_in_hook_signature(step, "batch_idx", min_args=2)
        module.forward = forward  # which the step may call
        try:
            with trainer.precision_plugin.train_step_context(), Comparison() as seen, _Last(module) as last:
                result = step(part, 0) if numbered else step(part)
        finally:
            module.forward = call
        output = last.output if seen.found.output is None else seen.found.output
        return {"loss": _loss(result)} | ({} if output is None else {"output": output})

    module.forward = call
    yield


def _eager(module: LightningModule, name: str) -> Callable[..., Any]:
    """Return a method as it was written, even if it is compiled: what is compiled shows nothing."""
    return (module._compiler_ctx or {}).get(f"original_{name}") or getattr(module, name)


def _loss(result: Any) -> torch.Tensor:
    loss = result.get("loss") if isinstance(result, Mapping) else result
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        return loss
    raise FaninError(
        "training_step returns no loss for the first batch.",
        expected='a tensor that depends on the parameters, or a mapping with one as "loss"',
    )


def _examples(values: Any) -> int | None:
    """Return how many examples the first tensor has."""
    return next((one.shape[0] for one in tensors_of(values) if one.ndim), None)


def _first(batch: Any, whole: int | None, number: int | None) -> Any:
    """Return the first examples of a batch, in tensors of their own: a step may write into them.

    Args:
        batch: The batch.
        whole: How many examples it has.
        number: How many are wanted: fewer where memory is short.
    """

    def part(tensor: torch.Tensor) -> torch.Tensor:
        return tensor[:number].clone() if tensor.ndim and tensor.shape[0] == whole else tensor.clone()

    return apply_to_collection(batch, torch.Tensor, part)


class _Last:
    """Sees what the outermost call inside of a step returns last: what no known loss compares.

    Args:
        module: Whose step it is.
    """

    def __init__(self, module: nn.Module) -> None:
        self.output: torch.Tensor | None = None
        self._hooks = contextlib.ExitStack()
        self._watched = (module, *module.children())

    def __enter__(self) -> _Last:
        for one in self._watched:
            self._hooks.callback(one.register_forward_hook(self._take).remove)
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.close()

    def _take(self, module: nn.Module, args: Any, result: Any) -> None:
        for tensor in tensors_of(result):
            if tensor.is_floating_point() and tensor.ndim:
                self.output = tensor
                return
