"""Mean field theory as rows of a table and as sentences; text and HTML share them."""

from __future__ import annotations

from fanin.report.gain.rows import Row, number
from fanin.report.numbers import percent, significant
from fanin.report.phase.record import CriticalPointRecord, DiagramRecord, LineRecord, MeanFieldRecord

_ROUND = ("0.01", "0.03", "0.1", "0.3", "1", "3", "10", "30", "100")


def rows(record: MeanFieldRecord) -> list[Row]:
    """Return the numbers of mean field theory with what they mean."""
    limit = {"vanishing": "0", "unbounded": "infinite"}.get(record["phase"])
    jumps = record["chi_1"] is None and record["phase"] == "chaotic"
    chi = "infinite" if jumps else _known(record["chi_1"])
    found = [
        Row("q", limit or _known(record["q"]), "variance of the pre-activations, deep down"),
        Row("χ₁", chi, "factor of squared gradients, and of small distances"),
        Row("slope", _known(record["slope"]), "of the variance map at q"),
    ]
    if limit or record["c"] is None:
        return found
    return [
        *found,
        Row("c", _known(record["c"]), "correlation of two inputs, deep down"),
        Row("χ_c", chi if record["c"] == 1 else _known(record["chi_c"]), "slope of the correlation map at c"),
        Row("ξ_q", _depth(record["xi_q"]), "layers in which the variance comes e times closer to q"),
        Row("ξ_c", _depth(record["xi_c"]), "layers in which correlations come e times closer to c"),
        Row("ξ_∇", _gradient(record), "layers in which squared gradients change e-fold"),
        Row("6 ξ_c", _depth(record["trainable_depth"]), "about the deepest network that trains"),
    ]


def verdict(record: MeanFieldRecord) -> str:
    """Return what the phase means, in a sentence."""
    return {
        "ordered": "Ordered: inputs become alike with depth, and gradients vanish.",
        "critical": "Critical: gradients keep their size, and inputs approach each other slower than any "
        "exponential.",
        "chaotic": "Chaotic: close inputs part with depth, and gradients explode.",
        "vanishing": "Vanishing: signals die out with depth.",
        "unbounded": "Unbounded: signals grow with depth without end.",
        "unknown": "Unknown: the slope of the activation has no bound, so nobody knows χ₁.",
    }[record["phase"]]


def fixed_points(record: MeanFieldRecord) -> str:
    """Return the variances that stay, in a sentence; nothing where there is the one of the table."""
    others = [point for point in record["fixed_points"] if point["q"] != record["q"]]
    if not others:
        return ""
    words = [
        f"{number(point['q'])} ({point['stability']}, slope {number(point['slope'], 4)})" for point in others
    ]
    head = "Other variances that stay" if len(words) > 1 else "Another variance that stays"
    return f"{head}: {', '.join(words)}."


def line(record: LineRecord) -> list[str]:
    """Return a critical line in sentences."""
    halves = [
        f"Half-stable: q = {number(point['q'], 11)}, σ_w² = {number(point['weight_variance'], 11)}, "
        f"σ_b² = {number(point['bias_variance'], 10)}."
        for point in record["half_stable"]
    ]
    return [*map(_without_bias, record["without_bias"]), *halves, *record["notes"]]


def _without_bias(point: CriticalPointRecord) -> str:
    where = "for small q" if point["q"] == 0 else f"at q = {number(point['q'])}"
    weight = number(point["weight_variance"])
    return f"Critical without biases: σ_w² = {weight} {where}, {point['stability']}."


def chosen(record: LineRecord) -> list[CriticalPointRecord]:
    """Return the points of a line at round q from .01 to 100; one where all are the same."""
    points = record["points"]
    if points and not any(point["bias_variance"] for point in points):
        return [point for point in points if point["q"] == 1]
    return [point for point in points if f"{point['q']:g}" in _ROUND]


def extent(record: DiagramRecord) -> str:
    """Return what a diagram spans, and how much of it is which phase."""
    cells = [phase for row in record["phase"] for phase in row]
    counts = {phase: cells.count(phase) for phase in dict.fromkeys(cells)}
    shares = [
        f"{percent(count / len(cells))} {phase}"
        for phase, count in sorted(counts.items(), key=lambda x: -x[1])
    ]
    weights, biases = record["weight_variances"], record["bias_variances"]
    ends = [significant(value, 3) for value in (weights[0], weights[-1], biases[0], biases[-1])]
    return f"For σ_w² from {ends[0]} to {ends[1]}, σ_b² from {ends[2]} to {ends[3]}: {', '.join(shares)}."


def setting(record: MeanFieldRecord) -> str:
    """Return the variances that it is about."""
    return f"σ_w² = {number(record['weight_variance'], 11)}, σ_b² = {number(record['bias_variance'], 11)}"


def _known(value: float | None) -> str:
    return "unknown" if value is None else number(value)


def _depth(value: float | None) -> str:
    return "infinite" if value is None else significant(value, 4)


def _gradient(record: MeanFieldRecord) -> str:
    value = record["xi_gradient"]
    if value is None:
        return "infinite"
    shrinks = record["chi_1"] is not None and record["chi_1"] < 1
    return f"{significant(abs(value), 4)} ({'shrink' if shrinks else 'grow'})"
