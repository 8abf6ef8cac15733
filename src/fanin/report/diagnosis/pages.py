"""The pages of rules: as HTML, as plain text, and all of them as one document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from fanin.report.diagnosis.record import RuleRecord

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`([^`]+)`")


def paragraphs(page: str) -> list[str]:
    r"""Return the paragraphs of a page, each in one line.

    Example:
        >>> paragraphs("One,\nfolded.\n\n**Two.** More.")
        ['One, folded.', '**Two.** More.']
    """
    return [" ".join(part.split()) for part in page.split("\n\n") if part.strip()]


def as_html(page: str) -> list[Markup]:
    """Return the paragraphs of a page as HTML; whatever is no bold type or code is text.

    Example:
        >>> as_html("**What.** `x < 1`")
        [Markup('<b>What.</b> <code>x &lt; 1</code>')]
    """
    found = (str(escape(part)) for part in paragraphs(page))
    return [Markup(_CODE.sub(r"<code>\1</code>", _BOLD.sub(r"<b>\1</b>", part))) for part in found]


def as_text(page: str) -> str:
    r"""Return a page without the marks of Markdown, with a paragraph a line.

    Example:
        >>> as_text("Signals.\n\n**What.** `x`")
        'Signals.\nWhat. x'
    """
    return "\n".join(_CODE.sub(r"\1", _BOLD.sub(r"\1", part)) for part in paragraphs(page))


def document(families: Mapping[str, str], rules: Sequence[RuleRecord]) -> str:
    """Return all pages as one document in Markdown.

    Args:
        families: What a family is about, by its letters.
        rules: All rules.
    """
    parts = [_INTRODUCTION, _contents(families, rules)]
    for family, about in families.items():
        parts.append(f"## {family}: {about}")
        parts += [_section(rule) for rule in rules if rule["family"] == family]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """# Rules

What `fanin check` and `fanin.diagnose` look for ([check.md](check.md)). `fanin rule CODE` shows one of these
pages in the terminal. The severity is the gravest that a rule gives; pages say when it is less.

<!-- Made by `fanin rule --markdown > docs/rules.md` from the docstrings in src/fanin/rules. -->"""


def _contents(families: Mapping[str, str], rules: Sequence[RuleRecord]) -> str:
    lines = ["| code | name | severity | what is wrong |", "|---|---|---|---|"]
    for family in families:
        for rule in rules:
            if rule["family"] == family:
                link = f"[{rule['code']}](#{rule['code'].lower()}-{rule['name']})"
                lines.append(f"| {link} | {rule['name']} | {rule['severity']} | {rule['summary']} |")
    return "\n".join(lines)


def _section(rule: RuleRecord) -> str:
    return f"### {rule['code']} {rule['name']}\n\n*{rule['severity']}*\n\n{rule['page']}"
