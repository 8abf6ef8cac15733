"""Numbers as text: no more digits than the data carry, a dash where there is no number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

NONE = "–"


def significant(value: float | None, digits: int = 4) -> str:
    """Return a number to some significant digits, without an exponent where it can be read without.

    Example:
        >>> significant(0.92666), significant(123456.7), significant(3.2e-7), significant(None)
        ('0.9267', '1.235e5', '3.2e-7', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if not -4 <= exponent < 5:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(power)}"
    return f"{value:.{max(digits - 1 - exponent, 0)}f}"


def fixed(value: float | None, decimals: int, *, sign: bool = False) -> str:
    """Return a number with some decimals, or in short scientific form where those would not show it.

    Example:
        >>> fixed(0.92666, 3), fixed(0.02511, 3, sign=True), fixed(-2.5e7, 3), fixed(None, 3)
        ('0.927', '+0.025', '-2.5e7', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:.{decimals}f}" if abs(value) < 1e5 else significant(value, 3)
    if float(text) == 0:
        text = text.lstrip("-")
    return f"+{text}" if sign and float(text) > 0 else text


def decimals_for(spreads: Iterable[float | None], values: Iterable[float | None], *, parts: int = 10) -> int:
    """Return the decimals that resolve a typical spread: a score is known no better than it varies.

    Where nothing varies, four significant digits are shown.

    Args:
        spreads: Standard deviations or half-widths of intervals; zeros and None do not count.
        values: The numbers to be shown.
        parts: Units of the last decimal that the median spread has at least.

    Example:
        >>> decimals_for([0.0056, 0.014], [0.926, 0.901]), decimals_for([0.0056, 0.014], [0.926], parts=2)
        (3, 3)
        >>> decimals_for([None], [0.926])
        4
    """
    sizes = sorted(abs(value) for value in values if value and math.isfinite(value))
    size = sizes[len(sizes) // 2] if sizes else 1.0
    known = sorted(spread for spread in spreads if spread and 1e-9 * size < spread < math.inf)
    unit = known[len(known) // 2] / parts if known else 10 ** (math.floor(math.log10(size)) - 3)
    return min(max(math.ceil(-math.log10(unit)), 0), 6)


def interval(bounds: list[float] | None, decimals: int) -> str:
    """Return an interval.

    Example:
        >>> interval([0.92581, 0.92749], 4)
        '[0.9258, 0.9275]'
    """
    return NONE if bounds is None else f"[{fixed(bounds[0], decimals)}, {fixed(bounds[1], decimals)}]"


def p_value(value: float | None) -> str:
    """Return a p-value; below one in a thousand only that much is said.

    Example:
        >>> p_value(0.0123), p_value(0.00002), p_value(1.0), p_value(None)
        ('.012', '<.001', '1.000', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def percent(value: float | None) -> str:
    """Return a share as a percentage; 100 % is said only of all.

    Example:
        >>> percent(0.0374), percent(1.0), percent(0.25), percent(0.999)
        ('3.7 %', '100 %', '25 %', '>99 %')
    """
    if value is None or not math.isfinite(value):
        return NONE
    return ">99 %" if 0.995 <= value < 1 else f"{significant(100 * value, 2)} %"


def duration(seconds: float) -> str:
    """Return a time span.

    Example:
        >>> duration(0.66), duration(75), duration(7300)
        ('0.66 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{significant(seconds, 2 if seconds < 10 else 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def ranges(numbers: Iterable[int]) -> str:
    """Return whole numbers with runs of them joined.

    Example:
        >>> ranges([0, 1, 2, 3, 7, 9, 10])
        '0–3, 7, 9, 10'
    """
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    parts = [f"{span[0]}–{span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in spans]
    return ", ".join(parts)


def tied(text: str) -> str:
    r"""Return a sentence that no line break parts at "p < .001" or "95 %": their spaces do not break.

    Example:
        >>> tied("a 95 % interval (p < .001)").split(" ")
        ['a', '95\xa0%', 'interval', '(p\xa0<\xa0.001)']
    """
    return re.sub(r" (?=[%<=≤≥±])|(?<=[<=≤≥±]) ", "\N{NO-BREAK SPACE}", text)


def plain(text: object) -> str:
    r"""Return a user's string without control characters, so that it cannot move the cursor or hide.

    Example:
        >>> plain("he\x1b[31m_normal\n")
        'he�[31m_normal�'
    """
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(text))
