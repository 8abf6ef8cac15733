"""The page in a browser."""

import pytest

from fanin.report.profile import html
from profiles import blocks, broken, layer, mlp, profile

BESIDE = mlp(5).compare(mlp(5, factor=0.45, source="measured"))


def page(made, beside=None):
    return html.page(made.to_dict(), None if beside is None else beside.to_dict())


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_draws_and_says_everything(visit, width, scheme):
    with visit(page(mlp(5), BESIDE), width=width, color_scheme=scheme) as shown:
        assert shown.title() == "fanin propagate: Net"
        assert shown.locator("h1").inner_text() == "Signals shrink 16-fold, gradients grow 8.0-fold."
        assert shown.locator("[data-chart] svg").count() == 3
        assert shown.locator("html[data-error]").count() == 0
        rows = shown.locator("details", has_text="χ₁: factor").locator("tbody tr")
        assert rows.count() == 9
        assert "Predicted and measured" in shown.locator("main").inner_text()
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


def test_points_of_both_are_in_the_chart(visit):
    with visit(page(mlp(5), BESIDE)) as shown:
        points = shown.locator('[data-chart="forward"] .mark-symbol path')
        assert points.count() == 2 * 9


def test_parameters_open(visit):
    with visit(page(mlp(5))) as shown:
        shown.get_by_role("heading", name="Parameters").click()
        assert shown.locator("details", has_text="Root mean square").locator("tbody tr").count() == 5


def test_unknown_layers_say_why(visit):
    with visit(page(broken())) as shown:
        text = shown.locator("main").inner_text()
        assert "Signals are unknown from lost (model.py:7) on: my::op (op_1)." in text
        assert shown.locator("tr.unknown").count() == 3


def test_long_models_scroll_inside(visit):
    with visit(page(blocks(60)), width=390) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390


def test_names_are_text_and_never_markup(visit):
    evil = '</script><script>document.title="x"</script><b>'
    made = profile([layer(evil, 1.0, 1.0, kind=evil)], model=evil, inputs=evil, notes=(evil,))
    with visit(page(made)) as shown:
        assert evil in shown.locator("main p.note").inner_text()
        assert shown.title() == f"fanin propagate: {evil}"


def test_a_page_without_layers_is_one(visit):
    with visit(page(profile([])), drawn=False) as shown:
        assert "Nothing is known" in shown.locator("h1").inner_text()


@pytest.mark.parametrize("made", [mlp(3), broken(), BESIDE])
def test_notebooks_get_a_fragment_of_their_own(made):
    text = made._repr_html_()
    assert text.startswith('<div class="fanin-profile">')
    assert "<script" not in text
