"""The page in a browser."""

import pytest
import torch

import fanin
from diagnoses import EVIL, blocks, diagnosis, evil, finding, layer, mlp, several, unmade, vanishing
from fanin.report.diagnosis import html
from fanin.rules.records import rule_records
from rules.faulty import faint_and_loud

PRINTED = EVIL.replace("\x1b", "\ufffd").replace("\n", "\ufffd")


def page(made):
    return html.page(made.to_dict(), rule_records())


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("made", [vanishing(), several()])
def test_a_page_draws_and_says_everything(visit, made, width, scheme):
    with visit(page(made), width=width, color_scheme=scheme) as shown:
        assert shown.title() == "fanin check: Net"
        assert shown.locator("h1").inner_text().startswith("Not healthy at step 0: ")
        assert shown.locator("[data-chart] svg").count() == 2
        assert shown.locator("html[data-error]").count() == 0
        assert shown.locator(".card").count() == len(made.findings)
        assert shown.locator(".numbers tbody tr").count() == len(made.vitals.layers)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


def test_a_card_says_what_follows_and_what_the_rule_is(visit):
    with visit(page(vanishing())) as shown:
        card = shown.locator(".card")
        assert card.locator("h2").inner_text() == "errorFWD101 vanishing-forward-signal at 0 (Linear)"
        assert "0.8 to 1.25 a layer" in card.locator("dl").inner_text()
        follows, about = card.locator("details").all()
        follows.locator("summary").click()
        assert follows.locator("li").count() == 2
        assert "BWD103 tiny gradient at 2.weight" in follows.inner_text()
        about.locator("summary").click()
        assert "He et al. (2015)" in about.inner_text()
        assert about.locator("b").first.inner_text() == "What it checks."


def colours_of(shown, chart, mark):
    """Return the colours of a chart's marks, as they are drawn."""
    script = "(marks) => marks.map((mark) => getComputedStyle(mark).fill)"
    return shown.locator(f'[data-chart="{chart}"] {mark} path').evaluate_all(script)


def test_findings_are_marked_in_the_chart(visit):
    with visit(page(several())) as shown:
        codes = shown.locator('[data-chart="forward"] .mark-text.role-mark text').all_text_contents()
        assert {"SAT101", "SET103", "SAT104", "OUT103"} <= set(codes)
        assert codes.count("0") == 2  # two layers whose outputs are all 0
        rules = shown.locator('[data-chart="forward"] .mark-rule.role-mark line')
        assert rules.count() == 4
        colours = colours_of(shown, "forward", ".mark-symbol")
        assert len(set(colours)) == 4  # error, warning, info, none


def test_a_vanishing_signal_is_marked_where_signals_are(visit):
    with visit(page(vanishing())) as shown:
        colours = colours_of(shown, "forward", ".mark-symbol")
        assert len(colours) == 9
        assert len(set(colours)) == 2
        assert len(set(colours_of(shown, "backward", ".mark-symbol"))) == 1


def test_rows_of_the_table_are_marked(visit):
    with visit(page(several())) as shown:
        assert shown.locator("tr.error").inner_text().split("\t")[0] == "act"
        assert "SAT101, saturated 73 %" in shown.locator("tr.error").inner_text()
        assert shown.locator("tr.warning").count() == 2


def test_layers_with_the_same_path_are_different_places(visit):
    with visit(page(blocks(2))) as shown:
        points = shown.locator('[data-chart="forward"] .mark-symbol path')
        assert points.count() == 2 + 2 * 5
        labels = shown.locator('[data-chart="forward"] .role-axis-label text').all_text_contents()
        assert "head" in labels
        assert not [label for label in labels if ":" in label]


def test_long_models_scroll_inside(visit):
    with visit(page(blocks(60)), width=390) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390


def test_names_are_text_and_never_markup(visit):
    with visit(page(evil())) as shown:
        assert shown.title() == f"fanin check: {PRINTED}"
        assert PRINTED in shown.locator("main p.note").inner_text()
        assert PRINTED in shown.locator(".card > p").inner_text()


def test_a_healthy_model(visit):
    with visit(page(mlp(3, 1.0))) as shown:
        assert shown.locator("h1").inner_text() == "Healthy at step 0: 14 rules found nothing."
        assert shown.locator(".card").count() == 0


def test_a_page_without_layers_is_one(visit):
    with visit(page(unmade()), drawn=False) as shown:
        assert "unmade parameters" in shown.locator("h1").inner_text()
        assert "nothing was run" in shown.locator("main p.note").inner_text()
        assert shown.locator("figure").count() == 0


def test_a_dead_network_has_charts_of_zeros(visit):
    dead = diagnosis([layer("0", 0.0, 0.0), layer("1", 0.0, None)], [finding("SAT103", "dead-output")])
    with visit(page(dead)) as shown:
        assert (
            shown.locator('[data-chart="forward"] .mark-text.role-mark text').all_text_contents().count("0")
            == 2
        )
        assert (
            shown.locator('[data-chart="backward"] .mark-text.role-mark text').all_text_contents().count("0")
            == 1
        )
        assert shown.locator("html[data-error]").count() == 0


def test_without_javascript_the_table_holds_the_numbers(visit):
    with visit(page(vanishing()), drawn=False, java_script_enabled=False) as shown:
        assert "need JavaScript" in shown.locator("main").inner_text()
        assert shown.locator(".numbers tbody tr").count() == 9


@pytest.mark.parametrize("made", [mlp(3), vanishing(), several(), unmade(), evil()])
def test_notebooks_get_a_fragment_of_their_own(made):
    text = made._repr_html_()
    assert text.startswith('<div class="fanin-diagnosis">')
    assert "<script" not in text


def test_the_page_of_a_report(tmp_path, visit):
    torch.manual_seed(0)
    model, x, y, loss = faint_and_loud()
    report = fanin.diagnose(model, x, y, loss=loss).fix_report()
    with visit(report.to_html(tmp_path / "fixed.html").read_text(encoding="utf-8")) as shown:
        tried = shown.locator(".tried")
        assert "inputs standardized" in tried.inner_text()
        assert tried.locator("li.gone").all_inner_texts() == ["FWD101 vanishing-forward-signal is gone"]
        assert tried.locator("tbody tr").last.inner_text().split() == ["worst", "finding", "error", "healthy"]
        assert shown.locator("html[data-error]").count() == 0
        assert shown.evaluate("document.documentElement.scrollWidth") <= 1280
