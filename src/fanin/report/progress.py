"""A progress bar for work that takes more than a second: done, rate, time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
def run_progress(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a console while runs are made; yields the function to tell it about them.

    Args:
        console: Where to draw; nothing is drawn where it is not a terminal.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("building", total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, total=total, completed=done, description="training" if done else "compiling")

        yield update
