"""How often a claim holds in simulated studies; the same numbers at every call."""

import numpy as np
from scipy import stats

from fanin.experiments.statistics.aggregate import TRIMMED, iqm, iqm_interval
from fanin.experiments.statistics.failures import failure_interval
from fanin.experiments.statistics.improvement import exact_interval
from fanin.experiments.statistics.power import seeds_to_tell
from fanin.experiments.statistics.signflip import MaxT, max_t
from fanin.experiments.statistics.survival import Times, logrank, reach_interval
from fanin.experiments.verdict import contenders

ALPHA = 0.05
FLIPS = 999
EPOCHS = 10


def tested(scores):
    """Return max_t of many studies, some at a time, which is faster."""
    parts = [max_t(some, flips=FLIPS) for some in np.array_split(scores, -(-len(scores) // 50))]
    return MaxT(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def family_wise_error(noise, seeds, studies=2000):
    """Return how often any of 7 schemes is told from a control that is no worse and no better."""
    p = tested(noise(np.random.default_rng(seeds), (studies, 8, seeds))).p_adjusted
    return (p[:, 1:, 0].min(axis=-1) <= ALPHA).mean()


def rejected(effects, seeds, *, scatter=1.0, failing=0.0, studies=1000):
    """Return how often each scheme is told from the control, the first; effects in sd of the difference."""
    rng = np.random.default_rng(seeds)
    noise = rng.normal(size=(studies, len(effects), seeds)) / np.sqrt(2)
    scores = noise * np.broadcast_to(scatter, len(effects))[:, None] + np.asarray(effects)[:, None]
    lost = rng.random(scores.shape) < np.broadcast_to(failing, len(effects))[:, None]
    p = tested(np.where(lost, -np.inf, scores)).p_adjusted
    return (p[:, :, 0] <= ALPHA).mean(axis=0)


def power(seeds, wild=1.0, failing=0.0):
    """Return how often a scheme that is better by 1 sd of the difference is told from the control.

    Of the 6 other schemes, one may be far worse, scatter wildly and fail often.
    """
    scatter, lost = [*[1.0] * 7, wild], [*[0.0] * 7, failing]
    return rejected([0, 1, *[0] * 5, 1 - wild], seeds, scatter=scatter, failing=lost)[1]


def power_as_told(effect):
    """Return the power with the seeds that `seeds_to_tell` asks for, with 7 schemes against a control."""
    like_it = effect + np.array([-1.0, 0.0, 1.0])
    return rejected([0, effect, *[0] * 6], seeds_to_tell(like_it, comparisons=7, alpha=ALPHA), studies=600)[1]


def wrong_best(noise, schemes, seeds, *, ahead=0.0):
    """Return how often a scheme that is not best is called best, or the best one is ruled out.

    With `ahead`, the last scheme is better than the others by that much; without, none is best.
    """
    studies = 8000 if schemes == 2 else 600
    scores = noise(np.random.default_rng(seeds), (studies, schemes, seeds))
    scores[:, -1] += ahead
    tests = tested(scores)
    leaders = iqm(scores).argmax(axis=-1)
    left = [
        contenders(leader, MaxT(*(part[study] for part in tests)), ALPHA)
        for study, leader in enumerate(leaders)
    ]
    best = schemes - 1
    named = [len(names) == 1 and (names[0] != best or ahead == 0) for names in left]
    return max(np.mean(named), np.mean([best not in names for names in left]))


def iqm_coverage(noise, seeds, studies=2500):
    """Return how often the BCa interval, where there is one, covers the distribution's own middle mean."""
    truth = stats.trim_mean(noise(np.random.default_rng(1), 1_000_000), TRIMMED)
    ends = iqm_interval(noise(np.random.default_rng(seeds), (studies, seeds)))
    told = np.isfinite(ends[:, 0])
    return ((ends[:, 0] <= truth) & (truth <= ends[:, 1]))[told].mean()


def wilson(runs):
    return np.array([failure_interval(count, runs) for count in range(runs + 1)])


def exact(runs):
    return exact_interval(np.arange(runs + 1.0), runs)


def coverage(interval, runs):
    """Return the coverage of a rate's interval at rates .001 to .999; a sum, nothing is drawn."""
    ends = interval(runs)
    rates = np.arange(1, 1000)[:, None] / 1000
    chances = stats.binom.pmf(np.arange(runs + 1), runs, rates)
    return np.where((ends[:, 0] <= rates) & (rates <= ends[:, 1]), chances, 0).sum(axis=1)


def improvement_coverage_with_ties(seeds, ties, better, studies=20_000):
    """Return the coverage where a share of seeds tie and of the others a share is better."""
    chances = [ties, (1 - ties) * better, (1 - ties) * (1 - better)]
    tied, won, _ = np.random.default_rng(seeds).multinomial(seeds, chances, studies).T
    ends = exact_interval(won + tied / 2, seeds)
    truth = chances[1] + ties / 2
    return ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()


def reach_coverage(chance, runs, studies=1000):
    """Return the least coverage of a Kaplan-Meier band at an epoch, with a chance to reach at each."""
    rng = np.random.default_rng(runs)
    truth = 1 - (1 - chance) ** np.arange(EPOCHS + 1)
    ends = np.array([reach_interval(_times(rng, chance, runs)) for _ in range(studies)])
    return ((ends[..., 0] <= truth + 1e-12) & (truth <= ends[..., 1] + 1e-12)).mean(axis=0).min()


def logrank_error(chance, runs, studies=2000):
    """Return how often the times to target of two schemes that are alike are told apart."""
    rng = np.random.default_rng(runs)
    p = [logrank(_times(rng, chance, runs), _times(rng, chance, runs)) for _ in range(studies)]
    return np.mean(np.array(p) <= ALPHA)


def _times(rng, chance, runs):
    epoch = rng.geometric(chance, runs)
    return Times(np.minimum(epoch, EPOCHS), epoch <= EPOCHS, EPOCHS)
