"""A callback for Hugging Face's Trainer: the model is checked with the first batch, before the first step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from fanin.api import diagnose
from fanin.frameworks.torch.holding import held
from fanin.integrations.check import Check

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from fanin.rules.diagnosis import Diagnosis
    from fanin.rules.finding import Severity

_SCALES = ("num_items_in_batch",)
"""What the Trainer says besides the batch: it makes of a batch's loss its share of several."""


class HealthCheck(TrainerCallback):
    """Checks a model with the first batch that the Trainer gives it, and with the loss that it returns.

    The batch is taken when the Trainer calls the model with it, so no data are read twice, and a stream loses
    nothing. Parameters, buffers and random states are what they would be without the check. Training that is
    resumed is not checked. Where the Trainer keeps labels from the model (`label_smoothing_factor`,
    `compute_loss_func`), the gradients are of the model's outputs, with random weights.

    Args:
        fail_on: From which severity on a finding ends the run: "error", "warning", "info", or None for never.
        warn_on: From which severity on findings are told.
        **options: Of `fanin.diagnose`, such as `select` and `ignore`.

    Attributes:
        diagnosis: What was found, once it was looked for.

    Example:
        >>> callback = HealthCheck(fail_on="error", ignore=["OUT"])  # Trainer(..., callbacks=[callback])
        >>> callback.diagnosis is None
        True
    """

    def __init__(
        self, *, fail_on: Severity | None = None, warn_on: Severity | None = "warning", **options: Any
    ) -> None:
        self._check = Check(fail_on, warn_on, options)
        self.diagnosis: Diagnosis | None = None
        self._waits = self._tells = False
        self._hook: RemovableHandle | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Wait for the first step of a run that begins."""
        self._unhook()
        self.diagnosis, self._waits, self._tells = None, state.global_step == 0, state.is_world_process_zero

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Let the next call of the model be checked."""
        if self._waits:
            self._waits = False
            self._hook = kwargs["model"].register_forward_pre_hook(
                torch.compiler.disable(self._look), with_kwargs=True
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Say so if nothing was checked."""
        if self._hook is not None:
            self._unhook()
            self._check.unchecked("The first step did not call it.", tell=self._tells)

    def _look(self, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if not (model.training and torch.is_grad_enabled()):
            return  # what a step does besides training, such as generating text to learn from
        self._unhook()
        batch = _batch(model, args, kwargs)

        def look(**options: Any) -> Diagnosis:
            with held(model):
                return diagnose(model, batch, **options)

        self.diagnosis = self._check.run(look, tell=self._tells)

    def _unhook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
        self._hook = None


def _batch(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model is called with, by name, in tensors of their own: a model may write into them."""
    named = dict(zip(inspect.signature(model.forward).parameters, args, strict=False)) | dict(kwargs)
    return {
        name: value.clone() if isinstance(value, torch.Tensor) else value
        for name, value in named.items()
        if name not in _SCALES
    }
