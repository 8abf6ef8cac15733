"""A sentence in the terminal, broken into lines where a reader would not mind."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from fanin.report.numbers import tied


@dataclass(frozen=True)
class Sentence:
    """Words that Rich prints; "p < .001" stays in one line, which Rich's own wrapping would break."""

    words: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines; a word that is longer than a line goes on in the next."""
        lines = "\n".join(filled(self.words, options.max_width))
        yield Text(lines, style=self.style, overflow="fold")


def filled(words: str, width: int) -> list[str]:
    """Return the lines of a sentence.

    Example:
        >>> filled("better in 69 % of seeds (p < .001)", 24)
        ['better in 69 % of seeds', '(p < .001)']
    """
    lines = [""]
    for word in tied(words).split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines if line]
