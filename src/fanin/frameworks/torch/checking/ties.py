"""Weights that a model's configuration ties, and that are two."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn


def lost(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the head's and the embedding's names where a Hugging Face model says that they are one.

    Args:
        model: A module; it, and models inside of it, may have a configuration with `tie_word_embeddings`.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for inside in model.modules():
        if not getattr(getattr(inside, "config", None), "tie_word_embeddings", False):
            continue
        head, table = (_weight(inside, end) for end in ("output", "input"))
        if head is None or table is None or head is table or head.shape != table.shape:
            continue
        if id(head) in names and id(table) in names:
            yield names[id(head)], names[id(table)]


def _weight(model: nn.Module, end: str) -> nn.Parameter | None:
    layer = getattr(model, f"get_{end}_embeddings", lambda: None)()
    return getattr(layer, "weight", None)
