"""What commands that read a model have in common: its inputs, and words while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

inputs_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SHAPE",
    help="Shape of an input, the batch first, such as 8x3x224x224, or 8x128:tokens; NAME=SHAPE by name; "
    "may be repeated.",
)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say on a terminal what takes its time."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        yield


def inputs_of(texts: tuple[str, ...]) -> Any:
    """Return the inputs that the command line describes."""
    from fanin.errors import FaninError

    if not texts:
        raise FaninError(
            "There is no --input.",
            expected="the shape of an input, the batch first",
            fix="--input 8x3x224x224, or --input 8x128:tokens for whole numbers that look up rows of a table",
        )
    pairs = [text.partition("=") for text in texts]
    if not any(equals for _, equals, _ in pairs):
        return tuple(texts)
    if not all(equals for _, equals, _ in pairs):
        raise FaninError("Some inputs have names and others have not.", fix="give all of them names, or none")
    return {name: shape for name, _, shape in pairs}
