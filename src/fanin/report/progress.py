"""A progress bar for work that takes more than a second: done, rate, time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """Runs a second, once there is something to divide."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f} runs/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def run_progress(
    wanted: bool | Callable[[int, int], None] = True,
    console: Console | None = None,
    *,
    words: tuple[str, str] = ("compiling", "training"),
) -> Iterator[Callable[[int, int], None]]:
    """Report on runs while they are made; yields the function to tell about them.

    Args:
        wanted: Whether to draw a bar; or a function to tell instead.
        console: Where to draw, by default the error stream; only a terminal, or a notebook with
            ipywidgets, shows a bar.
        words: What is done before the first run is, and then.
    """
    console = console or Console(stderr=True)
    if not wanted or not (callable(wanted) or _can_draw(console)):
        yield lambda done, total: None
    elif callable(wanted):
        yield wanted
    else:
        with _bar(console) as bar:
            task = bar.add_task("building", total=None)

            def update(done: int, total: int) -> None:
                bar.update(task, total=total, completed=done, description=words[bool(done)])

            yield update


def _can_draw(console: Console) -> bool:
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None  # without it rich only warns, at every step
    return console.is_terminal


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
