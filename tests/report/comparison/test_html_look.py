"""The page in a browser, as the eye has it."""

import itertools

import pytest

import records
from fanin.report.comparison import html

FIRST = records.comparison(4, 40, diverging={"he_normal": 0.25})

# Colours of every visible text with what lies behind it, but for the matrix (see test_look).
COLOURS = """() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number), unit = text.startsWith("color(") ? 255 : 1;
    return [r * unit, g * unit, b * unit, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => a * c + (1 - a) * below[i]);
  const behind = (node) => {
    const layers = [];
    for (; node; node = node.parentElement) layers.push(parse(getComputedStyle(node).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const skipped = "script, style, .hidden, .skip, [data-chart=improvement] .mark-text.role-mark";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), node = walker.currentNode.parentElement;
    if (!text || !node.checkVisibility() || node.closest(skipped)) continue;
    const svg = node.closest("svg"), style = getComputedStyle(node);
    const paper = behind(svg?.parentElement ?? node);
    found.push([text, over(parse(svg ? style.fill : style.color), paper), paper]);
  }
  return found;
}"""

# Boxes of the upright texts of each chart.
BOXES = """() => {
  const upright = (text) => !/rotate\\((?!0)/.test(text.getAttribute("transform"));
  const visible = (text) => text.textContent && getComputedStyle(text).opacity !== "0";
  return [...document.querySelectorAll("[data-chart]")].map((chart) => [
    chart.dataset.chart,
    [...chart.querySelectorAll("svg text")].filter((text) => upright(text) && visible(text))
      .map((text) => [text.textContent, text.getBoundingClientRect().toJSON()]),
  ]);
}"""


@pytest.fixture(scope="module")
def content():
    return html.render(FIRST)


@pytest.fixture(scope="module")
def page(visit, content):
    """Return a page that several tests look at."""
    with visit(content) as page:
        yield page


def luminance(colour):
    linear = [c / 12.92 if (c := byte / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for byte in colour]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_colour_schemes(page, scheme):
    page.emulate_media(color_scheme=scheme)
    colours = page.evaluate(COLOURS)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    assert len(colours) > 100
    assert [text for text, ink, behind in colours if contrast(ink, behind) < 4.5] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off_or_overlaps(visit, content, width):
    with visit(content, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        charts = page.evaluate(BOXES)
    assert {name for name, _ in charts} >= {"scores", "curves-0", "improvement", "time-to-target", "failures"}
    for name, texts in charts:
        assert len(texts) > 4, name
        for text, box in texts:
            assert 0 <= box["left"] <= box["right"] <= width, (name, text)
        for (one, a), (other, b) in itertools.combinations(texts, 2):
            apart = a["right"] <= b["left"] or b["right"] <= a["left"]
            assert apart or a["bottom"] <= b["top"] + 3 or b["bottom"] <= a["top"] + 3, (name, one, other)


def test_no_width_between_makes_the_page_scroll_sideways(visit):
    record = records.comparison(9, 10, epochs=1)
    for row in record["ranking"]:
        row["interval"] = [row["iqm"] - 2e-5, row["iqm"] + 2e-5]  # the most digits that there are
    with visit(html.render(record)) as page:
        for width in (320, 640, 800, 1041, 1080):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width
            table = page.locator("table.ranking").bounding_box()
            assert table["x"] + table["width"] <= width, "nor the table in the page"


def test_each_chart_has_its_marks_and_each_run_its_dot(page):
    for chart in page.locator("[data-chart]").all():
        marks = chart.locator("svg g[class*='role-mark'] > path")
        assert marks.count() >= 4, chart.get_attribute("data-chart")
    dots = page.locator("[data-chart=scores] svg g.runs_marks > path")
    places = dots.evaluate_all("(dots) => dots.map((dot) => dot.getAttribute('transform'))")
    assert len(places) == len(set(places)) == sum(not run["failed"] for run in FIRST["runs"])


def test_without_javascript_the_tables_stand_and_nothing_idle_does(visit, content):
    with visit(content, java_script_enabled=False, drawn=False) as page:
        assert "The charts need JavaScript" in page.locator("header noscript").inner_text()
        for row in FIRST["ranking"]:
            assert row["scheme"] in page.locator("table.ranking").inner_text()
        assert "Log-rank p" in page.locator("#time-to-target table").inner_text()
        page.locator("#improvement summary", has_text="As a table").click()
        assert page.locator("#improvement table td").count() == len(FIRST["ranking"]) ** 2
        page.locator("#text summary").click()
        assert "Test Accuracy: " in page.locator("#text pre").inner_text()
        for idle in page.locator("button, figure, input").all():
            assert not idle.is_visible()


def test_it_prints_on_white_with_all_sections_open(visit, content):
    with visit(content, color_scheme="dark") as page:
        page.locator("#scores summary").click()
        assert page.locator("#scores").get_attribute("open") is None
        pdf = page.pdf()
        assert page.locator("details.panel:not([open])").count() == 0
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not page.locator("#theme").is_visible()
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") >= 2


def spread_out():
    """Return a record whose scores and curves go over a thousandfold."""
    record = records.comparison(2, 9, metric="val_loss", target=None)
    for place, run in enumerate(record["runs"]):
        run["score"] *= 10.0 ** -(place % 4)
    for bands in record["curves"].values():
        bands["val_loss"]["low"][-1] *= 1e-4
    return record


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(records.empty(), id="empty"),
        pytest.param(records.comparison(1, 1, epochs=1, target=None), id="one"),
        pytest.param(records.comparison(30, 2), id="thirty"),
        pytest.param(spread_out(), id="logarithmic"),
    ],
)
def test_little_and_much_are_drawn_all_the_same(visit, record):
    with visit(html.render(record), width=390) as page:
        assert page.locator("[data-chart] svg").count() == page.locator("[data-chart]").count()
        assert page.locator("#trouble").is_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
