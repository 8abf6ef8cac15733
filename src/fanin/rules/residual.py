"""RES: streams that branches are added to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fanin.report.diagnosis.paths import around
from fanin.rules.depth import A_LAYER, slope
from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Layer, Vitals

_IN_ALL = 30.0
_BLOCKS = 6
_DEEP = 12
_NUMBER = re.compile(r"_?\d+")  # Keras calls blocks "block", "block_1", ...


class GrowingStream(Rule):
    """A residual stream grows with every block.

    **What it checks.** sqrt(E[x^2]) of the outputs of blocks of one type, one after the other: more than 1.25
    a block over at least 6 blocks, and 30 in all.

    **Why it matters.** Branches of as much variance as the stream double it at each block: 2^L in all, and
    with it gradients. With a norm in each branch the growth is sqrt(L), which is harmless.

    **Instead.** The last layer of each branch 0, or 1 / sqrt(L) as large: `fanin.initialize(model, "auto")`.

    **References.** Zhang et al. (2019), arXiv:1901.09321 (Fixup); Hanin and Rolnick (2018), arXiv:1803.01719.
    """

    code, name, severity = "RES101", "growing-stream", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the streams that grow."""
        for blocks in streams(vitals):
            found = slope(blocks, lambda layer: layer.output.scale, _IN_ALL)
            if found.explodes:
                first, last = blocks[0], blocks[-1]
                yield self.finding(
                    first,
                    f"The stream grows by {found.factor:.2g} a block, from {first.output.scale:.2g} to "
                    f"{last.output.scale:.2g} at {last.name}.",
                    observed=found.factor,
                    expected=f"at most {A_LAYER} a block, {_IN_ALL:g} in all",
                    fix=Fix('fanin.initialize(model, "auto", inputs=...) scales the branches', scheme="auto"),
                )


class DeepPostNorm(Rule):
    """A deep stream is normalized after each sum.

    **What it checks.** More than 12 blocks of one type that all end in a norm of their sums (outputs of scale
    1 whatever the depth, and a norm as the last layer inside).

    **Why it matters.** Post-LN shrinks the skip at every block: gradients of the first blocks are smaller
    than those of the last ones, which needs a warm-up.

    **Evidence.** BERT's 12 blocks train; 24 and more need care.

    **Instead.** Norms before the branches, a warm-up, or `deepnorm`: `fanin.initialize(model, "deepnorm")`.

    **References.** Xiong et al. (2020), arXiv:2002.04745; Wang et al. (2022), arXiv:2203.00555.
    """

    code, name, severity = "RES102", "deep-post-norm", "info"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield deep post-norm streams."""
        for blocks in streams(vitals):
            if len(blocks) > _DEEP and all(_ends_in_norm(vitals, block) for block in blocks):
                yield self.finding(
                    blocks[0],
                    f"{len(blocks)} blocks of {blocks[0].type} end in a norm of their sum (post-LN).",
                    observed=float(len(blocks)),
                    expected=f"at most {_DEEP} blocks",
                    fix=Fix("norms before the branches, or a warm-up"),
                )


def streams(vitals: Vitals) -> Iterator[list[Layer]]:
    """Yield blocks of one type whose paths differ by a number, in their order."""
    found: dict[tuple[str, str], list[Layer]] = {}
    for layer in vitals.layers:
        if layer.kind == "other" and layer.output.scale > 0:
            found.setdefault((layer.type, _NUMBER.sub("", layer.name)), []).append(layer)
    yield from (blocks for blocks in found.values() if len(blocks) >= _BLOCKS)


def _ends_in_norm(vitals: Vitals, block: Layer) -> bool:
    inside = [layer for layer in vitals.layers if block.name in around(layer.name) and layer is not block]
    return (
        bool(inside)
        and inside[-1].kind == "norm"
        and "Batch" not in inside[-1].type
        and inside[-1].output == block.output
    )


RULES = (GrowingStream, DeepPostNorm)
