"""A module's vitals: a forward and a backward pass under watch, and tiny steps where gradients are 0."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from fanin.errors import FaninError, users_code
from fanin.frameworks.memory import is_full
from fanin.frameworks.torch.checking import losses, units
from fanin.frameworks.torch.checking.batch import Batch, main_output
from fanin.frameworks.torch.checking.coordinates import moved
from fanin.frameworks.torch.checking.endings import Ending
from fanin.frameworks.torch.checking.steps import unlocked
from fanin.frameworks.torch.checking.watch import Watch, stacked
from fanin.frameworks.torch.fill import on_meta
from fanin.frameworks.torch.graph.exporting import in_mode
from fanin.frameworks.torch.holding import held
from fanin.frameworks.torch.inventory import uncompiled
from fanin.frameworks.torch.keeping import seeded
from fanin.rules.vitals import Output, Parameter, Spread, Vitals, Width

Loss = str | Callable[..., Any] | None
_OF_LOGITS = (("cross_entropy", "log_softmax"), ("binary_cross_entropy", "sigmoid"))
"""Losses, and what users apply to logits before them."""
_OF_STACK = re.compile(r"_l(\d+)(_reverse)?$")


@dataclass(frozen=True)
class _Pass:
    """What one pass through the module left."""

    output: torch.Tensor
    loss: torch.Tensor
    compared: losses.Compared
    kind: str
    applied: str = ""
    zero: Callable[[], float | None] = lambda: None

    @property
    def compares(self) -> bool:
        """Whether the loss takes the output itself, and not what another model makes of it."""
        given = self.compared.output
        return given is None or given.numel() == self.output.numel()


def vitals(model: nn.Module, batch: Batch, loss: Loss = None, *, seed: int = 0) -> Vitals:
    """Return what a module does at step 0; it is afterwards as it was before.

    Args:
        model: The module.
        batch: What it is called with.
        loss: A function of (outputs, targets), a name of `losses.NAMED`, or None: the loss that the module
            returns itself, if it does, else the outputs with random weights.
        seed: Of what is random, such as targets that are not given.

    Raises:
        FaninError: The module or the loss fails, nothing depends on the parameters, or it is one of
            TorchScript.
    """
    model = uncompiled(model)
    _check_watchable(model)
    if on_meta(iter(model.parameters())) or _is_lazy(model):
        return _unmade(model, batch)
    notes: list[str] = []
    while True:
        try:
            return _vitals(model, batch, loss, seed, notes)
        except Exception as error:
            if not is_full(error):
                raise
            if batch.examples < 2:
                raise FaninError(
                    f"{type(model).__name__} with one example does not fit into memory.",
                    fix="a machine with more memory, or a smaller model of the same kind",
                ) from error
            batch = batch.half()
            notes.append(f"out of memory: the batch was cut to {batch.examples}")


def of_width(model: nn.Module, batch: Batch, loss: Loss, width: int, *, seed: int = 0) -> Width:
    """Return what a module of a width does, and how far a step moves it; it is left as it was.

    Args:
        model: The module.
        batch: As for `vitals`.
        loss: As for `vitals`.
        width: Its width.
        seed: As for `vitals`.
    """
    trained = [p for p in model.parameters() if p.requires_grad]

    def run() -> dict[str, torch.Tensor]:
        watch = Watch(model, keeps=True)
        with torch.no_grad(), watch:
            _call(model, batch)
        return watch.sampled

    with _as_before(model, seed, train=_can_train(model, batch)), torch.enable_grad():
        gradients = _again(model, batch, loss, trained)
        scales = {name: units.spread(value).scale for name, value in run().items()}
        return Width(width, scales, moved(trained, gradients, run))


def _check_watchable(model: nn.Module) -> None:
    """Raise if a module is, or has, one of TorchScript: nothing sees what these call.

    Raises:
        FaninError: It is.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise FaninError(
                f"{name or type(model).__name__} is a module of TorchScript, whose calls cannot be watched.",
                fix="diagnose the module that torch.jit.script or torch.jit.trace was given",
            )


def _vitals(model: nn.Module, batch: Batch, loss: Loss, seed: int, notes: list[str]) -> Vitals:
    trained = [p for p in model.parameters() if p.requires_grad]
    with _as_before(model, seed, train=_can_train(model, batch)), torch.enable_grad():
        watch = Watch(model)
        with watch:
            found = _passed(model, batch, loss, watch)
        ends = watch.last if watch.last.makes(found.output) and found.compares else Ending()
        gradients = _gradients(found.loss, trained)
        zero = unlocked(trained, gradients, lambda: _again(model, batch, loss, trained))
    return Vitals(
        type(model).__name__,
        "torch",
        watch.layers,
        _parameters(model, trained, gradients, zero, watch.fans),
        batch.inputs(),
        _output(found, ends, watch, model),
        losses.target_of(found.compared),
        _dtype(model),
        batch.examples,
        unregistered=tuple(watch.strangers.names),
        repeated=watch.repeats.found,
        overflow=watch.overflows.first,
        dropped=tuple(watch.dropped.values()),
        notes=tuple(notes),
    )


@contextlib.contextmanager
def _as_before(model: nn.Module, seed: int, *, train: bool) -> Iterator[None]:
    """Put modes, what modules hold and random states back; dropout modules rest meanwhile."""
    with held(model, parameters=False), seeded(seed), in_mode(model, train):
        for module in model.modules():
            if "drop" in type(module).__name__.lower():
                module.training = False
        yield


def _can_train(model: nn.Module, batch: Batch) -> bool:
    """Return whether a batch will do for training: statistics of one example are none."""
    normed = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
    return batch.examples > 1 or not normed


def _passed(model: nn.Module, batch: Batch, loss: Loss, watch: Watch) -> _Pass:
    """Run a module and its loss."""
    comparison = losses.Comparison()
    with users_code(f"{type(model).__name__} fails"), comparison:
        result = _call(model, batch)
    output = main_output(result, model)
    own = _own_loss(result)
    if loss is None and own is not None and (own.requires_grad or _is_frozen(model)):
        compared = comparison.of(output)
        return _Pass(output, own.mean(), compared, compared.kind)
    if loss is None:
        return _Pass(output, _weighted(output, frozen=_is_frozen(model)), losses.Compared(), "none")
    watch.paused = True
    given = output if isinstance(loss, str) else _for_user(result, output)
    return _compared(given, output, batch, loss, frozen=_is_frozen(model))


def _is_frozen(model: nn.Module) -> bool:
    """Return whether a model has parameters, and none of them is trained."""
    return not any(one.requires_grad for one in model.parameters()) and any(True for _ in model.parameters())


def _own_loss(result: Any) -> torch.Tensor | None:
    """Return the loss that a module returns: one by this name, a number, or several numbers, which add up."""
    if isinstance(result, torch.Tensor):
        return None if result.ndim else result
    own = result.get("loss") if isinstance(result, Mapping) else getattr(result, "loss", None)
    if isinstance(own, torch.Tensor):
        return own
    parts = list(result.values()) if isinstance(result, Mapping) else []
    numbers = bool(parts) and all(isinstance(one, torch.Tensor) and not one.ndim for one in parts)
    return torch.stack(parts).sum() if numbers else None


def _call(model: nn.Module, batch: Batch) -> Any:
    kwargs = dict(batch.kwargs)
    if hasattr(model, "config") and "use_cache" in inspect.signature(model.forward).parameters:
        kwargs.setdefault("use_cache", False)
    # Of copies, which may be changed in place.
    return model(*(one.clone() if isinstance(one, torch.Tensor) else one for one in batch.args), **kwargs)


def _for_user(result: Any, output: torch.Tensor) -> Any:
    """Return what a user's loss takes: the result itself; of one tensor in a tuple, that."""
    return output if isinstance(result, tuple | list) and len(result) == 1 else result


def _compared(
    given: Any, output: torch.Tensor, batch: Batch, loss: str | Callable[..., Any], *, frozen: bool
) -> _Pass:
    target = batch.target
    comparison = losses.Comparison(output)
    if isinstance(loss, str):
        function = losses.named(loss)
        target = losses.random_target(loss, output) if target is None else target
        with users_code(f"The loss {loss} fails"), comparison:
            value = function(*losses.fitting(loss, output, target))
    else:
        name = getattr(loss, "__name__", type(loss).__name__)
        with users_code(f"The loss {name} fails"), comparison:
            value = loss(given) if target is None and _takes_one(loss) else loss(given, target)
    compared = comparison.of(output)
    made = _Pass(output, _scalar(value, frozen=frozen), compared, compared.kind, comparison.applied)
    if compared.kind != "other" or isinstance(loss, str):
        return made
    return replace(made, zero=partial(losses.at_zero, loss, given, target))


def _takes_one(loss: Callable[..., Any]) -> bool:
    try:
        needed = [
            one
            for one in inspect.signature(loss).parameters.values()
            if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return False
    return len(needed) == 1


def _scalar(value: Any, *, frozen: bool) -> torch.Tensor:
    """Return a loss as one number that gradients can be taken of.

    Raises:
        FaninError: It is none.
    """
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        raise FaninError(
            f"The loss returns {type(value).__name__}.",
            expected="a tensor of one number",
            fix="return loss.mean()",
        )
    if not value.requires_grad and not frozen:
        raise FaninError(
            "The loss does not depend on the model by operations that have a derivative.",
            expected="a loss that is made of the model's outputs",
            fix="no .item(), .detach(), argmax or NumPy between the outputs and the loss",
        )
    return value.mean()


def _weighted(output: torch.Tensor, *, frozen: bool) -> torch.Tensor:
    """Return the outputs with standard normal weights, over their number: as a mean, of order 1."""
    if not output.requires_grad and not frozen:
        raise FaninError(
            "The outputs do not depend on the model's parameters.", expected="a model that is trained"
        )
    weights = torch.randn(output.shape, device=output.device, dtype=output.dtype)
    return (output * weights).sum() / output.shape[0]


def _gradients(loss: torch.Tensor, trained: Sequence[nn.Parameter]) -> list[torch.Tensor | None]:
    if not trained:
        return []
    with users_code("The backward pass fails"):
        return list(torch.autograd.grad(loss, trained, allow_unused=True))


def _again(
    model: nn.Module, batch: Batch, loss: Loss, trained: Sequence[nn.Parameter]
) -> list[torch.Tensor | None]:
    watch = Watch(model)
    watch.paused = True
    with watch:
        found = _passed(model, batch, loss, watch)
    return _gradients(found.loss, trained)


def _parameters(
    model: nn.Module,
    trained: Sequence[nn.Parameter],
    gradients: Sequence[torch.Tensor | None],
    zero: Sequence[tuple[float, ...]],
    fans: Mapping[int, int],
) -> tuple[Parameter, ...]:
    of_gradient = {id(p): (g, z) for p, g, z in zip(trained, gradients, zero, strict=True)}
    spreads = {name: units.spread(p, whole=True) for name, p in model.named_parameters()}
    digests = _digests(dict(model.named_parameters()), spreads)
    stacks = {
        path for path, one in model.named_modules() if isinstance(one, nn.RNNBase) and one.num_layers > 1
    }
    found = []
    for name, parameter in model.named_parameters():
        gradient, shares = of_gradient.get(id(parameter), (None, ()))
        found.append(
            Parameter(
                name,
                tuple(parameter.shape),
                _layer(name, stacks) or type(model).__name__,
                spreads[name],
                trained=parameter.requires_grad,
                digest=digests.get(name, ""),
                gradient=None if gradient is None else units.spread(gradient).scale,
                zero=shares,
                fan_in=fans.get(id(parameter)),
                copies=0 if gradient is None else units.copies(parameter, gradient),
            )
        )
    return tuple(found)


def _layer(name: str, stacks: set[str]) -> str:
    """Return the path of the layer that has a parameter; of stacked ones, which of them it is."""
    path, _, own = name.rpartition(".")
    number = _OF_STACK.search(own) if path in stacks else None
    return path if number is None else path + stacked(int(number[1]) + 1)


def _digests(parameters: dict[str, nn.Parameter], spreads: dict[str, Spread]) -> dict[str, str]:
    """Return the same text for equal tensors that are not constant, the name of the first of them."""
    alike: dict[tuple, list[str]] = {}
    for name, spread in spreads.items():
        if spread.sd > 0 and spread.finite and not parameters[name].is_meta:
            alike.setdefault((parameters[name].shape, spread), []).append(name)
    found = {}
    for names in alike.values():
        first = parameters[names[0]]
        equal = [name for name in names if torch.equal(parameters[name], first)]
        if len(equal) > 1 and _is_drawn(first):
            found |= dict.fromkeys(equal, names[0])
    return found


def _is_drawn(tensor: torch.Tensor) -> bool:
    """Return whether values mostly differ, as random ones do and those of a pattern do not."""
    few = units.sampled(tensor)
    return len(torch.unique(few)) > len(few) / 2


def _output(found: _Pass, ends: Ending, watch: Watch, model: nn.Module) -> Output:
    weighted = [layer for layer in watch.layers if layer.kind == "weights"]
    last = weighted[-1].name if weighted else ""
    _, varied = units.similarity(found.output)
    return Output(
        units.spread(found.output),
        tuple(found.output.shape),
        None if found.kind == "none" else found.loss.item(),
        found.kind,  # pyright: ignore[reportArgumentType]
        ends.name,
        last,
        varied,
        tied=_is_tied(model, last.partition("#")[0]),
        logits=found.compared.logits or (found.kind, found.applied) in _OF_LOGITS,
        mean=found.compared.mean,
        before=ends.before,
        applied=found.applied,
        bounds=ends.bounds,
        zero=found.zero(),
    )


def _is_tied(model: nn.Module, path: str) -> bool:
    modules = dict(model.named_modules())
    weight = getattr(modules.get(path), "weight", None)
    tables = (module.weight for module in modules.values() if isinstance(module, nn.Embedding))
    return weight is not None and any(table is weight for table in tables)


def _dtype(model: nn.Module) -> str:
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    return "float32" if parameter is None else str(parameter.dtype).removeprefix("torch.")


def _is_lazy(model: nn.Module) -> bool:
    return any(nn.parameter.is_lazy(parameter) for parameter in model.parameters())


def _unmade(model: nn.Module, batch: Batch) -> Vitals:
    """Return the vitals of a module that cannot run, as parameters have no values."""
    nothing = Spread(0.0, 0.0, 0.0)
    found = tuple(
        Parameter(
            name,
            () if nn.parameter.is_lazy(parameter) else tuple(parameter.shape),
            name.rpartition(".")[0],
            nothing,
            trained=parameter.requires_grad,
            meta=parameter.is_meta or nn.parameter.is_lazy(parameter),
        )
        for name, parameter in model.named_parameters()
    )
    notes = ("nothing was run: parameters have no values",)
    output = Output(nothing, ())
    return Vitals(
        type(model).__name__,
        "torch",
        (),
        found,
        batch.inputs(),
        output,
        examples=batch.examples,
        notes=notes,
    )
