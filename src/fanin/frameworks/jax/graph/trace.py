"""A model's call as a program, with the names of its parameters."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax

from fanin.errors import FaninError, users_code
from fanin.frameworks.jax.tree import named_leaves

_WANTS_IDS = ("must be an integer", "must be integers", "must have integer", "integer type")
_OF_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


@dataclass(frozen=True)
class Leaf:
    """A parameter or another variable of a model.

    Args:
        name: Its path, as `fanin.plan` has it.
        value: An array, or a description of one.
        trainable: Whether it is trained.
        tied: Its other names.
    """

    name: str
    value: Any
    trainable: bool = True
    tied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """How a model is called.

    Args:
        function: From (a list of the variables' arrays, the arrays among the inputs) to the outputs.
        leaves: The variables, in the order of that list.
        arrays: The arrays among the inputs, or descriptions of them.
        names: Their names.
        name: What the model is called.
        type: Its type.
        start: Makes the closed jaxpr from a random key to the variables' first values, in the order of the
            leaves; None where nobody knows how they are made.
        notes: What to know about how it was read.
        alone: The function of the first example by itself, where it is `jax.vmap` of one; else None.
    """

    function: Callable[[list[Any], list[Any]], Any]
    leaves: Sequence[Leaf]
    arrays: Sequence[Any]
    names: Sequence[str]
    name: str = ""
    type: str = ""
    start: Callable[[], Any] | None = None
    notes: tuple[str, ...] = field(default=())
    alone: Callable[[list[Any], list[Any]], Any] | None = None


def program(call: Call) -> Any:
    """Return the call as a closed jaxpr: its inputs are the variables, then the arrays among the inputs.

    Raises:
        FaninError: The model cannot be traced with these inputs; the message has what it said.
    """
    with traced_code(f"{call.name} cannot be traced with these inputs", call.names, call.arrays):
        return jax.make_jaxpr(call.function)(*as_described(call))


def as_described(call: Call) -> tuple[list[Any], list[Any]]:
    """Return descriptions of a call's variables and of the arrays among its inputs."""
    values = [leaf.value for leaf in call.leaves]
    variables, arrays = (
        [jax.ShapeDtypeStruct(one.shape, one.dtype) for one in some] for some in (values, call.arrays)
    )
    return variables, arrays


@contextlib.contextmanager
def traced_code(what: str, names: Sequence[str], arrays: Sequence[Any]) -> Iterator[None]:
    """Turn what a model raises while it is traced into one message, with what may help.

    Args:
        what: What fails then, to begin the message.
        names: Names of the inputs.
        arrays: The inputs, or descriptions of them.
    """
    try:
        with users_code(what):
            yield
    except FaninError as error:
        raise _explained(error, names, arrays) from error.__cause__


def of_values(error: BaseException | None) -> BaseException | None:
    """Return JAX's error about values that an error is or comes from, as Keras raises another one."""
    while error is not None and not isinstance(error, _OF_VALUES):
        replaced = error.__context__ if error.__suppress_context__ else None
        error = error.__cause__ or replaced
    return error


def advice(error: BaseException) -> tuple[str, str]:
    """Return what is expected in the place of what depends on values, and how to write it."""
    if isinstance(error, jax.errors.NonConcreteBooleanIndexError):
        return (
            "shapes that follow from the shapes of the inputs",
            "jnp.where, or a mask, in the place of what selects",
        )
    if isinstance(error, jax.errors.TracerArrayConversionError):
        return "operations of JAX", "jax.numpy in the place of NumPy"
    return (
        "a program that does not depend on the values of its inputs",
        "jax.lax.cond, jnp.where or a constant in place of Python's if on an array",
    )


def _explained(error: FaninError, names: Sequence[str], arrays: Sequence[Any]) -> FaninError:
    """Return the error with what may help: of Python's control flow on data, of ids, of shapes."""
    if (cause := of_values(error.__cause__)) is not None:
        expected, fix = advice(cause)
        return FaninError(error.what, expected=expected, fix=fix)
    given = ", ".join(
        f"{name} {tuple(array.shape)} {array.dtype}" for name, array in zip(names, arrays, strict=True)
    )
    if any(text in error.what for text in _WANTS_IDS):
        fix = 'jax.ShapeDtypeStruct(shape, "int32") for inputs that are ids'
        return FaninError(error.what, expected=f"inputs that fit the model; they were {given}", fix=fix)
    return FaninError(error.what, expected=f"inputs that fit the model; they were {given}", fix=error.fix)


def traced_start(make: Callable[[Any], list[Any]]) -> Callable[[], Any]:
    """Return what makes the closed jaxpr of a function of a random key, once it is asked for."""
    return lambda: jax.make_jaxpr(make)(jax.random.key(0))


def arguments(inputs: Any, what: str) -> tuple[Any, ...]:
    """Return positional arguments: of one array, that array.

    Args:
        inputs: A tuple or list of inputs, or one array or description of one.
        what: What the model is called, for the message.

    Raises:
        FaninError: There is no input.
    """
    if hasattr(inputs, "shape") and hasattr(inputs, "dtype"):
        return (inputs,)
    if inputs is None or (isinstance(inputs, tuple | list) and not inputs):
        raise FaninError(
            f"{what} cannot be traced without an example input.",
            expected="an array, or a description of one, for each argument",
            fix='inputs=(jax.ShapeDtypeStruct((8, 20), "float32"),), with the shape of a batch',
        )
    if isinstance(inputs, Mapping) or not isinstance(inputs, tuple | list):
        return (inputs,)
    return tuple(inputs)


def separated(
    positional: Sequence[Any], keywords: Mapping[str, Any], function: Callable[..., Any], skipped: int = 0
) -> tuple[list[Any], list[str], Callable[[Sequence[Any]], tuple[Sequence[Any], dict[str, Any]]]]:
    """Return the arrays among arguments, their names, and a function that puts others in their places.

    Args:
        positional: Arguments by place.
        keywords: Arguments by name.
        function: What is called with them, for the names.
        skipped: How many of its first parameters are not the inputs'.
    """
    leaves = named_leaves((tuple(positional), dict(keywords)))
    structure = jax.tree.structure((tuple(positional), dict(keywords)))
    places = [n for n, (_, leaf) in enumerate(leaves) if hasattr(leaf, "dtype") and hasattr(leaf, "shape")]

    def together(arrays: Sequence[Any]) -> tuple[Sequence[Any], dict[str, Any]]:
        filled = [leaf for _, leaf in leaves]
        for place, array in zip(places, arrays, strict=True):
            filled[place] = array
        return jax.tree.unflatten(structure, filled)

    given = _parameters(function)[skipped:]
    names = [_input_name(leaves[place][0], given) for place in places]
    return [leaves[place][1] for place in places], names, together


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _input_name(path: str, parameters: Sequence[str]) -> str:
    which, place, *rest = path.split(".")
    if which == "0":
        place = parameters[int(place)] if int(place) < len(parameters) else f"input_{place}"
    return ".".join((place, *rest))
