"""What the text and the HTML of a comparison both say, as rows of strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fanin.report.numbers import (
    NONE,
    decimals_for,
    duration,
    fixed,
    interval,
    p_value,
    plain,
    ranges,
    significant,
)
from fanin.report.schema import ComparisonRecord, Row


@dataclass(frozen=True)
class Line:
    """One scheme of the ranking, ready to print; `place` is its index in the record's ranking."""

    place: int
    rank: str
    scheme: str
    iqm: str
    interval: str
    spread: str
    failed: str
    effect: str
    p: str


@dataclass(frozen=True)
class Waiting:
    """One scheme's time to the target, ready to print."""

    scheme: str
    reached: str
    median: str
    p: str


def ranking(record: ComparisonRecord) -> list[Line]:
    """Return the ranking with as many decimals as the scores' spread allows."""
    rows = record["ranking"]
    values = [row["iqm"] for row in rows]
    fine = decimals_for([_half(row["interval"]) for row in rows], values)
    coarse = min(decimals_for([row["sd"] for row in rows], values, parts=2), fine)
    return [_line(place, row, fine, coarse, record["exploratory"]) for place, row in enumerate(rows)]


def ranking_caption(record: ComparisonRecord) -> str:
    """Return how to read the ranking."""
    words = "IQM is the interquartile mean, the mean of the middle half of the runs, with its 95 % interval."
    if any(row["effect"] for row in record["ranking"]):
        words += f" Effect is the paired difference from {plain(record['control'])}, positive where better."
    if any(line.p for line in ranking(record)):
        words += " Its p-value is adjusted for all schemes tested at once."
    return words


def _half(bounds: Sequence[float] | None) -> float | None:
    return None if bounds is None else (bounds[1] - bounds[0]) / 2


def _line(place: int, row: Row, fine: int, coarse: int, exploratory: bool) -> Line:
    effect, failures = row["effect"], row["failures"]
    tested = effect is not None and not exploratory
    return Line(
        place=place,
        rank=str(row["rank"]),
        scheme=plain(row["scheme"]),
        iqm=fixed(row["iqm"], fine),
        interval=interval(row["interval"], fine),
        spread=NONE if row["mean"] is None else f"{fixed(row['mean'], coarse)} ± {fixed(row['sd'], coarse)}",
        failed=f"{failures['count']}/{row['runs']}",
        effect=fixed(effect["difference"], fine, sign=True) if effect else "control",
        p=p_value(effect["p_adjusted"]) if effect and tested else "",
    )


def waiting(record: ComparisonRecord) -> list[Waiting]:
    """Return the time to the target of each scheme, in the order of the ranking; empty without a target."""
    target = record["time_to_target"]
    if target is None:
        return []
    return [_waiting(row, target["logrank"], record["exploratory"]) for row in record["ranking"]]


def _waiting(row: Row, logrank: dict[str, float | None], exploratory: bool) -> Waiting:
    time, p = row["time_to_target"], logrank.get(row["scheme"])
    reached = f"{time['reached']}/{row['runs']}" if time else NONE
    median = "not reached" if time is None or time["median"] is None else f"epoch {time['median']:g}"
    return Waiting(plain(row["scheme"]), reached, median, "" if exploratory or p is None else p_value(p))


def schemes(record: ComparisonRecord) -> list[str]:
    """Return the schemes in the user's order, which colours follow so that a new ranking keeps them."""
    ranked = [row["scheme"] for row in record["ranking"]]
    asked = [name for name in record["study"].get("schemes", []) if name in ranked]
    return list(dict.fromkeys([*asked, *ranked]))


_ABBREVIATIONS = {"auc", "mae", "mape", "mse", "msle", "rmse"}


def label(metric: str) -> str:
    """Return a logged quantity in words, as the study's plain lines have it.

    Example:
        >>> label("val_loss"), label("accuracy"), label("val_mean_absolute_error"), label("val_mae")
        ('Test Loss', 'Train Accuracy', 'Test Mean Absolute Error', 'Test MAE')
    """
    held_out = metric.startswith("val_")
    words = plain(metric.removeprefix("val_")).replace("_", " ").split()
    shown = [word.upper() if word in _ABBREVIATIONS else word[:1].upper() + word[1:] for word in words]
    return " ".join(["Test" if held_out else "Train", *shown])


def final_metrics(record: ComparisonRecord) -> list[str]:
    """Return the quantities of the plain lines: those on held-out data if there are any, the loss first."""
    logged = list(dict.fromkeys(metric for row in record["ranking"] for metric in row["final"]))
    held_out = [metric for metric in logged if metric.startswith("val_")] or logged
    return sorted(held_out, key=lambda metric: metric.removeprefix("val_") != "loss")


def finals(record: ComparisonRecord) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each scheme with its final (label, value) pairs, means over seeds."""
    names = final_metrics(record)
    return [
        (plain(row["scheme"]), [(label(name), significant(row["final"].get(name))) for name in names])
        for row in record["ranking"]
    ]


def score_name(record: ComparisonRecord) -> str:
    """Return what ranks the runs and which way is better.

    Example:
        >>> score_name({"score": {"metric": "val_loss", "direction": "min"}})
        'val_loss, lower is better'
    """
    score = record["score"]
    return f"{plain(score['metric'])}, {'higher' if score['direction'] == 'max' else 'lower'} is better"


def target_name(record: ComparisonRecord) -> str:
    """Return the target as a condition, such as "val_loss ≤ 0.3"; empty without one."""
    target = record["time_to_target"]
    if target is None:
        return ""
    return f"{plain(target['metric'])} {'≥' if target['direction'] == 'max' else '≤'} {target['value']:g}"


def speed(record: ComparisonRecord) -> str:
    """Return what the comparison cost, in one line."""
    trained, reused, seconds = (record["speed"][key] for key in ("trained", "reused", "seconds"))
    kept = f"{reused:,} reused from the store"
    if not trained:
        return f"No run trained, {kept}."
    rate = f" ({significant(trained / seconds, 3)} runs/s)" if seconds > 0 else ""
    return f"{trained:,} runs trained in {duration(seconds)}{rate}" + (f", {kept}." if reused else ".")


def size(record: ComparisonRecord) -> str:
    """Return how much was compared, such as "4 schemes × 100 seeds × 10 epochs"."""
    study = record["study"]
    seeds = study.get("seeds") or {run["seed"] for run in record["runs"]}
    counts = [(len(record["ranking"]), "scheme"), (len(seeds), "seed"), (study.get("epochs"), "epoch")]
    return " × ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count)


def seeds(record: ComparisonRecord) -> str:
    """Return the seeds, runs of them joined."""
    return ranges(record["study"].get("seeds") or {run["seed"] for run in record["runs"]})
