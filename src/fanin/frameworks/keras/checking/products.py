"""Axes of the units of products and convolutions, in their result and in their kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras

_LAYOUTS = ("channels_first", "channels_last")


class Product(NamedTuple):
    """A product with weights.

    Args:
        read: What is multiplied.
        kernel: The weights.
        axes: Axes of the units in the result.
        kernel_axes: Axes of the units in the kernel.
    """

    read: Any
    kernel: Any
    axes: tuple[int, ...]
    kernel_axes: tuple[int, ...]


def of_convolution(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Product:
    """Return a convolution's operands.

    Args:
        name: Of the function.
        args: Its arguments by place.
        kwargs: Its arguments by name.
    """
    names = ("inputs", "kernel") if name != "separable_conv" else ("inputs", "_", "pointwise_kernel")
    given = dict(zip(names, args, strict=False)) | kwargs
    texts = [one for one in (*args, *kwargs.values()) if isinstance(one, str)]
    first = "channels_first" in (texts if any(one in _LAYOUTS for one in texts) else [_usual()])
    kernel = given.get("kernel", given.get("pointwise_kernel"))
    theirs = {"depthwise_conv": (-2, -1), "conv_transpose": (-2,)}.get(name, (-1,))
    return Product(given.get("inputs"), kernel, (1,) if first else (-1,), theirs)


def _usual() -> str:
    return keras.config.image_data_format()


def of_product(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, first: bool) -> Product | None:
    """Return a product's operands; None where it is no product of two.

    Args:
        name: Of the function.
        args: Its arguments by place.
        kwargs: Its arguments by name.
        first: Whether the first operand is the kernel, and not the second.
    """
    if name == "einsum":
        return _of_einsum(args, first=first) if len(args) == 3 else None
    one, other = operands(name, args, kwargs)
    if name == "tensordot":
        return _of_tensordot(one, other, kwargs.get("axes", args[2] if len(args) > 2 else 2), first=first)
    return Product(other, one, (-2,), (-2,)) if first else Product(one, other, (-1,), (-1,))


def operands(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Return the two operands of a product."""
    given = args[1:] if name == "einsum" else args
    return [*given, *(kwargs[key] for key in ("x1", "x2") if key in kwargs)][:2]


def _of_einsum(args: tuple[Any, ...], *, first: bool) -> Product | None:
    read, _, out = args[0].replace(" ", "").partition("->")
    texts, values = read.split(","), list(args[1:])
    if len(texts) != 2 or not out:
        return None
    (kernel_text, text), (kernel, value) = (texts, values) if first else (texts[::-1], values[::-1])
    units = [letter for letter in out if letter in kernel_text and letter not in text and letter.isalpha()]
    if not units:
        return None
    axes, theirs = (tuple(_place(one, letter) for letter in units) for one in (out, kernel_text))
    return Product(value, kernel, axes, theirs)


def _place(text: str, letter: str) -> int:
    """Return the axis of a letter, from the end where it stands behind dots."""
    before, dots, after = text.partition("...")
    if dots and letter in after:
        return after.index(letter) - len(after)
    return before.index(letter)


def _of_tensordot(one: Any, other: Any, axes: Any, *, first: bool) -> Product | None:
    kernel, value = (one, other) if first else (other, one)
    count = len(kernel.shape)
    if isinstance(axes, int):
        summed = range(count - axes, count) if first else range(axes)
    else:
        own = axes[0 if first else 1]
        summed = [axis % count for axis in ([own] if isinstance(own, int) else own)]
    theirs = tuple(axis for axis in range(count) if axis not in summed)
    if not theirs:
        return None
    own_axes = range(len(theirs)) if first else range(-len(theirs), 0)
    return Product(value, kernel, tuple(own_axes), theirs)
