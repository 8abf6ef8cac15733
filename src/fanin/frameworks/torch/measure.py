"""What really goes through a PyTorch module, forward and backward; the module is left as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.cotangents import cotangent
from fanin.frameworks.given import Given
from fanin.frameworks.readings import Reading, averaged
from fanin.frameworks.torch.examples import values_of
from fanin.frameworks.torch.fill import on_meta
from fanin.frameworks.torch.graph.exporting import in_mode, tensors_of, without_cache
from fanin.frameworks.torch.graph.failures import failure
from fanin.frameworks.torch.holding import held
from fanin.frameworks.torch.inventory import check_made, uncompiled
from fanin.frameworks.torch.keeping import seeded
from fanin.frameworks.torch.watching import Watch


def reader(
    model: nn.Module, given: Given, *, loss: str | None, train: bool, batches: int, vocabulary: int
) -> Callable[[nn.Module, int], Reading]:
    """Return a function of (module, seed) that runs a module forward and backward and reads its signals.

    Args:
        model: The module.
        given: Its inputs.
        loss: What the gradients are of.
        train: Whether to run it as in training.
        batches: How many batches to take the mean over.
        vocabulary: How many tokens there are where an input does not say.
    """

    def read(network: nn.Module, seed: int) -> Reading:
        return averaged([_read(network, given, loss, train, vocabulary, (seed, n)) for n in range(batches)])

    return read


def _read(
    model: nn.Module, given: Given, loss: str | None, train: bool, vocabulary: int, seed: tuple[int, int]
) -> Reading:
    if on_meta(iter(model.parameters())):
        raise FaninError(
            f"{type(model).__name__} is on the meta device, where nothing can be measured.",
            fix="give a scheme, which makes it real, or the model itself on a device",
        )
    check_made("", dict(model.named_parameters()))
    random, model = np.random.default_rng(seed), uncompiled(model)
    positional = [values_of(one, model, random, vocabulary) for one in given.positional]
    named = {name: values_of(one, model, random, vocabulary) for name, one in given.named.items()}
    leaves = [one for one in (*positional, *named.values()) if one.requires_grad]
    trained = [p for p in model.parameters() if p.requires_grad]
    with (
        held(model, parameters=False),
        seeded(seed[0] + seed[1]),
        in_mode(model, train),
        _all_trained(model),
    ):
        with torch.enable_grad(), Watch(model, given.examples) as watch:
            try:
                # Of copies, which may be changed in place.
                results = model(
                    *(one.clone() for one in positional),
                    **{name: one.clone() for name, one in named.items()},
                    **without_cache(model),
                )
            except Exception as error:  # a model's own code fails in as many ways as there are models
                raise failure(model, error) from error
            returned = list(tensors_of(results))
            if not returned:
                raise FaninError(
                    f"{type(model).__name__} returns no tensor.",
                    expected="a model that returns what it computes",
                )
            outputs = [one for one in returned if one.requires_grad]
            starts = [_start(loss, output, random) for output in outputs]
            wanted = [*leaves, *(p for p in model.parameters() if p.requires_grad)]
            gradients = torch.autograd.grad(outputs, wanted, starts, allow_unused=True) if outputs else ()
        found = {id(p): g for p, g in zip(wanted, gradients, strict=False)}
        return watch.reading([(p, found.get(id(p))) for p in trained])


def _start(loss: str | None, output: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    values = output.detach().to("cpu", torch.float64).numpy()
    classes = 1 if output.ndim > 3 else -1
    start = torch.from_numpy(cotangent(loss, values, random, classes=classes if loss else -1))
    return start.to(output.device, output.dtype)


@contextlib.contextmanager
def _all_trained(model: nn.Module) -> Iterator[None]:
    """Let gradients flow through frozen parts too."""
    frozen = [p for p in model.parameters() if p.is_floating_point() and not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
