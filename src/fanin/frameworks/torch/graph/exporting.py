"""A module's operations, as `torch.export` finds them without running it."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from fanin.frameworks.torch.graph.failures import failure
from fanin.frameworks.torch.graph.functions import functions_marked
from fanin.frameworks.torch.graph.inputs import device_of
from fanin.frameworks.torch.graph.shapeless import with_shapes_found

PREFIX = "model"
"""Where the model stands in the module that is exported."""


class _Flat(nn.Module):
    """Calls a model and returns all tensors that it returns, wherever they are."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.more = without_cache(model)

    def forward(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        return tuple(tensors_of(self.model(*args, **{**self.more, **kwargs})))


def without_cache(model: nn.Module) -> dict[str, Any]:
    """Return the argument that leaves out Hugging Face's cache of keys and values."""
    cached = hasattr(model, "config") and "use_cache" in inspect.signature(model.forward).parameters
    return {"use_cache": False} if cached else {}


def tensors_of(result: Any) -> Iterator[torch.Tensor]:
    """Yield all tensors that a model returns, wherever they are."""
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, Mapping):
        for each in result.values():
            yield from tensors_of(each)
    elif isinstance(result, Sequence) and not isinstance(result, str):
        for each in result:
            yield from tensors_of(each)
    elif dataclasses.is_dataclass(result):
        for field in dataclasses.fields(result):
            yield from tensors_of(getattr(result, field.name))


def exported(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, train: bool
) -> torch.export.ExportedProgram:
    """Return the operations of a module's call, layers whole.

    Args:
        model: The module; it is neither run nor changed.
        args: What it is called with.
        kwargs: What it is called with by name.
        train: Whether it is called as in training.

    Raises:
        FaninError: It cannot be traced.
    """
    device = device_of(model)

    def export() -> torch.export.ExportedProgram:
        return torch.export.export(_Flat(model), args, dict(kwargs), strict=False)

    with _quiet(), in_mode(model, train), _layers_whole(), functions_marked(), torch.no_grad(), device:
        try:
            return export() if device.type == "meta" else with_shapes_found(export)
        except Exception as error:  # a trace fails in as many ways as there are models
            raise failure(model, error) from error


@contextlib.contextmanager
def in_mode(model: nn.Module, train: bool) -> Iterator[None]:
    """Put a module into training or evaluation, and each of its parts back into what it was."""
    before = {module: module.training for module in model.modules()}
    model.train(train)
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training


@contextlib.contextmanager
def _layers_whole() -> Iterator[None]:
    """Keep PyTorch from taking attention layers for one operation, which leaves nothing to see."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what `torch.export` warns of, and logs or prints before it raises it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.ExitStack() as quiet:
            quiet.enter_context(warnings.catch_warnings())
            quiet.enter_context(contextlib.redirect_stdout(io.StringIO()))
            quiet.enter_context(contextlib.redirect_stderr(io.StringIO()))
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
