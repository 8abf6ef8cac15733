"""A gain as rows of a table and as sentences; text and HTML share them."""

from __future__ import annotations

from typing import NamedTuple

from fanin.report.gain.record import GainRecord
from fanin.report.numbers import significant

DIGITS = 6


class Row(NamedTuple):
    """One number: its symbol, its value, what it means."""

    symbol: str
    value: str
    meaning: str


def rows(record: GainRecord) -> list[Row]:
    """Return the numbers of a gain with what they mean."""
    squared = "infinite" if record["jumps"] else "unknown"
    values = [
        ("gain", record["gain"], "1/√E[f²], keeps the second moment"),
        ("", record["variance_gain"], "1/√Var f, keeps the variance"),
        ("E[f]", record["mean"], "mean of the outputs"),
        ("E[f²]", record["second_moment"], "their second moment"),
        ("Var f", record["variance"], "their variance"),
        ("E[f′]", record["derivative_mean"], "mean of the derivative"),
        ("E[f′²]", record["derivative_second_moment"], "its second moment"),
        ("χ₁", record["chi_1"], "gain² E[f′²], a layer's factor of squared gradients"),
        ("slope", record["slope"], "of the length map q → V(q) at its fixed point q = 1"),
    ]
    words = {"E[f′²]": squared, "χ₁": "unknown"}
    return [
        Row(symbol, words.get(symbol, "none") if value is None else number(value), meaning)
        for symbol, value, meaning in values
    ]


def number(value: float, digits: int = DIGITS) -> str:
    """Return a number to some digits, without the zeros at its end; rounding errors are 0.

    Example:
        >>> number(1.5335304), number(0.5), number(-2.3e-17), number(1 - 1e-13)
        ('1.53353', '0.5', '0', '1')
    """
    if abs(value) < 1e-15:
        return "0"
    text = significant(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def stability(record: GainRecord) -> str:
    """Return whether signals stay at the fixed point, in a sentence."""
    if record["stability"] == "marginal":
        return "Marginal: a small deviation of q from 1 neither grows nor shrinks with depth."
    words = f"a layer multiplies a small deviation of q from 1 by {number(record['slope'], 4)}."
    if record["stability"] == "stable":
        barely = ", but only just" if abs(record["slope"]) > 0.999 else ""
        return f"Stable{barely}: {words}"
    return f"Unstable: {words} The gain is exact only while nothing disturbs it."


def drift(record: GainRecord) -> str:
    """Return how the second moment develops with depth, in a sentence."""
    path = record["drift"]
    low, middle, high = (_rough(path[key][-1]) for key in ("low", "middle", "high"))
    layers = "1 layer" if path["depth"] == 1 else f"{path['depth']} layers"
    if path["width"] is None:
        return f"After {layers} of infinite width a second moment q of 0.99 is {low}, and one of 1.01 {high}."
    if low == high:
        return f"After {layers} of width {path['width']} the second moment q is {middle}."
    return (
        f"After {layers} of width {path['width']} the second moment q is between {low} and {high} in eight "
        f"of ten networks, its median {middle}."
    )


def breaks(record: GainRecord) -> str:
    """Return where the function has kinks, or nothing; jumps have a note."""
    kinks = record["kinks"]
    if not kinks:
        return ""
    places = ", ".join(number(round(kink, 9)) for kink in kinks[:6])
    return f"{'Kink' if len(kinks) == 1 else 'Kinks'} at x = {places}{', ...' if len(kinks) > 6 else ''}."


def _rough(value: float | None) -> str:
    if value is None:
        return "infinite"
    return "0" if value < 1e-100 else significant(value, 3)
