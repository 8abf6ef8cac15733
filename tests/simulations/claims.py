"""What is claimed of the statistics: each figure, and the bounds within which it must lie."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import NamedTuple

from . import measures as measured
from . import noise


class Claim(NamedTuple):
    topic: str
    case: str
    measure: Callable[[], float]
    low: float
    high: float


def family_wise_error() -> Iterator[Claim]:
    for seeds, kind in product((8, 20), noise.ALIKE):
        measure = partial(measured.family_wise_error, kind, seeds)
        yield Claim("family-wise error of maxT, 7 schemes", _case(seeds, kind), measure, 0, 0.06)


def wrong_best() -> Iterator[Claim]:
    kinds = (noise.normal, noise.lognormal, noise.scatter_by_scheme, noise.tenth_failed)
    for schemes, ahead, seeds, kind in product((2, 8), (0.0, 0.2), (8, 20), kinds):
        truth = f"{schemes} schemes, {f'one {ahead} ahead' if ahead else 'all alike'}"
        measure = partial(measured.wrong_best, kind, schemes, seeds, ahead=ahead)
        yield Claim(f"wrong best named, {truth}", _case(seeds, kind), measure, 0, 0.05)


def interval_of_iqm() -> Iterator[Claim]:
    for seeds, kind in product((8, 20, 50), noise.SHAPES):
        low = 0.92 if seeds >= 20 else 0.90
        measure = partial(measured.iqm_coverage, kind, seeds)
        yield Claim("coverage of the IQM's BCa interval", _case(seeds, kind), measure, low, 0.97)


def intervals_of_rates() -> Iterator[Claim]:
    for runs in (8, 20, 50, 100):
        wilson, exact = (
            partial(measured.coverage, interval, runs) for interval in (measured.wilson, measured.exact)
        )
        case = f"{runs} seeds"
        yield Claim(
            "coverage of Wilson's interval, mean over rates", case, lambda f=wilson: f().mean(), 0.94, 1
        )
        topic = "coverage of Wilson's interval, least at rates .1 to .9"
        yield Claim(topic, case, lambda f=wilson: f()[99:900].min(), 0.91, 1)
        yield Claim("coverage of P(better), least", case, lambda f=exact: f().min(), 0.94, 1)
    for seeds, ties, better in product((8, 20, 100), (0.1, 0.5), (0.5, 0.9)):
        case = f"{seeds} seeds, {ties:.0%} tie, {better:.0%} of the others better"
        measure = partial(measured.improvement_coverage_with_ties, seeds, ties, better)
        yield Claim("coverage of P(better) with ties", case, measure, 0.94, 1)


def time_to_target() -> Iterator[Claim]:
    for runs, chance in product((8, 20, 100), (0.05, 0.3)):
        case = f"{runs} seeds, {chance:.0%} reach it an epoch"
        measure = partial(measured.reach_coverage, chance, runs)
        yield Claim("coverage of the Kaplan-Meier band, least", case, measure, 0.94, 1)
    for runs, high in ((8, 0.08), (20, 0.07)):
        case = f"{runs} seeds, 30% reach it an epoch"
        measure = partial(measured.logrank_error, 0.3, runs)
        yield Claim("error of one log-rank test", case, measure, 0, high)


def power() -> Iterator[Claim]:
    for seeds, low in ((8, 0.25), (10, 0.4), (14, 0.65), (20, 0.9)):
        for wild, chance in ((1, 0), (1000, 0), (1000, 0.5)):
            case = f"{seeds} seeds" + (f", another scatters x {wild}" if wild > 1 else "")
            case += f" and fails in {chance:.0%}" if chance else ""
            measure = partial(measured.power, seeds, wild, chance)
            yield Claim("power at 1 sd of the difference, one of 7 schemes", case, measure, low, 1)
    for effect in (0.5, 1.0):
        measure = partial(measured.power_as_told, effect)
        yield Claim("power with the seeds told", f"{effect} sd of the difference", measure, 0.75, 0.9)


def limits() -> Iterator[Claim]:
    for seeds in (8, 20):
        measure = partial(measured.family_wise_error, noise.one_skewed, seeds)
        topic = "rejections where means are equal but one scheme is skewed"
        yield Claim(topic, f"{seeds} seeds", measure, 0.05, 0.15)


def _case(seeds: int, kind: Callable) -> str:
    return f"{seeds} seeds, {kind.__name__.replace('_', ' ')}"


CLAIMS = [
    *family_wise_error(),
    *wrong_best(),
    *interval_of_iqm(),
    *intervals_of_rates(),
    *time_to_target(),
    *power(),
    *limits(),
]
