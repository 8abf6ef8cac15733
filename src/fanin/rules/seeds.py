"""SAT over seeds: networks that are born dead."""

from __future__ import annotations

from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Vitals

_SHARE = 0.05


class BornDead(Rule):
    """Some networks are born dead, by chance.

    **What it checks.** Of several networks of other seeds (`seeds=20`), the share in which no weight has a
    gradient, at step 0 or after three tiny steps: above 5 % is a warning, above half an error.

    **Why it matters.** Such a network never learns; which seed it is decides whether a run works.

    **Evidence.** A single output unit with a ReLU is dead with a probability of about one half; narrow and
    deep ReLU networks with one that grows with depth.

    **Instead.** No ReLU at the output, wider layers, biases of 0, skips.

    **References.** Lu et al. (2019), arXiv:1903.06733, theorem 1.
    """

    code, name, severity = "SAT105", "born-dead", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that networks are born dead."""
        share = vitals.born_dead or 0.0
        if share > _SHARE:
            yield self.finding(
                vitals.output.layer,
                f"{share:.0%} of {vitals.seeds} networks are born dead: no weight of theirs ever gets a "
                "gradient.",
                severity="error" if share > 0.5 else "warning",
                observed=share,
                expected=f"at most {_SHARE:.0%}",
                fix=Fix("no ReLU at the output, wider layers, biases of 0, or skips"),
            )


RULES = (BornDead,)
