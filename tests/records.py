"""Comparison records such as real studies give: curves that descend, level off, diverge or never start."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import stats

from fanin.report.schema import COMPARISON_SCHEMA, ComparisonRecord

SEED_STUDY = ["zeros", "random_normal", "glorot_normal", "he_normal"]
METRICS = ("accuracy", "loss", "val_accuracy", "val_loss")
# Final accuracy, its sd over seeds, and epochs until the loss has fallen by e.
CHARACTER = {
    "zeros": (0.505, 0.0, 1e9),
    "random_normal": (0.926, 0.006, 3.2),
    "glorot_normal": (0.920, 0.011, 2.6),
}


def comparison(
    schemes: list[str] | int = 4,
    seeds: int = 100,
    *,
    epochs: int = 10,
    diverging: dict[str, float] | None = None,
    target: float | None = 0.3,
    control: bool = True,
    metric: str = "val_accuracy",
    examples: int = 200,
) -> ComparisonRecord:
    """Return the record of a made-up study; `diverging` gives the share of failed runs of some schemes."""
    names = scheme_names(schemes) if isinstance(schemes, int) else schemes
    rng = np.random.default_rng(7)
    curves = {
        name: learning(name, seeds, epochs, examples, rng, (diverging or {}).get(name, 0.0)) for name in names
    }
    direction = "min" if "loss" in metric else "max"
    scores = {name: run[metric][:, -1] for name, run in curves.items()}
    chosen = names[min(2, len(names) - 1)] if control else None
    rows = ranking(names, scores, curves, direction, chosen if len(names) > 1 else None, seeds)
    times = reach(curves, target, epochs) if target is not None else None
    for row in rows:
        if times:
            row["time_to_target"] = times[1][row["scheme"]]
    failing = sum(row["failures"]["count"] for row in rows)
    best = rows[0]["scheme"]
    return {
        "schema": COMPARISON_SCHEMA,
        "verdict": verdict(best, rows, chosen, seeds),
        "exploratory": seeds < 8,
        "notes": [f"{failing} runs diverged; they rank last, and none is left out."] if failing else [],
        "score": {"metric": metric, "direction": direction},
        "control": chosen,
        "alpha": 0.05,
        "ranking": rows,
        "improvement": improvements(rows, scores, direction),
        "time_to_target": times[0] if times else None,
        "curves": {name: {key: band(values) for key, values in run.items()} for name, run in curves.items()},
        "runs": list(runs(curves, metric)),
        "study": study(names, seeds, epochs),
        "speed": {"trained": len(names) * seeds, "reused": 0, "seconds": 1.1 + 0.00165 * len(names) * seeds},
        "environment": {
            "fanin": "0.1.0", "python": "3.11.2", "keras": "3.15.0", "jax": "0.10.0", "numpy": "2.4.1",
            "system": "Linux x86_64, 2 cores", "date": "2026-01-15 12:00 UTC",
        },
    }  # fmt: skip


def scheme_names(count: int) -> list[str]:
    families = ["he", "glorot", "lecun", "orthogonal", "truncated"]
    more = [f"{family}_{kind}" for kind in ("normal", "uniform") for family in families]
    scaled = [f"{name} x {gain}" for gain in (0.5, 2, 4) for name in more]
    return (SEED_STUDY + [name for name in more + scaled if name not in SEED_STUDY])[:count]


def character(name: str) -> tuple[float, float, float]:
    if name in CHARACTER:
        return CHARACTER[name]
    own = np.random.default_rng(sum(map(ord, name)))
    return 0.87 + 0.05 * own.random(), 0.006 + 0.01 * own.random(), 1.5 + 3 * own.random()


def learning(name, seeds, epochs, examples, rng, diverging):
    """Return (seeds, epochs) values of each metric; diverged runs turn to NaN at some epoch."""
    final, sd, slowness = character(name)
    time = np.arange(1, epochs + 1)[None]
    left = np.exp(-time / (slowness * rng.lognormal(0, 0.15, (seeds, 1))))
    ability = final + sd * rng.standard_normal((seeds, 1))
    loss = (
        0.69 * left
        + 1.9 * (1 - ability) * (1 - left)
        + (0 if sd == 0 else 0.01) * rng.standard_normal(left.shape)
    )
    accuracy = 0.5 + (ability - 0.5) * (1 - 0.6 * left) if sd else np.full(left.shape, final)
    values = {
        "accuracy": accuracy + 0.02 * (1 - left) * (sd > 0),
        "loss": np.maximum(loss * (1 - 0.25 * (1 - left)), 1e-3),
        "val_accuracy": np.round(accuracy * examples) / examples,
        "val_loss": np.maximum(loss, 1e-3),
    }
    when = rng.integers(1, max(epochs, 2), seeds)
    lost = (np.arange(seeds) < round(diverging * seeds))[:, None] & (
        np.arange(epochs) >= when[:, None] - (epochs == 1)
    )
    return {key: np.where(lost, np.nan, array) for key, array in values.items()}


def ranking(names, scores, curves, direction, control, seeds):
    sign = 1 if direction == "max" else -1
    rows = [row(name, scores[name], curves[name], seeds) for name in names]
    for each in rows:
        if control and each["scheme"] != control:
            each["effect"] = effect(
                sign * (scores[each["scheme"]] - scores[control]), control, len(names), seeds
            )
    rows.sort(key=lambda each: -np.inf if each["iqm"] is None else sign * each["iqm"], reverse=True)
    return [each | {"rank": rank} for rank, each in enumerate(rows, 1)]


def row(name, values, curves, seeds):
    alive = values[np.isfinite(values)]
    center, spread, bounds = None, None, None
    if alive.size:
        center = float(stats.trim_mean(alive, 0.25))
        draws = np.random.default_rng(0).choice(alive, (400, alive.size))
        bounds = [float(q) for q in np.quantile(stats.trim_mean(draws, 0.25, axis=1), [0.025, 0.975])]
        spread = float(alive.std(ddof=1)) if alive.size > 1 else None
    failed = int(seeds - alive.size)
    low, high = stats.binomtest(failed, seeds).proportion_ci(method="wilson")
    return {
        "rank": 0, "scheme": name, "runs": seeds, "iqm": center,
        "interval": bounds if alive.size > 2 else None,
        "mean": float(alive.mean()) if alive.size else None, "sd": spread,
        "failures": {"count": failed, "rate": failed / seeds, "interval": [float(low), float(high)]},
        "effect": None, "time_to_target": None,
        "final": {key: finite(array[:, -1][np.isfinite(array[:, -1])].mean()) if alive.size else None
                  for key, array in curves.items()},
    }  # fmt: skip


def effect(differences, control, schemes, seeds):
    known = differences[np.isfinite(differences)]
    if known.size < 2:
        return {"control": control, "difference": None, "statistic": None, "p_adjusted": None}
    test = stats.ttest_1samp(known, 0) if known.std() > 1e-9 else None
    p = None if seeds < 8 or test is None else min(float(test.pvalue) * (schemes - 1), 1.0)
    return {
        "control": control,
        "difference": float(known.mean()),
        "statistic": float(test.statistic) if test else None,
        "p_adjusted": p,
    }


def improvements(rows, scores, direction):
    sign = 1 if direction == "max" else -1
    pairs = []
    for one, other in itertools.permutations([each["scheme"] for each in rows], 2):
        a, b = (np.nan_to_num(sign * scores[name], nan=-np.inf) for name in (one, other))
        share = float(np.mean((a[:, None] > b) + 0.5 * (a[:, None] == b)))
        half = 1.96 * np.sqrt(share * (1 - share) / len(a))
        pairs.append({"a": one, "b": other, "probability": share,
                      "interval": [max(share - half, 0.0), min(share + half, 1.0)]})  # fmt: skip
    return pairs


def reach(curves, target, epochs):
    """Return the target's record and each scheme's summary; no run is censored before the last epoch."""
    grid = [0.0, *map(float, range(1, epochs + 1))]
    record = {"metric": "val_loss", "value": target, "direction": "min", "curves": {}, "logrank": {}}
    summaries = {}
    for place, (name, run) in enumerate(curves.items()):
        hit = run["val_loss"] <= target
        first = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, np.inf)
        share = np.array([(first <= epoch).mean() for epoch in grid])
        half = 1.96 * np.sqrt(share * (1 - share) / len(first))
        bounds = {"low": np.maximum(share - half, 0).tolist(), "high": np.minimum(share + half, 1).tolist()}
        record["curves"][name] = {"epoch": grid, "reached": share.tolist(), **bounds}
        record["logrank"][name] = None if place == 2 else float(10.0 ** -(place + 1))
        middle = float(np.median(first))
        summaries[name] = {
            "reached": int(np.isfinite(first).sum()),
            "median": middle if np.isfinite(middle) else None,
        }
    return record, summaries


def band(values):
    columns = [column[np.isfinite(column)] for column in values.T]
    if np.isfinite(values).all():
        middle, (low, high) = stats.trim_mean(values, 0.25), np.quantile(values, [0.25, 0.75], axis=0)
    else:
        middle = [stats.trim_mean(column, 0.25) if column.size else np.nan for column in columns]
        low, high = ([np.quantile(c, q) if c.size else np.nan for c in columns] for q in (0.25, 0.75))
    epochs = list(range(1, len(columns) + 1))
    bands = {"center": middle, "low": low, "high": high}
    return {"epoch": epochs} | {key: [finite(value) for value in line] for key, line in bands.items()}


def runs(curves, metric):
    for seed in range(len(next(iter(curves.values()))[metric])):
        for name, run in curves.items():
            score = finite(run[metric][seed, -1])
            yield {
                "scheme": name, "seed": seed, "score": score, "failed": score is None, "seconds": 0.00165,
                "curves": {key: [finite(value) for value in array[seed]] for key, array in run.items()},
            }  # fmt: skip


def finite(value):
    return float(value) if np.isfinite(value) else None


def study(names, seeds, epochs):
    return {
        "id": "3f2a9c0b17de4455", "builder": "mlp", "builder_fingerprint": "9b0c", "takes_initializer": True,
        "data": "seed", "data_sha256": "77aa", "epochs": epochs, "batch_size": 32, "optimizer": "adam",
        "loss": "binary_crossentropy", "metrics": ["accuracy"], "class_weight": None, "backend": "jax",
        "schemes": names, "seeds": list(range(seeds)),
        "command": f"fanin compare --seeds {seeds} --html report.html",
    }  # fmt: skip


def verdict(best, rows, control, seeds):
    if seeds < 8:
        return f"Exploratory: {seeds} seeds cannot support a conclusion; {best} leads, at least 8 are needed."
    effect = rows[0]["effect"]
    if not effect or effect["p_adjusted"] is None or effect["p_adjusted"] > 0.05:
        return f"No single best scheme: {seeds} seeds cannot tell {best} from the others (adjusted p = .286)."
    return (
        f"{best} trains this model best: {effect['difference']:+.3f} (95 % interval .012-.034) against "
        f"{control}, beyond luck (adjusted p < .001, {seeds} seeds)."
    )


def empty() -> ComparisonRecord:
    """Return a record in which nothing is finite and every optional number is missing."""
    record = comparison(["a", "b"], 3, diverging={"a": 1.0, "b": 1.0})
    record["verdict"] = "No run of any scheme stayed finite."
    record["improvement"] = [each | {"probability": 0.5, "interval": None} for each in record["improvement"]]
    record["study"] |= {"command": None}
    return record
