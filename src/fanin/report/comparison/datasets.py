"""A record as the rows that charts draw; the page's script does the same to the record it holds."""

from __future__ import annotations

from typing import Any

from fanin.report.schema import ComparisonRecord, Improvement

Rows = list[dict[str, Any]]


def datasets(record: ComparisonRecord) -> dict[str, Rows]:
    """Return named rows: runs, ranking, curves, survival, improvement."""
    target = record["time_to_target"]
    survival = target["curves"] if target else {}
    return {
        "runs": [{key: run[key] for key in ("scheme", "seed", "score", "failed")} for run in record["runs"]],
        "ranking": [dict(row) for row in record["ranking"]],
        "curves": [
            {"scheme": scheme, "metric": metric, **band}
            for scheme, bands in record["curves"].items()
            for metric, band in bands.items()
        ],
        "survival": [{"scheme": scheme, **curve} for scheme, curve in survival.items()],
        "improvement": [dict(pair) for pair in both_ways(record["improvement"])],
    }


def both_ways(pairs: list[Improvement]) -> list[Improvement]:
    """Return the pairs with the reverse of each that is not there: P(b beats a) = 1 - P(a beats b)."""
    known = {(pair["a"], pair["b"]) for pair in pairs}
    return pairs + [_reverse(pair) for pair in pairs if (pair["b"], pair["a"]) not in known]


def _reverse(pair: Improvement) -> Improvement:
    bounds = pair["interval"]
    return {
        "a": pair["b"],
        "b": pair["a"],
        "probability": 1 - pair["probability"],
        "interval": None if bounds is None else [1 - bounds[1], 1 - bounds[0]],
    }
