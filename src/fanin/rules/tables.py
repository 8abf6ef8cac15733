"""INP: rows of tables, and what is added to them."""

from __future__ import annotations

from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Vitals

_LEFT = 0.05


class DrownedTokens(Rule):
    """Tokens drown in what is added to them, such as a table of positions of a larger scale.

    **What it checks.** Where rows of a table are added to what is the same for all examples: their standard
    deviation over examples, relative to sqrt(E[x^2]), after the sum over before. Below 0.05 it is found, in
    PyTorch: an info where what is added is not trained, as sines are.

    **Why it matters.** The layers behind read a constant with a trace of the tokens: what is the same for all
    is a bias of 20 times their size, as for inputs that are too small (INP103), and a norm keeps that ratio.
    Examples look the same until the table has grown.

    **Evidence.** Tokens of N(0, 0.02) with positions of N(0, 1), as `nn.Embedding` draws them, leave 0.02;
    positions of 0.02 (BERT), or N(0, 1) for both, leave 0.7. Two layers that learn which token follows which
    need 2 to 8 times as many steps with the former until the loss begins to fall. With sines, whose scale is
    sqrt(1/2), tokens of 0.02 leave 0.03, which is as slow, and 0.5 where they are multiplied by sqrt(512), as
    in the paper.

    **Instead.** The same scale for both: `nn.init.normal_(positions.weight, std=0.02)`, or tokens times
    sqrt(width) for sines.

    **References.** Vaswani et al. (2017), arXiv:1706.03762, 3.4; Devlin et al. (2018), arXiv:1810.04805.
    """

    code, name, severity = "INP108", "drowned-tokens", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first table whose rows drown."""
        for layer in vitals.layers:
            if layer.left is not None and layer.left.share < _LEFT:
                share = layer.left.share
                yield self.finding(
                    layer,
                    f"Rows of {layer.name} have a scale of {layer.output.scale:.2g}; with what is added to "
                    f"them, and is the same for all examples, {share:.2g} of what tells these apart is left.",
                    severity="warning" if layer.left.trained else "info",
                    observed=share,
                    expected=f"above {_LEFT}",
                    fix=Fix(
                        "the same scale for tokens and positions, such as 0.02; tokens times sqrt(width)"
                    ),
                )
                return


RULES = (DrownedTokens,)
