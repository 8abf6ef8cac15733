"""Watches the calls of a model's layers, and the functions inside of them."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
from keras.src import backend

from fanin.errors import FaninError
from fanin.frameworks.keras.checking import functions, products
from fanin.frameworks.keras.checking.batch import check_built
from fanin.frameworks.keras.checking.events import Event, Tape
from fanin.frameworks.keras.signal import LayerPlace
from fanin.rules.vitals import Dropped

_NORM = re.compile(r"norm", re.IGNORECASE)
_RESTING = re.compile(r"drop|noise|stochasticdepth", re.IGNORECASE)
_NO_NORMS = ("SpectralNormalization",)
_OF_CHANNELS = (keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D)
_DROPOUT = (keras.layers.Dropout, keras.layers.AlphaDropout, *_OF_CHANNELS)


class Watch:
    """Takes down what goes through a model while it runs; dropout is left out.

    Args:
        model: The model.
        places: Paths and types of its layers, by their ids.
        blocks: Paths of layers whose outputs are taken down as those of blocks.
        tape: Where values go.
        weights: The variables with their values in this pass.

    Attributes:
        events: What was taken down, in the order of execution.
        dropped: Dropout that rests, by its path.
        ends: The last activation or softmax: its value, its name, and what was taken down of it.
        before: The one whose result that was applied to; "" for none.
    """

    def __init__(
        self,
        model: keras.Model,
        places: Mapping[int, LayerPlace],
        blocks: set[str],
        tape: Tape,
        weights: Sequence[tuple[Any, Any]],
    ) -> None:
        self.model, self.places, self.blocks, self.tape = model, places, blocks, tape
        self.events: list[Event] = []
        self.dropped: dict[str, Dropped] = {}
        self.ends: tuple[Any, str, Event | None] = (None, "", None)
        self.before = ""
        self._weights = {id(value): (value, frozenset({id(variable)})) for variable, value in weights}
        self._stack: list[Any] = [model]
        self._product: tuple[Any, Event] | None = None
        self._busy = False
        self._trace = functions.trace()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        with functions.hooked(self._function), functions.layers_called(self._layer):
            yield

    # Functions

    def _function(
        self, name: str, own: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if name == "dropout":
            return args[0] if args else kwargs["inputs"]
        if self._busy or functions.trace() != self._trace:
            return own(*args, **kwargs)
        self._busy = True
        try:
            result = own(*args, **kwargs)
        finally:
            self._busy = False
        return self._took(name, result, args, kwargs)

    def _took(self, name: str, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name in functions.PRODUCTS or name in functions.CONVOLUTIONS:
            return self._multiplied(name, result, args, kwargs)
        if name == "add" and (summed := self._with_bias(result, args)) is not None:
            return summed
        if name in functions.MOVING:
            self._moved(result, args)
        elif name in functions.ACTIVATIONS:
            return self._activated(functions.ACTIVATIONS[name], result, args)
        elif name == "log_softmax":
            self._end(result, name, None, args)
        elif name == "softmax":
            return self._softmax(result, args, kwargs)
        elif name == "dot_product_attention":
            return self._attended(result, args, kwargs)
        return result

    def _is_weight(self, value: Any) -> bool:
        return isinstance(value, keras.Variable) or id(value) in self._weights

    def _moved(self, result: Any, args: tuple[Any, ...]) -> None:
        """Take what is made of weights alone for a weight."""
        arrays = [one for one in args if hasattr(one, "dtype")]
        if arrays and all(self._is_weight(one) for one in arrays):
            self._weights[id(result)] = result, frozenset().union(*map(self._bases, arrays))

    def _bases(self, weight: Any) -> frozenset[int]:
        if isinstance(weight, keras.Variable):
            return frozenset({id(weight)})
        return self._weights[id(weight)][1]

    def _multiplied(self, name: str, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name in functions.CONVOLUTIONS:
            found = products.of_convolution(name, args, kwargs)
        else:
            weights = [self._is_weight(one) for one in products.operands(name, args, kwargs)]
            if sum(weights) != 1:
                self._moved(result, args)
                return result
            found = products.of_product(name, args, kwargs, first=weights[0])
        if found is None or not self._is_weight(found.kernel) or len(found.kernel.shape) < 2:
            return result
        variable = isinstance(found.kernel, keras.Variable)
        event, used = self._add("weights", result, axes=found.axes)
        event.kernel = found.kernel if variable else self.tape.keep(found.kernel)
        event.kernel_axes, event.bases = found.kernel_axes, self._bases(found.kernel)
        event.kept["read"] = self.tape.keep(found.read)
        self._product = used, event
        return used

    def _with_bias(self, result: Any, args: tuple[Any, ...]) -> Any:
        """Return the sum of the last product and a bias, which takes the product's place; else None."""
        if self._product is None or len(args) != 2:
            return None
        product, event = self._product
        for one, other in (args, args[::-1]):
            if one is product and self._is_weight(other) and tuple(result.shape) == tuple(one.shape):
                event.taken, used = self.tape.take(result)
                self._product = None
                return used
        return None

    def _activated(self, name: str, result: Any, args: tuple[Any, ...]) -> Any:
        event, used = self._add("activation", result)
        event.function = name
        self._end(used, name, event, args)
        return used

    def _softmax(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        axis, count = kwargs.get("axis", args[1] if len(args) > 1 else -1), len(result.shape)
        event, used = None, result
        if count >= 3 and axis in (-1, count - 1, None) and result.shape[-1] > 1:
            event, used = self._add("attention", result)
            event.kept["logits"] = self.tape.keep(args[0] if args else kwargs["x"])
        self._end(used, "softmax", event, args)
        return used

    def _end(self, value: Any, name: str, event: Event | None, args: tuple[Any, ...]) -> None:
        """Take down the last function, and the one before it."""
        last, before, _ = self.ends
        self.before = before if last is not None and args and args[0] is last else ""
        self.ends = value, name, event

    def end(self, output: Any) -> str:
        """Return the activation that makes an output, if one does; a softmax there is no attention."""
        value, name, event = self.ends
        if value is not output:
            return ""
        if event is not None and event.kind == "attention":
            self.events.remove(event)
        return name

    def _attended(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names = ("query", "key", "value", "bias", "mask", "scale", "is_causal")
        given = dict(zip(names, args, strict=False)) | kwargs
        event, used = self._add("attention", result)
        for name in ("query", "key", "mask", "bias"):
            if given.get(name) is not None:
                event.kept[name] = self.tape.keep(given[name])
        event.options = {"causal": bool(given.get("is_causal")), "scale": given.get("scale")}
        return used

    def _add(self, kind: str, value: Any, *, axes: tuple[int, ...] | None = None) -> tuple[Event, Any]:
        layer = self._stack[-1]
        place = self.places.get(id(layer))
        taken, used = self.tape.take(value)
        if used is not value and (mask := backend.get_keras_mask(value)) is not None:
            backend.set_keras_mask(used, mask)
        event = Event("" if place is None else place.path, layer, kind, taken, axes)
        self.events.append(event)
        return event, used

    # Layers

    def _layer(
        self, layer: Any, own: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if _RESTING.search(type(layer).__name__) and getattr(layer, "_call_has_training_arg", False):
            self._rest(layer, args)
            kwargs = {**kwargs, "training": False}
        busy, inside = self._busy, id(layer) in self.places
        if inside:
            _check(layer)
        self._busy = busy or isinstance(layer, keras.layers.RNN)
        if inside:
            self._stack.append(layer)
        try:
            results = own(*args, **kwargs)
        finally:
            self._busy = busy
            if inside:
                self._stack.pop()
        here = not busy and inside and functions.trace() == self._trace
        return self._returned(layer, results, args, kwargs) if here else results

    def _rest(self, layer: Any, args: tuple[Any, ...]) -> None:
        """Take down how much a layer would drop."""
        place = self.places.get(id(layer))
        if place is None or not isinstance(layer, _DROPOUT) or not args or not hasattr(args[0], "shape"):
            return
        shape = args[0].shape
        axis = 1 if getattr(layer, "data_format", "") == "channels_first" else -1
        count = shape[axis] if isinstance(layer, _OF_CHANNELS) else math.prod(shape[1:])
        self.dropped.setdefault(place.path, Dropped(place.path, float(layer.rate), count))

    def _is_block(self, layer: Any, path: str) -> bool:
        """Return whether a layer is taken down itself; a table that makes logits is a product already."""
        last = self.events[-1] if self.events else None
        if isinstance(layer, keras.layers.Embedding):
            return last is None or last.layer is not layer
        return isinstance(layer, keras.layers.RNN) or path in self.blocks

    def _returned(self, layer: Any, results: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        path, name = self.places[id(layer)]
        function = _function_of(layer) if isinstance(layer, keras.layers.RNN) else ""
        if _NORM.search(name) and name not in _NO_NORMS:
            kind = "norm"
        elif function or self._is_block(layer, path):
            kind = "recurrent" if function else "other"
        else:
            return results
        flat = keras.tree.flatten(results)
        number = next((n for n, one in enumerate(flat) if keras.ops.is_tensor(one)), None)
        if number is None or "float" not in keras.backend.standardize_dtype(flat[number].dtype):
            return results
        self._stack.append(layer)
        event, flat[number] = self._add(kind, flat[number])
        event.function = function
        if function:
            self._keep(event, args, kwargs)
        self._stack.pop()
        return keras.tree.pack_sequence_as(results, flat)

    def _keep(self, event: Event, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Keep what a recurrent layer reads, for its gates."""
        names = ("sequences", "initial_state", "mask")
        given = dict(zip(names, args, strict=False)) | kwargs
        read, mask = given.get("sequences"), given.get("mask")
        mask = backend.get_keras_mask(read) if mask is None and read is not None else mask
        for name, value in (("read", read), ("mask", mask)):
            if value is not None and hasattr(value, "dtype"):
                event.kept[name] = self.tape.keep(value)
        for number, state in enumerate(keras.tree.flatten(given.get("initial_state"))):
            if hasattr(state, "dtype"):
                event.kept[f"state {number}"] = self.tape.keep(state)


def _check(layer: Any) -> None:
    """Raise if a layer that is called has no variables yet: they would be made for this pass alone."""
    try:
        check_built(layer)
    except FaninError as error:
        vars(error)["_keras_call_info_injected"] = True  # Keras leaves such messages as they are
        raise


def _function_of(layer: keras.layers.RNN) -> str:
    """Return the activation that makes the states of a recurrence; "" where it is none that is known."""
    cell = getattr(layer.cell, "cells", [layer.cell])[-1]
    return functions.ACTIVATIONS.get(getattr(getattr(cell, "activation", None), "__name__", ""), "")
