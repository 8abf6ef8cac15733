"""Pages of rules as HTML, as text and as one document."""

import re

from hypothesis import given
from hypothesis import strategies as st

from fanin.report.diagnosis.pages import as_html, as_text, document
from fanin.rules.catalogue import FAMILIES, RULES
from fanin.rules.records import rule_records


@given(st.text())
def test_html_of_any_text_has_our_tags_only(text):
    for part in as_html(text):
        bare = re.sub(r"</?(b|code)>", "", part)
        assert "<" not in bare
        assert ">" not in bare


def test_every_page_loses_its_marks_as_text():
    for record in rule_records():
        text = as_text(record["page"])
        assert "**" not in text
        assert "`" not in text
        assert text.startswith(record["summary"])


def test_every_rule_is_complete():
    assert {record["code"] for record in rule_records()} == set(RULES)
    for record in rule_records():
        assert record["summary"].endswith(".")
        assert record["page"].splitlines()[1:2] in ([], [""])
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", record["name"])
        for heading in ("What it checks", "Why it matters", "Instead"):
            assert f"**{heading}.**" in record["page"], record["code"]


def test_links_of_the_document_lead_to_its_sections():
    text = document(FAMILIES, rule_records())
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", text, re.MULTILINE)}
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) == len(RULES)
    assert set(links) == anchors
