"""The building blocks of HTML reports: the shell of a page, its colours, its scripts and its embedded data.

A page is one file that asks the network for nothing: a content security policy forbids it, and Vega runs
with its expression interpreter, so that no text is ever evaluated as code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fanin.report import numbers
from fanin.report.look import PAGE, config, css_variables, dash

TEMPLATES = Path(__file__).parent / "templates"


def render(
    template: str, *, charts: Mapping[str, Any] | None = None, data: Any = None, **context: Any
) -> str:
    """Return a page (or a part of one) from a template.

    Args:
        template: Its path below `templates`; a whole page extends "page.html.j2".
        charts: Altair charts over named data, by the name of their place in the page.
        data: What the page's script reads as `data`, and hands to charts and downloads.
        context: The template's own variables; strings are escaped.

    Returns:
        HTML.
    """
    specs = {name: chart.to_dict(validate=False) for name, chart in (charts or {}).items()}
    embedded = {"config": config(PAGE), "specs": specs}
    return (
        environment()
        .get_template(template)
        .render(
            vega=javascript if charts else str,
            charts=script_json(embedded),
            data=script_json(data),
            light=Markup(css_variables("light")),
            dark=Markup(css_variables("dark")),
            **context,
        )
    )


@cache
def environment() -> Environment:
    """Return the Jinja environment: everything is escaped, and a missing variable is an error."""
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    made.trim_blocks = made.lstrip_blocks = True
    made.filters |= {name: getattr(numbers, name) for name in ("significant", "percent", "plain", "tied")}
    made.globals |= {"source": source, "dash": dash}
    return made


def source(path: str) -> Markup:
    """Return a script or a style sheet of ours as it stands."""
    return Markup((TEMPLATES / path).read_text(encoding="utf-8"))


def script_json(value: Any) -> Markup:
    r"""Return JSON that can stand inside a script element whatever its strings hold.

    Example:
        >>> print(script_json({"name": "</script>"}))
        {"name":"\u003c/script\u003e"}
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


@cache
def javascript() -> Markup:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version))
