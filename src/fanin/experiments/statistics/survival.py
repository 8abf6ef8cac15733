"""How soon a target is reached: Kaplan-Meier curves and the log-rank test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fanin.experiments.statistics.improvement import exact_interval


@dataclass(frozen=True, eq=False)
class Times:
    """When the runs of a scheme reached the target.

    Args:
        epoch: First epoch (from 1) that reached it; the study's last epoch where none did, (runs,).
        reached: Whether it was reached, (runs,); where not, the run is right-censored.
        last: The study's last epoch.
    """

    epoch: NDArray[np.int64]
    reached: NDArray[np.bool_]
    last: int

    def censored(self) -> stats.CensoredData:
        """Return the times as scipy wants them."""
        return stats.CensoredData.right_censored(self.epoch, ~self.reached)

    def median(self) -> float | None:
        """Return the first epoch by which half of the runs have reached the target, or None."""
        share = kaplan_meier(self)
        return float(np.argmax(share >= 0.5)) if share[-1] >= 0.5 else None


def times_to(good_enough: NDArray[np.bool_], failed: NDArray[np.bool_]) -> Times:
    """Return when runs reached a target; a run that failed did not keep what it reached.

    Args:
        good_enough: Whether each epoch's value is at the target or beyond, (runs, epochs).
        failed: Which runs failed, (runs,).

    Example:
        >>> import numpy as np
        >>> hits = np.array([[False, True, True], [True, True, True], [False, False, False]])
        >>> times_to(hits, np.array([False, True, False])).epoch.tolist()
        [2, 3, 3]
    """
    last = good_enough.shape[-1]
    reached = good_enough.any(axis=-1) & ~failed
    return Times(np.where(reached, good_enough.argmax(axis=-1) + 1, last), reached, last)


def kaplan_meier(times: Times) -> NDArray[np.float64]:
    """Return the Kaplan-Meier estimate of the share of runs that have reached the target, epochs 0 to last.

    No run is censored before the last epoch, so the product of the shares still waiting is one share,
    and is counted: a product would be rounded, and miss a half by a hair.

    Example:
        >>> import numpy as np
        >>> kaplan_meier(Times(np.array([1, 2, 3, 3]), np.array([True, True, False, False]), 3)).tolist()
        [0.0, 0.25, 0.5, 0.5]

    References:
        Kaplan and Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.
    """
    waited = np.where(times.reached, times.epoch, np.inf)
    return (waited <= np.arange(times.last + 1)[:, None]).mean(axis=1)


def reach_interval(times: Times) -> NDArray[np.float64]:
    """Return pointwise 95 % intervals of the Kaplan-Meier curve, (last + 1, 2).

    Runs are censored at the last epoch only, so the number that reached the target by an epoch is
    binomial, and its exact interval holds; Greenwood's does not exist where none or all have reached it.
    """
    runs = len(times.epoch)
    ends = exact_interval(kaplan_meier(times) * runs, runs)
    ends[0] = 0.0  # before the first epoch nothing can have been reached
    return ends


def logrank(first: Times, second: Times) -> float:
    """Return the two-sided log-rank p of two schemes; 1 where their curves cannot differ.

    References:
        Mantel (1966), Evaluation of survival data, Cancer Chemother. Rep. 50.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = float(stats.logrank(first.censored(), second.censored()).pvalue)
    return p if np.isfinite(p) else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's method: their family-wise error rate is held under any dependence.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    References:
        Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * (len(values) - np.arange(len(values)))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted.tolist()
