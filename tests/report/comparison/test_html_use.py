"""The page in a browser, as the hand has it."""

import csv
import json
from pathlib import Path

import pytest

import records
from fanin.report.comparison import html
from fanin.report.comparison.budget import rounded

NAMES = ["zeros", 'he, "normal"\n', "glorot_normal", "random_normal"]
FIRST = records.comparison(NAMES, 30, diverging={"random_normal": 0.2})
ATTACK = """</script><script>window.hacked = 1</script>"><img src=x onerror="window.hacked = 2">{{7*7}}"""


@pytest.fixture(scope="module")
def content():
    return html.render(FIRST)


@pytest.fixture(scope="module")
def page(visit, content):
    """Return a page that several tests use; each leaves it as it was."""
    with visit(content, color_scheme="light") as page:
        yield page


def faded(page, chart="scores", marks="runs_marks"):
    """Return how many dots are faded."""
    dots = page.locator(f"[data-chart={chart}] svg g.{marks} > path")
    return dots.evaluate_all("(dots) => dots.filter((dot) => +getComputedStyle(dot).opacity < .1).length")


def settled(page, count, look):
    page.wait_for_function("() => new Promise((done) => requestAnimationFrame(() => done(true)))")
    for _ in range(250):
        if look(page) == count:
            return
        page.wait_for_timeout(20)
    assert look(page) == count


def test_the_legend_brings_schemes_out_in_every_panel(page):
    chips, clear = page.locator("[data-scheme]"), page.locator("#clear")
    assert chips.count() == 4
    assert faded(page) == 0
    assert clear.is_hidden()
    chips.nth(2).click()
    assert chips.nth(2).get_attribute("aria-pressed") == "true"
    settled(page, 30 + 30 + 24, faded)
    settled(page, 3, lambda page: faded(page, "curves-0", "layer_1_marks"))
    chips.nth(1).click()
    settled(page, 30 + 24, faded)
    clear.click()
    settled(page, 0, faded)
    assert page.locator("[data-scheme][aria-pressed=true]").count() == 0


def test_the_close_up_gives_way_to_the_whole_range(page):
    scores, switch = page.locator("[data-chart=scores]"), page.locator("#close-up")
    near = scores.locator("svg .role-axis-label text").all_text_contents()
    assert "← 0.505" in scores.inner_text()
    switch.uncheck()
    settled(page, False, lambda page: "← 0.505" in scores.inner_text())
    far = scores.locator("svg .role-axis-label text").all_text_contents()
    assert min(far) < min(near), (near, far)
    switch.check()
    settled(page, True, lambda page: "← 0.505" in scores.inner_text())


def test_the_button_turns_light_to_dark_and_back(visit, content):
    with visit(content, color_scheme="light") as page:
        paper = "getComputedStyle(document.body).backgroundColor"
        line = "getComputedStyle(document.querySelector('[data-chart=scores] g.runs_marks path')).fill"
        light, button = (page.evaluate(paper), page.evaluate(line)), page.locator("#theme")
        assert button.inner_text() == "Dark"
        button.click()
        dark = page.evaluate(paper), page.evaluate(line)
        assert button.inner_text() == "Light"
        assert light[0] != dark[0]
        assert light[1] != dark[1], "charts change with the page"
        button.click()
        assert (page.evaluate(paper), page.evaluate(line)) == light
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(paper) == light[0], "what the reader chose stays"


def downloaded(page, name):
    with page.expect_download() as download:
        page.locator(f"[data-file='{name}']").click()
    assert download.value.suggested_filename == name
    return Path(download.value.path()).read_bytes().decode()


def test_the_downloads_hold_the_record(page):
    record = rounded(FIRST)
    names = ("comparison.json", "runs.csv", "curves.csv")
    everything, runs, curves = (downloaded(page, name) for name in names)
    assert json.loads(everything) == record
    rows = list(csv.DictReader(runs.splitlines(keepends=True)))
    assert len(rows) == len(record["runs"])
    for row, run in zip(rows, record["runs"], strict=True):
        assert (row["scheme"], int(row["seed"])) == (run["scheme"], run["seed"])
        assert (row["failed"] == "true") == run["failed"]
        assert (float(row["score"]) if row["score"] else None) == run["score"]
    rows = list(csv.DictReader(curves.splitlines(keepends=True)))
    expected = [
        (run["scheme"], run["seed"], epoch, *(run["curves"][metric][epoch - 1] for metric in records.METRICS))
        for run in record["runs"]
        for epoch in range(1, 11)
    ]
    read = [
        (
            row["scheme"],
            int(row["seed"]),
            int(row["epoch"]),
            *(float(row[metric]) if row[metric] else None for metric in records.METRICS),
        )
        for row in rows
    ]
    assert read == expected


def test_hostile_strings_are_shown_and_do_not_run(visit):
    record = records.comparison([ATTACK, "zeros", "he_normal"], 9, diverging={"zeros": 0.3})
    record["study"] |= dict.fromkeys(["builder", "data", "optimizer", "loss", "command"], ATTACK)
    record |= {"verdict": ATTACK, "notes": [ATTACK], "environment": {ATTACK: ATTACK}}
    with visit(html.render(record)) as page:
        for place in ("h1", ".note", "table.ranking", "#reproduce pre", "#reproduce dl", "[data-scheme]"):
            shown = page.locator(place).first.inner_text().replace("\N{NO-BREAK SPACE}", " ")
            assert ATTACK in shown, place
        page.locator("[data-scheme]").first.click()
        page.locator("[data-chart=scores] g.runs_marks > path").first.hover(force=True)
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert "window.hacked" in page.locator("#vg-tooltip-element").inner_text()
        assert page.evaluate("window.hacked") is None
        assert page.locator("main script, main img, #vg-tooltip-element img").count() == 0


def test_a_panel_opened_late_is_drawn_then(visit):
    record = records.comparison(2, 5)
    for bands in record["curves"].values():
        bands |= {f"extra_{place}": bands["loss"] for place in range(4)}
    with visit(html.render(record)) as page:
        late = page.locator("details.more [data-chart]")
        assert late.count() == 2
        assert not late.first.is_visible()
        page.locator("#curves details.more > summary").click()
        late.locator("svg").nth(1).wait_for()
        first = page.locator("[data-chart=curves-0] svg")
        assert late.locator("svg").first.bounding_box()["width"] == first.bounding_box()["width"]


def test_a_script_that_fails_says_so(visit, content):
    broken = content.replace('id="data">{', 'id="data">[', 1)
    with visit(broken, drawn=False, quiet=False) as page:
        trouble = page.locator("#trouble")
        assert trouble.is_visible()
        assert "The tables hold the same numbers" in trouble.inner_text()
