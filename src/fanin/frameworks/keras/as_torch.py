"""A Keras model on the torch backend as a module that PyTorch can export."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import torch

from fanin.frameworks.keras.build import canonical_paths


class AsModule(torch.nn.Module):
    """A Keras model whose variables are parameters and buffers, and whose layers are modules, by their paths.

    Keras' own layers are modules too, but their calls pass PyTorch by, and export takes their weights for
    constants.

    Args:
        model: A built model.
        paths: The path of each layer by its id.
        train: Whether it is called as in training.
    """

    def __init__(self, model: keras.Model, paths: dict[int, str], *, train: bool) -> None:
        super().__init__()
        self._held = (model,)  # in a tuple, so that PyTorch does not take it for a part
        self._options = {"training": train} if getattr(model, "_call_has_training_arg", True) else {}
        self._names = dict(zip(map(id, model.variables), canonical_paths(model), strict=True))
        for variable in model.variables:
            self._hold(self._names[id(variable)], variable)
        for layer in model._flatten_layers(include_self=False):
            self.add_module(paths[id(layer)], _frame(layer))

    def _hold(self, name: str, variable: Any) -> None:
        value = variable.value.detach()
        if value.is_floating_point():  # statistics that are kept too: buffers would be taken for constants
            self.register_parameter(name, torch.nn.Parameter(value, requires_grad=False))
        else:
            self.register_buffer(name, value)

    def is_trained(self, name: str) -> bool:
        """Return whether the variable of a name is trained."""
        (model,) = self._held
        return any(self._names[id(variable)] == name for variable in model.trainable_variables)

    def forward(self, *inputs: Any) -> Any:
        """Return what the model returns, computed with the module's own parameters."""
        (model,) = self._held
        state = (
            [getattr(self, self._names[id(variable)]) for variable in held]
            for held in (model.trainable_variables, model.non_trainable_variables)
        )
        frames = {id(frame.layer): frame for frame in self.children() if isinstance(frame, Frame)}
        with _through(frames):
            return model.stateless_call(*state, *inputs, **self._options)[0]


class Frame(torch.nn.Module):
    """Stands for a Keras layer where PyTorch counts its modules."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._held = (layer,)

    @property
    def layer(self) -> Any:
        """The layer."""
        return self._held[0]

    def forward(self, call: Callable[[], Any]) -> Any:
        """Return what the layer's call returns."""
        return call()


def _frame(layer: Any) -> Frame:
    """Return a frame whose type has the name of the layer's."""
    return type(type(layer).__name__, (Frame,), {})(layer)


@contextlib.contextmanager
def _through(frames: dict[int, Frame]) -> Iterator[None]:
    """Let the calls of layers go through their frames inside of the block."""
    own = keras.layers.Layer.__call__
    running: set[int] = set()

    def framed(self: Any, *args: Any, **kwargs: Any) -> Any:
        frame = frames.get(id(self))
        if frame is None or id(self) in running:
            return own(self, *args, **kwargs)
        running.add(id(self))
        try:
            return frame(lambda: own(self, *args, **kwargs))
        finally:
            running.discard(id(self))

    keras.layers.Layer.__call__ = framed
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = own


def tensors(inputs: Any) -> Any:
    """Return inputs as tensors: zeros for descriptions of arrays."""

    def tensor(value: Any) -> Any:
        if isinstance(value, torch.Tensor) or not hasattr(value, "dtype"):
            return value
        if hasattr(value, "__array__"):
            return torch.as_tensor(value)
        return torch.zeros(
            tuple(value.shape), dtype=getattr(torch, keras.backend.standardize_dtype(value.dtype))
        )

    return keras.tree.map_structure(tensor, inputs)
