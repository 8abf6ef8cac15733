"""What a comparison says in a sentence or two, and no more than its seeds carry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fanin.experiments.question import Question
from fanin.experiments.statistics.failures import paired_differences
from fanin.experiments.statistics.power import seeds_to_conclude, seeds_to_tell
from fanin.experiments.statistics.signflip import MaxT
from fanin.report.numbers import decimals_for, fixed, interval, p_value, percent
from fanin.report.schema import Improvement, Row


def contenders(leader: int, tests: MaxT, alpha: float) -> list[int]:
    """Return the schemes that may be the best as far as the seeds can tell: the leader and its equals.

    Scheme b is ruled out when the leader is better than b in the family of tests whose control is b,
    two-sided at alpha. Whichever scheme is truly best, it is ruled out with a probability of at most
    alpha, because that is a false rejection in its own family; and this holds however the leader was
    chosen. So the leader may be called best when it is the only one left.

    Args:
        leader: Index of the scheme that ranks first.
        tests: Tests of every scheme against every other.
        alpha: Error rate.

    Returns:
        Indices, the leader first, then the hardest to tell from it.

    References:
        Hsu (1984), Constrained simultaneous confidence intervals for multiple comparisons with the
        best, Ann. Stat. 12.
    """
    p = np.where(tests.statistic[leader] > 0, tests.p_adjusted[leader], 1.0)
    others = [int(place) for place in np.argsort(-p, kind="stable") if place != leader]
    return [leader, *(place for place in others if p[place] > alpha)]


def verdict(
    question: Question,
    ranking: Sequence[Row],
    goodness: NDArray[np.float64],
    tests: MaxT,
    improvement: Sequence[Improvement],
) -> str:
    """Return the verdict.

    Args:
        question: What was asked.
        ranking: Rows, best first.
        goodness: Scores under common seeds, larger is better, (schemes, seeds) in the question's order;
            -inf is a failed run.
        tests: Tests of every scheme against every other, in the question's order.
        improvement: Probabilities of improvement.
    """
    best, seeds = ranking[0], goodness.shape[-1]
    if best["failures"]["count"] == best["runs"]:
        runs = sum(row["runs"] for row in ranking)
        return f"No scheme trains this model: {f'all {runs} runs' if runs > 1 else 'its one run'} failed."
    if best["iqm"] is None:
        return "No scheme trains this model reliably: more than a quarter of the runs of each failed."
    if len(ranking) == 1:
        return (
            f"{_level(question, best)} over {_seeds(seeds)}; there is nothing to compare it with.{_but(best)}"
        )
    leader = question.schemes.index(best["scheme"])
    if seeds < seeds_to_conclude(question.alpha):
        return _exploratory(question, ranking, goodness, leader)
    left = contenders(leader, tests, question.alpha)
    if len(left) > 1:
        return _undecided(question, goodness, tests, left)
    return _winner(question, ranking, tests, improvement, leader, seeds)


def _winner(
    question: Question,
    ranking: Sequence[Row],
    tests: MaxT,
    improvement: Sequence[Improvement],
    leader: int,
    seeds: int,
) -> str:
    best, second = ranking[0], ranking[1]["scheme"]
    pairs = {(pair["a"], pair["b"]): pair["probability"] for pair in improvement}
    p = max(np.delete(tests.p_adjusted[leader], leader))
    return (
        f"{best['scheme']} trains this model best: {_level(question, best, name=False)}; "
        f"better than {second} in {percent(pairs[best['scheme'], second])} of paired seeds "
        f"({_p(p)}, {_seeds(seeds)}).{_but(best)}"
    )


def _undecided(question: Question, goodness: NDArray[np.float64], tests: MaxT, left: Sequence[int]) -> str:
    leader, rival = left[0], left[1]
    name, others = question.schemes[leader], _listed([question.schemes[place] for place in left[1:]])
    seeds = goodness.shape[-1]
    if tests.statistic[leader, rival] < 0:
        return (
            f"No single best scheme over {_seeds(seeds)}: {name} leads by interquartile mean, "
            f"{question.schemes[rival]} by mean."
        )
    count = _estimate(question, goodness, leader, rival)
    more = f"; about {count:,} seeds might" if count and count > seeds else ""
    p = _p(tests.p_adjusted[leader, rival])
    return f"No single best scheme: {_seeds(seeds)} cannot tell {name} from {others} ({p}{more})."


def _exploratory(
    question: Question, ranking: Sequence[Row], goodness: NDArray[np.float64], leader: int
) -> str:
    first, second = ranking[0], ranking[1]
    seeds, least = goodness.shape[-1], seeds_to_conclude(question.alpha)
    head = f"Exploratory: {_seeds(seeds)} cannot support a conclusion"
    if first["iqm"] == second["iqm"]:
        return f"{head}, and no scheme leads; at least {least} seeds are needed."
    count = _estimate(question, goodness, leader, question.schemes.index(second["scheme"]))
    more = f" (about {count:,} to tell it from {second['scheme']})" if count and count > least else ""
    return f"{head}; {first['scheme']} leads, at least {least} seeds are needed{more}."


def _estimate(question: Question, goodness: NDArray[np.float64], leader: int, rival: int) -> int | None:
    differences = paired_differences(goodness[leader], goodness[rival])
    count = seeds_to_tell(differences, comparisons=len(goodness) - 1, alpha=question.alpha)
    # Two digits are more than an estimate of this kind has.
    return count if count is None or count < 100 else round(count, 2 - len(str(count)))


def _level(question: Question, row: Row, *, name: bool = True) -> str:
    bounds = row["interval"]
    decimals = decimals_for([(bounds[1] - bounds[0]) / 2] if bounds else [row["sd"]], [row["iqm"]])
    within = f" (95 % interval {interval(bounds, decimals)})" if bounds else ""
    who = f"{row['scheme']} reaches " if name else ""
    return f"{who}{question.score.metric} {fixed(row['iqm'], decimals)}{within}"


def _but(row: Row) -> str:
    failures = row["failures"]["count"]
    return f" {failures} of its {row['runs']} runs failed." if failures else ""


def _p(value: float) -> str:
    text = p_value(float(value))
    return f"adjusted p < {text[1:]}" if text.startswith("<") else f"adjusted p = {text}"


def _seeds(count: int) -> str:
    return f"{count:,} seed{'' if count == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > 2:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join(names)
