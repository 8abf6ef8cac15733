import html as escapes
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import records
from fanin.report.comparison import budget, html

LIMIT = 2_000_000
FIRST = records.comparison(4, 20)
HOSTILE = '"><img src=x onerror="alert(1)"></script><script>alert(2)</script>{{ 1 }}'


class Elements(HTMLParser):
    """The elements and the visible text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.inside = [], "", ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="module")
def first_page():
    return html.render(FIRST)


def hostile(text=HOSTILE):
    """Return a record in which every string that a user can choose is the same."""
    record = records.comparison([text, "zeros"], 9, diverging={"zeros": 0.2})
    study = dict.fromkeys(["builder", "data", "optimizer", "loss", "command", "id"], text)
    record["study"] |= study | {"metrics": [text], "class_weight": {text: text}}
    return record | {"verdict": text, "notes": [text], "environment": {text: text}}


@pytest.mark.parametrize(
    ("schemes", "seeds", "epochs"),
    [(4, 100, 10), (8, 1000, 10), (30, 20, 300)],
    ids=["demo", "runs", "epochs"],
)
def test_a_page_stays_below_two_megabytes(schemes, seeds, epochs):
    page = html.render(records.comparison(schemes, seeds, epochs=epochs))
    assert 900_000 < len(page.encode()) <= LIMIT


def test_a_page_has_one_place_and_one_drawing_for_each_panel(first_page):
    elements = Elements(first_page).tags
    places = [attributes["data-chart"] for _, attributes in elements if "data-chart" in attributes]
    drawings = json.loads(re.search(r'id="charts">(.*?)</script>', first_page)[1])["specs"]
    assert sorted(places) == sorted(drawings)
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_a_page_names_nothing_to_be_fetched(first_page):
    for tag, attributes in Elements(first_page).tags:
        links = [value for name, value in attributes.items() if name in ("src", "href", "srcset", "action")]
        assert all(link.startswith(("#", "data:")) for link in links), tag
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    assert policy in first_page


def test_the_page_says_all_of_it(first_page):
    shown = Elements(first_page).text
    assert FIRST["verdict"] in shown.replace("\N{NO-BREAK SPACE}", " ")
    for said in [
        "4 schemes × 20 seeds × 10 epochs",
        FIRST["study"]["command"],
        "Test Accuracy: ",
        "binary_crossentropy",
        "0–19",
        "Linux x86_64, 2 cores",
        "2026-01-15 12:00 UTC",
    ]:
        assert said in shown, said


def test_a_page_holds_the_record(first_page):
    data = json.loads(re.search(r'id="data">(.*?)</script>', first_page)[1])
    assert data == {"record": budget.rounded(FIRST), "epochs": list(range(1, 11))}


def test_what_the_page_leaves_out_is_said():
    shown = Elements(html.render(records.comparison(4, 200, epochs=40))).text
    assert "Of the learning curves of single runs, the download has only every" in shown


@pytest.mark.parametrize("render", [html.render, html.fragment])
def test_hostile_strings_are_text(render):
    plain, tricky = Elements(render(hostile("he_normal"))), Elements(render(hostile()))
    assert [tag for tag, _ in tricky.tags] == [tag for tag, _ in plain.tags]
    assert not any(name.startswith("on") for _, attributes in tricky.tags for name in attributes)
    assert HOSTILE in tricky.text


@settings(deadline=None, max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_is_escaped_in_a_notebook(name):
    shown = html.fragment(records.comparison([name, "zeros"], 2))
    cell = re.search(r'<th scope="row" class="name">(?!zeros<)(.*?)</th>', shown)[1]
    assert not re.search('[<>"]', cell)
    assert escapes.unescape(cell) == "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def test_a_fragment_is_small_and_runs_nothing():
    fragment = html.fragment(FIRST)
    tags = {tag for tag, _ in Elements(fragment).tags}
    assert not tags & {"script", "link", "img", "iframe", "html", "body"}
    assert len(fragment) < 20_000
    for line in FIRST["ranking"]:
        assert line["scheme"] in fragment


def test_an_object_of_the_study_is_named_by_its_class():
    record = records.comparison(2, 9)
    record["study"] |= {"optimizer": {"class": "SGD", "learning_rate": 0.1}, "class_weight": {"0": 2.0}}
    shown = Elements(html.render(record)).text
    assert "SGD" in shown
    assert "learning_rate" not in shown
    assert "0: 2.0" in shown


@pytest.mark.parametrize("record", [records.empty(), records.comparison(1, 1, epochs=1, target=None)])
def test_little_data_is_a_page_all_the_same(record):
    assert record["verdict"] in Elements(html.render(record)).text
