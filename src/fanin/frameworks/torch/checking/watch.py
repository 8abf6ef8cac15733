"""Watches a module's calls, and the functions inside of them."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import re
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as f
from torch.overrides import TorchFunctionMode

from fanin.frameworks.torch.checking import gates, recurrent, stacks, units
from fanin.frameworks.torch.checking.endings import CLAMPS, Ending, bounds_of
from fanin.frameworks.torch.checking.overflows import Overflows
from fanin.frameworks.torch.checking.repeats import Repeats
from fanin.frameworks.torch.checking.strangers import Strangers
from fanin.frameworks.torch.checking.tables import Rows
from fanin.frameworks.torch.graph.exporting import tensors_of
from fanin.frameworks.vitals.felt import felt
from fanin.rules.vitals import Dropped, Layer, Left, Source

_NORM = re.compile(r"norm", re.IGNORECASE)
_NO_NORMS = ("LocalResponseNorm", "WeightNorm", "SpectralNorm")


def _names(*functions: Any) -> frozenset[Any]:
    return frozenset(function for function in functions if function is not None)


_T = torch.Tensor
_ACTIVATIONS: dict[Any, str] = {
    function: name
    for name, functions in {
        "relu": (f.relu, torch.relu, _T.relu, torch.relu_, _T.relu_, f.relu_),
        "relu6": (f.relu6,),
        "tanh": (f.tanh, torch.tanh, _T.tanh, torch.tanh_, _T.tanh_),
        "sigmoid": (f.sigmoid, torch.sigmoid, _T.sigmoid, torch.sigmoid_, _T.sigmoid_),
        "hardtanh": (f.hardtanh,),
        "hardsigmoid": (f.hardsigmoid,),
        "gelu": (f.gelu,),
        "silu": (f.silu,),
        "leaky_relu": (f.leaky_relu,),
        "elu": (f.elu,),
        "selu": (f.selu, torch.selu),
        "softplus": (f.softplus,),
        "mish": (f.mish,),
        "hardswish": (f.hardswish,),
        "softsign": (f.softsign,),
    }.items()
    for function in functions
}
_LOG_SOFTMAX = _names(f.log_softmax, torch.log_softmax, _T.log_softmax)
_SOFTMAX = _names(f.softmax, torch.softmax, _T.softmax)
_ATTENTION = _names(f.scaled_dot_product_attention)
_NORMS = _names(f.layer_norm, f.batch_norm, f.group_norm, f.instance_norm, getattr(f, "rms_norm", None))
_LAST = _names(f.linear, torch.addmm, torch.matmul, torch.mm, _T.matmul, _T.mm, _T.__matmul__, torch.einsum)
_SECOND = _names(
    f.conv1d,
    f.conv2d,
    f.conv3d,
    f.conv_transpose1d,
    f.conv_transpose2d,
    f.conv_transpose3d,
)
_CHANNELS = _names(f.dropout1d, f.dropout2d, f.dropout3d, f.feature_alpha_dropout)
_DROPOUT = _CHANNELS | _names(f.dropout, f.alpha_dropout)


@dataclass(eq=False)
class _Seen:
    """A layer whose gradient is still to come."""

    layer: Layer
    prints: torch.Tensor | None = None
    centred: torch.Tensor | None = None
    weight: torch.Tensor | None = None
    weight_axis: int = 0


class Watch(TorchFunctionMode):
    """Takes down what goes through a module while the block runs; dropout is left out.

    Args:
        model: The module.
        keeps: Whether to keep some of what layers with weights return.

    Attributes:
        last: The last activation, softmax or clamp.
        fans: Of weights that are several matrices, by their ids, the fan in of each.
        dropped: Dropout that rests, by its path.
        repeats: Layers that stand at several places of a list.
        strangers: Weights that are used and that the module does not have.
        overflows: What half precision cannot hold.
    """

    def __init__(self, model: nn.Module, *, keeps: bool = False) -> None:
        super().__init__()
        self.model, self.keeps = model, keeps
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._seen: list[_Seen] = []
        self._calls: dict[str, int] = {}
        self._hooks = contextlib.ExitStack()
        self._weights: dict[int, torch.Tensor] = {id(p): p for p in model.parameters() if p.ndim > 1}
        self.last = Ending()
        self.paused = False
        self.sampled: dict[str, torch.Tensor] = {}
        self.fans: dict[int, int] = {}
        self._rows = Rows(self._left)
        self.dropped: dict[str, Dropped] = {}
        self.repeats, self.strangers, self.overflows = Repeats(model), Strangers(model), Overflows()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What was seen, in the order of execution."""
        return tuple(seen.layer for seen in self._seen)

    def __enter__(self) -> Watch:
        for module in self.model.modules():
            self._hooks.callback(module.register_forward_pre_hook(self._begin).remove)
            self._hooks.callback(module.register_forward_hook(self._end, always_call=True).remove)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._hooks.close()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _DROPOUT:
            return self._rest(func, args, kwargs)
        if func is f.multi_head_attention_forward:
            return self._within(func, args, kwargs)
        if func in recurrent.FUSED and not kwargs:
            return self._recurrence(recurrent.Call.of(func, args))
        result = func(*args, **kwargs)
        self.strangers.see(func, (*args, *kwargs.values()), result)
        if self._stack:
            self.overflows.see(self._path(), func, (*args, *kwargs.values()), result)
        if self._stack and not self.paused and isinstance(result, torch.Tensor):
            given = {name: units.unwrapped(one) for name, one in kwargs.items()}
            self._take(func, tuple(map(units.unwrapped, args)), given, units.unwrapped(result))
        return result

    def _rest(self, func: Any, args: Any, kwargs: Any) -> torch.Tensor:
        """Return what dropout is of."""
        given = {**dict(zip(("input", "p", "training"), args, strict=False)), **kwargs}
        read, module = given["input"], self._stack[-1] if self._stack else None
        if module is not None and (
            given.get("training", True) or isinstance(module, nn.modules.dropout._DropoutNd)
        ):
            shape = read.shape[1:2] if func in _CHANNELS else read.shape[1:]
            path = self._path()
            self.dropped.setdefault(path, Dropped(path, float(given.get("p", 0.5)), math.prod(shape)))
        return read

    def _path(self) -> str:
        """Return the path of the module that runs."""
        return self._paths.get(id(self._stack[-1]), "") or type(self.model).__name__

    def _within(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Call a function of PyTorch that is made of others, and see these."""
        asked: Any = vars(f)
        before = asked["has_torch_function"]
        asked["has_torch_function"] = lambda *_: False  # else it would ask this mode again
        super().__enter__()
        try:
            return func(*args, **kwargs)
        finally:
            super().__exit__(None, None, None)
            asked["has_torch_function"] = before

    def _take(self, func: Any, args: Any, kwargs: Any, result: torch.Tensor) -> None:
        weight = self._weight(func, args, kwargs)
        self._fan(func, args)
        if weight is not None:
            axis = 1 if func in _SECOND else -1
            self._product(result, axis, weight, args[0] if args else None)
        elif func in _ACTIVATIONS:
            bounds = bounds_of(func, args, kwargs) if func in CLAMPS else None
            self._activation(_ACTIVATIONS[func], result, args[0] if args else None, bounds)
        elif func in _LOG_SOFTMAX:
            self.last = self.last.then("log_softmax", result, args[0] if args else None)
        elif func in CLAMPS:
            bounds = bounds_of(func, args, kwargs)
            self.last = self.last.then("clamp", result, args[0] if args else None, bounds)
        elif func in _SOFTMAX:
            self._softmax(result, args, kwargs)
        elif func in _ATTENTION:
            self._attention(args, kwargs, result)
        elif func in _NORMS:
            self._add(self._layer(result, "norm", 1 if func is f.batch_norm else -1), result)
        else:
            self._rows.see(func, args, result)

    def _fan(self, func: Any, args: Any) -> None:
        """Take down the fan in of matrices that lie in one tensor."""
        for place, one in enumerate(args[:3]):
            whole = one if not isinstance(one, torch.Tensor) or one._base is None else one._base
            if isinstance(whole, nn.Parameter) and whole.ndim == 3 and id(whole) in self._weights:
                fan = stacks.fan_of(func, args, place)
                if fan is not None and fan > 1:
                    self.fans[id(whole)] = fan

    def _weight(self, func: Any, args: Any, kwargs: Any) -> torch.Tensor | None:
        if func not in _LAST and func not in _SECOND:
            return None
        operands = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)]
        return next((weight for one in operands if (weight := self._parameter(one)) is not None), None)

    def _parameter(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """Return the weight that a tensor is, or is a view of, or that a parametrization makes."""
        if id(tensor) in self._weights:
            return tensor
        base = tensor._base
        if base is not None and id(base) in self._weights:
            return tensor
        if not isinstance(tensor, nn.Parameter) or tensor.ndim < 2:
            return None
        self.strangers.add(tensor)
        return tensor

    # What is taken down

    def _product(self, result: torch.Tensor, axis: int, weight: torch.Tensor, read: Any) -> None:
        source = units.spread(read).scale if isinstance(read, torch.Tensor) else None
        rows = units.by_unit(result, axis)
        cosine, varied = units.similarity(result)
        layer = replace(
            self._layer(result, "weights", axis),
            source=source,
            similarity=cosine,
            variation=varied,
            zeros=units.zeros(result),
        )
        fitting = [dim for dim in range(weight.ndim) if weight.shape[dim] == rows.shape[0]]
        prints = units.fingerprints(rows), units.fingerprints(rows, centred=True)
        seen = _Seen(layer, *prints, weight if fitting else None, fitting[0] if fitting else 0)
        self._add(layer, result, seen, axis)

    def _activation(self, name: str, result: torch.Tensor, read: Any, bounds: Any) -> None:
        axis = self._axis(result)
        layer = replace(
            self._layer(result, "activation", axis),
            function=name,
            zeros=units.zeros(result),
            saturated=units.saturated(result, name) if name in units.SATURATING else None,
            dead=units.dead(units.by_unit(result, axis)) if name in ("relu", "relu6") else None,
        )
        self.last = self.last.then(name, result, read, bounds)
        self._add(layer, result)

    def _softmax(self, result: torch.Tensor, args: Any, kwargs: Any) -> None:
        dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)
        read = args[0] if args else kwargs["input"]
        self.last = self.last.then("softmax", result, read)
        if result.ndim >= 3 and dim in (-1, result.ndim - 1) and result.shape[-1] > 1:
            found = units.entropy(read)
            self._add(replace(self._layer(result, "attention"), entropy=found), result)

    def _attention(self, args: Any, kwargs: Any, result: torch.Tensor) -> None:
        bound = _bound(args, kwargs)
        found = _logits_of_attention(**bound)
        self._add(replace(self._layer(result, "attention"), entropy=units.entropy(found)), result)

    def _left(self, number: int, left: Left) -> None:
        """Take down what is left of rows of a table in a sum."""
        self._seen[number].layer = replace(self._seen[number].layer, left=left)

    def _recurrence(self, call: recurrent.Call) -> tuple[torch.Tensor, ...]:
        """Return what a recurrent module returns, and take down its layers."""
        if not self._stack or self.paused:
            return call.run()
        first = len(self._seen)

        def hear(gradient: torch.Tensor) -> None:
            seen = self._seen[first]
            seen.layer = replace(seen.layer, felt=felt(_by_step(gradient)))

        plain = units.unwrapped(call.read) is call.read  # no function is mapped over examples
        return call.run(self._layer_of_stack, hear if plain else None)

    def _layer_of_stack(self, made: recurrent.Made) -> None:
        """Take down one layer of a recurrent module."""
        own = "" if made.count == 1 else stacked(made.number)
        read, states = units.unwrapped(made.read), units.unwrapped(made.states)
        self._states(states, made.saturated, bounded=made.bounded, source=units.spread(read).scale, own=own)

    def _cell(self, module: nn.RNNCellBase, args: Any, states: torch.Tensor) -> None:
        paused, self.paused = self.paused, True  # not to take down what gates are computed by
        kind, before = type(module).__name__.removesuffix("Cell"), gates.begin(args, states)
        with torch.no_grad():
            found = (
                gates.saturated(kind, args[0], before, module.weight_ih, module.weight_hh) if args else None
            )
        self.paused = paused
        self._states(states, found, bounded=getattr(module, "nonlinearity", "tanh") == "tanh")

    def _states(
        self,
        states: torch.Tensor,
        within: float | None,
        *,
        bounded: bool,
        source: float | None = None,
        own: str = "",
    ) -> None:
        """Take down hidden states, which a tanh has made in all but one kind of cell."""
        found = units.saturated(states, "tanh") if bounded else 0.0
        layer = self._layer(states, "recurrent")
        layer = replace(
            layer,
            name=layer.name + own,
            function="gates" if (within or 0.0) > found else "tanh" if bounded else "relu",
            source=source,
            zeros=units.zeros(states),
            saturated=max(found, within or 0.0) if bounded else None,
        )
        self._add(layer, states, _Seen(layer, units.fingerprints(units.by_unit(states, -1))))

    def _layer(self, result: torch.Tensor, kind: str, axis: int = -1) -> Layer:
        module = self._stack[-1]
        path = self._paths.get(id(module), "") or type(self.model).__name__
        count = result.shape[axis] if result.ndim else 1
        return Layer(
            path,
            type(module).__name__,
            kind,
            tuple(result.shape),
            units.spread(result),
            units=count,
            places=result.numel() // max(count, 1),
            dtype=str(result.dtype).removeprefix("torch."),
            where=where_of(type(module)),
        )

    def _axis(self, result: torch.Tensor) -> int:
        """Return the axis of the units: that of the product with weights which has this shape."""
        for seen in reversed(self._seen[-4:]):
            if seen.layer.kind == "weights" and seen.layer.shape == tuple(result.shape):
                return 1 if seen.layer.units == result.shape[1] and result.ndim > 2 else -1
        return 1 if result.ndim > 3 else -1

    def _add(self, layer: Layer, result: torch.Tensor, seen: _Seen | None = None, axis: int = -1) -> None:
        own = layer.name
        key = f"{own}:{layer.function or layer.kind}"
        count = self._calls[key] = self._calls.get(key, 0) + 1
        name = own if count == 1 else f"{own}#{count}"
        seen = seen or _Seen(layer)
        seen.layer = replace(layer, name=name)
        if self.keeps and layer.kind == "weights":
            self.sampled[name] = units.sampled(result).clone()
        self._seen.append(seen)
        if result.requires_grad:
            result.register_hook(lambda gradient: self._back(seen, gradient, axis))

    def _back(self, seen: _Seen, gradient: torch.Tensor, axis: int) -> None:
        layer = replace(seen.layer, gradient=units.spread(gradient))
        if seen.prints is not None and layer.units > 1 and layer.output.finite:
            layer = _with_twins(layer, seen, units.fingerprints(units.by_unit(gradient, axis)))
        seen.layer, seen.prints, seen.centred, seen.weight = layer, None, None, None

    # Modules

    def _begin(self, module: nn.Module, args: Any) -> None:
        self._stack.append(module)

    def _end(self, module: nn.Module, args: Any, result: Any) -> None:
        path = self._paths[id(module)]
        self.repeats.see(module, args, result)
        if self._wants(module, path):
            tensors = map(units.unwrapped, tensors_of(result))
            output = next((one for one in tensors if one.is_floating_point()), None)
            if isinstance(module, nn.RNNCellBase) and output is not None:
                self._cell(module, args, output)
            elif output is not None:
                kind = "norm" if is_norm(module) else "other"
                if kind == "other" or not self._just_taken(path):
                    self._add(self._layer(output, kind), output)
                if isinstance(module, nn.Embedding):
                    self._rows.begin(output, len(self._seen) - 1)
        if self._stack and self._stack[-1] is module:
            self._stack.pop()

    def _wants(self, module: nn.Module, path: str) -> bool:
        """Return whether a module is taken down itself: norms, embeddings, and blocks that are numbered."""
        if is_norm(module) or isinstance(module, (nn.Embedding, nn.RNNCellBase)):
            return True
        return path.rpartition(".")[2].isdigit() and any(True for _ in module.children())

    def _just_taken(self, path: str) -> bool:
        return bool(self._seen) and self._seen[-1].layer.name.partition("#")[0] == path


def _by_step(gradient: torch.Tensor) -> list[float]:
    """Return sqrt(E[g^2]) of each step; in double precision, as squares of what has vanished are 0."""
    return gradient.detach().double().flatten(1).square().mean(1).sqrt().tolist()


def stacked(number: int) -> str:
    """Return what follows a module's path for one of the layers that it stacks, from 1 on."""
    return f" (layer {number})"


def is_norm(module: nn.Module) -> bool:
    """Return whether a module is a norm: by its type's name, as everyone writes their own."""
    name = type(module).__name__
    return bool(_NORM.search(name)) and name not in _NO_NORMS and not any(True for _ in module.children())


@functools.cache
def where_of(kind: type) -> Source:
    """Return where a class is written; nowhere where that is no file of Python."""
    try:
        return Source(inspect.getsourcefile(kind) or "", inspect.getsourcelines(kind)[1])
    except (OSError, TypeError):
        return Source()


def _with_twins(layer: Layer, seen: _Seen, gradients: torch.Tensor) -> Layer:
    """Return a layer with the share of its units that are equal, forward and backward."""
    outputs = seen.prints
    assert outputs is not None
    silent = not outputs.any()
    equal_weights = torch.zeros(layer.units, dtype=torch.bool, device=outputs.device)
    if seen.weight is not None:
        rows = units.by_unit(seen.weight, seen.weight_axis)
        if len(rows) == layer.units:
            equal_weights = units.twins(units.fingerprints(rows)) if rows.any() else ~equal_weights
    both = units.twins(outputs, gradients)
    if silent or not gradients.any():
        # Nothing goes through: only units with the same weights are the same.
        both = both & equal_weights
    else:
        both = both & (outputs.any(1) | gradients.any(1))  # others are dead
    # Of a recurrent layer, all that is inside has made its outputs.
    alike = units.twins(outputs) if seen.centred is None else equal_weights & units.twins(seen.centred)
    alike &= (outputs if seen.centred is None else seen.centred).any(1)
    return replace(layer, twins=both.float().mean().item(), alike=alike.float().mean().item())


def _bound(args: Any, kwargs: Any) -> dict[str, Any]:
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _logits_of_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **other: Any,
) -> torch.Tensor:
    """Return the logits of the first two examples, -inf where a query does not see a key."""
    q, k = (one.detach()[:2].float() for one in (query, key))
    if q.shape[1:-2] != k.shape[1:-2] and q.ndim > 3:
        k = k.repeat_interleave(q.shape[-3] // k.shape[-3], -3)
    logits = q @ k.transpose(-1, -2) * (scale or q.shape[-1] ** -0.5)
    if is_causal:
        later = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).triu(1)
        logits = logits.masked_fill(later, -torch.inf)
    if attn_mask is not None:
        mask = attn_mask[:2] if attn_mask.ndim == logits.ndim and attn_mask.shape[0] > 1 else attn_mask
        logits = logits.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else logits + mask
    return logits
