"""Rows of tables, looked up by tokens."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import joined
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import (
    STILL,
    Contributions,
    Fixed,
    Kernel,
    Result,
    Signal,
    Tokens,
    Unknown,
    Value,
)


def embedding(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return vectors of a table: equal tokens have equal ones, others independent ones."""
    ids, table = inputs[:2]
    if isinstance(ids, Unknown):
        return Result(ids)
    if isinstance(ids, Fixed) and isinstance(table, Fixed):
        return Result(_known_rows(ids, table, node))
    if not isinstance(table, Kernel) or table.law is None:
        return Result(Unknown(f"{node.name}: nobody knows what its table is distributed by"))
    if isinstance(ids, Fixed | Kernel):  # a table of places, such as relative positions
        return Result(_rows(ids, table, node))
    if not isinstance(ids, Tokens):
        return Result(Unknown(f"{node.name}: it looks up what are no tokens"))
    rows = table.shape[0]
    repeats = 1 / rows if ids.repeats is None else ids.repeats
    places = Places(ids.places.sizes, context.points[node.name])
    points = len(places)
    equal = joined(np.where(np.eye(points) > 0, 1.0, repeats), np.full((points, points), repeats))
    values = context.population(table.law.variance * equal) + table.law.mean
    chain = Chain.of(values, STILL)
    width = context.size(node.name, "channel")
    # Tokens that are the same have everything in common.
    overlap = repeats / (1 - repeats) if repeats < 1 else 0.0
    y = Signal(values, places, width, ids.examples, STILL, chain=chain, normal=True, overlap=overlap)

    def pullback(cotangent: Cotangent) -> Contributions:
        found = cotangent.covariance(places)
        total = context.total(found * equal, places, ids.examples) / rows
        context.gradient(table.weight, total * table.factor**2, context.seen_back(cotangent, y))
        return [None, None]

    return Result(y, pullback)


def _rows(ids: Fixed | Kernel, table: Kernel, node: Node) -> Kernel:
    """Return the rows of places: each another one, all of them the same, or some several times."""
    shape, distinct = node.shape, 0
    if isinstance(ids, Fixed) and ids.array is not None:
        distinct = np.unique(ids.array).size
    if distinct == 1:
        shape = (*(1 for _ in shape[:-1]), shape[-1])
    # Rows that are read have their share of the table's values; uses of the same one are counted elsewhere.
    once = distinct in (1, math.prod(node.shape[:-1]))
    factor = math.sqrt(distinct / table.shape[0]) if once else 1.0
    return Kernel(table.law, shape, table.weight, table.factor * factor)


def _known_rows(ids: Fixed, table: Fixed, node: Node) -> Fixed:
    """Return rows of a table of known numbers."""
    if ids.array is None or table.array is None:
        return replace(table, array=None, shape=node.shape)
    rows = table.array[ids.array.astype(int)]
    return Fixed(rows, node.shape, float(np.mean(rows)), float(np.mean(rows**2)))
