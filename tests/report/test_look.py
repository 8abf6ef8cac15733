import itertools

import pytest

from fanin.report.look import COLOUR_NAMES, COLOURS, LIGHT, PAGE, css_variables, dash

THEMES = ("light", "dark")


def variables(theme):
    pairs = (each.split(":") for each in css_variables(theme).strip(";").split(";"))
    return {name.removeprefix("--"): channels(value) for name, value in pairs}


def channels(colour):
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def blend(colour, paper, opacity):
    return [opacity * c + (1 - opacity) * p for c, p in zip(colour, paper, strict=True)]


@pytest.mark.parametrize("theme", THEMES)
def test_text_stands_out_from_the_paper(theme):
    names = variables(theme)
    for name in ("ink", "muted", "bad"):
        assert contrast(names[name], names["paper"]) >= 4.5, name


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("cell", ["better", "worse"])
def test_numbers_stand_out_from_the_cells_of_the_matrix(theme, cell):
    names = variables(theme)
    for ink, opacity in [("ink", 0.62), ("muted", 0.17)]:  # clear cells at most, and those that are not
        assert contrast(names[ink], blend(names[cell], names["paper"], opacity)) >= 4, ink


@pytest.mark.parametrize("theme", THEMES)
def test_schemes_are_told_apart(theme):
    colours = [channels(colour) for colour in COLOURS[theme]]
    for one, other in itertools.combinations(colours, 2):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > 0.25
    for colour in colours:
        assert contrast(colour, variables(theme)["paper"]) > 2


def test_forty_schemes_have_a_mark_of_their_own():
    places = range(40)
    marks = zip(LIGHT.colours_of(places), map(tuple, LIGHT.dashes_of(places)), strict=True)
    assert len(set(marks)) == 40
    assert dash(40) == dash(0)


def test_both_themes_name_every_colour_a_page_asks_for():
    asked = {PAGE.ink, PAGE.muted, PAGE.grid, PAGE.paper, PAGE.better, PAGE.worse, PAGE.bad, *PAGE.colours}
    for theme in THEMES:
        assert asked == {f"var(--{name})" for name in variables(theme)}
    assert len(COLOUR_NAMES) == len(COLOURS["light"]) == len(COLOURS["dark"])
