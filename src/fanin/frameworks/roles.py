"""Roles of parameters in a whole model: repeated blocks, what ends a residual branch, the head."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from fanin.frameworks.names import named
from fanin.graph import roles
from fanin.graph.parameter import Parameter

_ATTENTION = {
    roles.query: re.compile(r"(^|[._])(q|query|q_proj|query_proj|to_q|wq)$"),
    roles.key: re.compile(r"(^|[._])(k|key|k_proj|key_proj|to_k|wk)$"),
    roles.value: re.compile(r"(^|[._])(v|value|v_proj|value_proj|to_v|wv)$"),
    roles.attention_out: re.compile(
        r"(attn|attention|attend)\w*(\.\w+)*"
        r"\.(out|out_proj|o|o_proj|c_proj|output_proj|to_out|proj|wo|dense)(\.0)?$",
        re.IGNORECASE,
    ),
}
# Query, key and value in one kernel, one after the other.
_PACKED = re.compile(r"(^|[._])(qkv|qkv_proj|to_qkv|wqkv|c_attn)$", re.IGNORECASE)
_PROJECTIONS = (roles.query, roles.key, roles.value)
# The last kernel of a feed-forward branch, as the common code bases call it.
_FEED_FORWARD_OUT = re.compile(
    r"(^|\.)(linear2|fc2|down_proj|c_proj|w2|wo|lin2|dense_4h_to_h|mlp\.[23]|output\.dense|ffn\.output)$"
)

_HEAD = re.compile(r"(^|\.)(head|lm_head|classifier|logits|output_layer|fc_out)\.\w+$")
_HEADS = ("Linear", "LinearGeneral", "Dense", "DenseGeneral", "Einsum")


class Structure:
    """The repeated blocks of a model.

    Args:
        candidates: (path, class) of every module that may be one of several alike, outer ones first.
    """

    def __init__(self, candidates: Sequence[tuple[str, str]]) -> None:
        self._blocks = dict(_blocks(candidates))
        self._counts = Counter(kind for kind, _ in self._blocks.values())

    def placed(self, parameter: Parameter, path: str, *, wired: bool = False) -> Parameter:
        """Return a parameter with its block and the roles that follow from it.

        Args:
            parameter: The parameter.
            path: Path of its layer.
            wired: Whether it is known what ends a residual branch, so that names need not tell.
        """
        block = next((prefix for prefix in _prefixes(path) if prefix in self._blocks), None)
        if block is None:
            return parameter
        kind, place = self._blocks[block]
        by_name = [r for r in _named_roles(parameter, path) if not (wired and r == roles.residual_out)]
        found = tuple(dict.fromkeys((*parameter.roles, *by_name)))
        placed = replace(parameter, block=place, blocks=self._counts[kind], roles=found)
        return _packed(placed) if _PACKED.search(path) else placed


def headed(parameters: Sequence[Parameter], *, ordered: bool) -> Iterator[Parameter]:
    """Yield the parameters, one of them and its bias as the head if there is one outside of the blocks.

    Args:
        parameters: All of them.
        ordered: Whether they come in the order in which they are used, so that the last kernel is the
            head; otherwise only a name can tell.
    """
    known = list(named(parameters))
    ends = [p for p in known if p.kind == "kernel" and p.layer in _HEADS and not p.roles]
    if not ordered:
        ends = [p for p in ends if _HEAD.search(p.name)]
    chosen = ends[-1] if ends and (ordered or len(ends) == 1) and not ends[-1].blocks else None
    for parameter in known:
        if chosen and parameter.name == chosen.name:
            yield replace(parameter, roles=(roles.head,))
        elif chosen and parameter.kernel and parameter.kernel.name == chosen.name:
            yield replace(parameter, roles=(roles.head_bias,))
        else:
            yield parameter


def streamed(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    """Yield the parameters; those that end residual branches are told whether the stream starts as a table's.

    It does where a table's vectors are as wide as the stream and no norm comes between them and the blocks;
    it stays so where a norm comes behind the blocks, as in networks that normalize inside of branches only.

    Args:
        parameters: All of them, in the order in which they are used.
    """
    tables = {p.shape[-1] for p in parameters if p.kind == "embedding"}
    inside = [place for place, p in enumerate(parameters) if p.blocks]  # of scans, too
    norms = {place: p.shape[-1:] for place, p in enumerate(parameters) if p.kind == "norm" and not p.blocks}
    for parameter in parameters:
        width = _width(parameter)
        around = [place for place, size in norms.items() if size == (width,)]
        raw = around and min(around) > max(inside, default=len(parameters))
        starts = roles.residual_out in parameter.roles and width in tables and raw
        yield replace(parameter, stream="embedding") if starts else parameter


def _width(parameter: Parameter) -> int:
    """Return the outputs of a kernel."""
    return math.prod(n for n, axis in zip(parameter.shape, parameter.axes, strict=False) if axis == "out")


def _blocks(candidates: Sequence[tuple[str, str]]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield (path, (class, place among its class)) of the outermost repeated modules."""
    kinds = Counter(kind for _, kind in candidates)
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for path, kind in candidates:
        if kinds[kind] > 1 and found.isdisjoint(_prefixes(path)):
            found.add(path)
            yield path, (kind, seen[kind])
            seen[kind] += 1


def _packed(parameter: Parameter) -> Parameter:
    """Return a kernel as three in one, if it has three times as many outputs as inputs."""
    kernel = parameter.kind == "kernel" and set(parameter.axes) == {"in", "out"} and len(parameter.axes) == 2
    if not kernel or _width(parameter) ** 2 != 3 * math.prod(parameter.shape):
        return parameter
    return replace(parameter, gates=3, gate_names=_PROJECTIONS, roles=_PROJECTIONS)


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts) + 1)]


def _named_roles(parameter: Parameter, path: str) -> Iterator[str]:
    if parameter.kind != "kernel":
        return
    yield from (role for role, pattern in _ATTENTION.items() if pattern.search(path))
    attends = roles.attention_out in parameter.roles or _ATTENTION[roles.attention_out].search(path)
    if attends or _FEED_FORWARD_OUT.search(path):
        yield roles.residual_out
