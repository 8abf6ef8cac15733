import html
import json
import re

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.report import page

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(PLAIN)
def test_script_json_reads_back(value):
    assert json.loads(page.script_json(value)) == value


@given(
    st.lists(st.sampled_from(["<", "</script>", "<!--", "]]>", "&", "\u2028", "'", '"', "a"])).map("".join)
)
def test_script_json_cannot_leave_its_element(text):
    assert not re.search("[<>&\u2028\u2029]", page.script_json({text: [text]}))


def test_script_json_takes_no_number_that_json_lacks():
    with pytest.raises(ValueError, match="JSON"):
        page.script_json([float("nan")])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_templates_escape_every_string(text):
    shown = page.environment().from_string('<i title="{{ text }}">{{ text }}</i>').render(text=text)
    title, inside = re.fullmatch(r'<i title="([^"<>]*)">([^<>]*)</i>', shown, re.DOTALL).groups()
    assert html.unescape(title) == html.unescape(inside) == html.unescape(html.escape(text))


def test_a_missing_variable_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        page.environment().from_string("{{ verdcit }}").render(verdict="")


def test_a_page_without_charts_carries_no_vega():
    shown = page.render("page.html.j2", data={"name": "</script><script>"})
    assert len(shown) < 20_000
    assert r'{"name":"\u003c/script\u003e\u003cscript\u003e"}' in shown


def test_the_charts_javascript_is_a_script_that_ends_where_it_should():
    assert "vegaEmbed" in page.javascript()
    assert not re.search("</script|<!--", page.javascript(), re.IGNORECASE)
