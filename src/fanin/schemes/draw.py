"""The values of a parameter: a function of its distribution, its key and the place of each value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.assemble import assemble
from fanin.schemes.distributions import (
    ICNR,
    Chrono,
    Distribution,
    Factor,
    Paired,
    PerGate,
    Uniform,
    Values,
)
from fanin.schemes.elementwise import fill, fill_rows, is_elementwise
from fanin.schemes.fitting import check_fits, copy_of, gate_of, gates_axis
from fanin.schemes.pairs import folded, unfolded

__all__ = ["draw", "draw_many", "fill", "is_elementwise", "stream_of"]

Keys = Sequence[int]


def draw(distribution: Distribution, parameter: Parameter, key: int) -> np.ndarray:
    """Return the values of a parameter.

    Args:
        distribution: What they are drawn from.
        parameter: Its shape and the meaning of its axes.
        key: Of the seed and `stream_of` the parameter, see `fanin.random.philox.key_of`.

    Returns:
        float32 of the parameter's shape; complex64 where it is complex.

    Raises:
        FaninError: The distribution needs axes that nobody knows, or does not fit them.

    Example:
        >>> from fanin.schemes.distributions import Orthogonal
        >>> w = draw(Orthogonal(2.0), Parameter("w", (4, 6), "kernel", ("out", "in")), key_of(0, "w"))
        >>> bool(np.allclose(w @ w.T, 4 * np.eye(4), atol=1e-6))
        True
    """
    return draw_many([distribution], parameter, [key])[0].reshape(parameter.shape)


def draw_many(distributions: Sequence[Distribution], parameter: Parameter, keys: Keys) -> list[np.ndarray]:
    """Return what `draw` does for each of some distributions and keys, in a fraction of the time.

    Args:
        distributions: What is drawn from; those of single values share their random words.
        parameter: As for `draw`.
        keys: As for `draw`.

    Returns:
        For each distribution, (keys, *shape), of `draw`'s dtype.

    Raises:
        FaninError: As for `draw`.

    Example:
        >>> from fanin.schemes.distributions import Normal
        >>> kernel, keys = Parameter("w", (4, 6), "kernel", ("out", "in")), [key_of(s, "w") for s in (0, 1)]
        >>> one, other = draw_many([Normal(0.0, 1.0), Uniform(0.0, 1.0)], kernel, keys)
        >>> one.shape, bool((one[1] == draw(Normal(0.0, 1.0), kernel, keys[1])).all())
        ((2, 4, 6), True)
    """
    for distribution in distributions:
        check_fits(distribution, parameter)
    alone = [distribution for distribution in distributions if is_elementwise(distribution)]
    drawn = {distribution: _empty(parameter, keys) for distribution in alone}
    fill_rows({each: values.reshape(len(keys), -1) for each, values in drawn.items()}, keys)
    for distribution in distributions:
        if distribution not in drawn:
            drawn[distribution] = _made(distribution, parameter, keys)
    if parameter.padding is not None:
        for values in drawn.values():
            values[:, parameter.padding] = 0.0
    return [drawn[distribution] for distribution in distributions]


def stream_of(distribution: Distribution, parameter: Parameter) -> str:
    """Return the name that a parameter's values are drawn under: its own, or one that several share.

    Example:
        >>> stream_of(Uniform(0.0, 1.0), Parameter("fc.weight", (2, 2)))
        'fc.weight'
    """
    inside = distribution.gates if isinstance(distribution, PerGate) else (distribution,)
    return next((one.of for one in inside if isinstance(one, Factor)), parameter.name)


def _empty(parameter: Parameter, keys: Keys) -> np.ndarray:
    return np.empty((len(keys), *parameter.shape), np.complex64 if parameter.complex else np.float32)


def _made(distribution: Distribution, parameter: Parameter, keys: Keys) -> np.ndarray:
    """Return (keys, *shape) of a distribution that is made of more than single values."""
    if isinstance(distribution, PerGate):
        return _by_gate(distribution, parameter, keys)
    if isinstance(distribution, ICNR):
        return _repeated(distribution, parameter, keys)
    if isinstance(distribution, Paired):
        (kernel,) = draw_many([distribution.kernel], folded(distribution, parameter), keys)
        return unfolded(distribution, parameter, kernel)
    if isinstance(distribution, Chrono):
        return _chrono(distribution, parameter, keys)
    if isinstance(distribution, Values):
        values = _empty(parameter, keys)
        values[...] = distribution.values
        return values
    return assemble(distribution, parameter, keys)


def _by_gate(distribution: PerGate, parameter: Parameter, keys: Keys) -> np.ndarray:
    """Return a parameter whose gates, packed into one axis, are drawn from other distributions."""
    one = gate_of(distribution, parameter)
    parts = [_gate(gate, one, keys, place) for place, gate in enumerate(distribution.gates)]
    return np.concatenate(parts, axis=gates_axis(parameter) + 1)


def _gate(distribution: Distribution, one: Parameter, keys: Keys, place: int) -> np.ndarray:
    if is_elementwise(distribution):
        flat = _empty(one, keys).reshape(len(keys), -1)
        fill_rows({distribution: flat}, keys, place * flat.shape[1])
        return flat.reshape(len(keys), *one.shape)
    if isinstance(distribution, Factor):  # the key is that of the product, which says which factors belong
        return _made(distribution, one, keys)
    return _made(distribution, one, [key_of(key, f"gate {place}") for key in keys])


def _repeated(distribution: ICNR, parameter: Parameter, keys: Keys) -> np.ndarray:
    """Return one kernel repeated along the output axis."""
    axis, copies = parameter.axes.index("out") + 1, distribution.copies
    (kernel,) = draw_many([distribution.kernel], copy_of(distribution, parameter), keys)
    if distribution.order == "channel_first":
        return np.repeat(kernel, copies, axis=axis)
    return np.concatenate([kernel] * copies, axis=axis)


def _chrono(distribution: Chrono, parameter: Parameter, keys: Keys) -> np.ndarray:
    """Return gates' biases; where a layer has two that are added (Keras' GRU), the second row is 0."""
    names = parameter.gate_names
    values = np.zeros((len(keys), *parameter.shape), np.float32)
    gates = values.reshape(len(keys), -1, len(names), parameter.shape[-1] // len(names))[:, 0]
    steps = np.empty((len(keys), gates.shape[-1]))
    fill_rows({Uniform(1.0, distribution.longest - 1.0): steps}, keys)
    for place, name in enumerate(names):
        if name in ("forget", "update", "input"):
            gates[:, place] = -np.log(steps) if name == "input" else np.log(steps)
    return values
