import sys
import time

import pytest

from fanin.cli.interrupts import kept_interrupts


class Swallows:
    """Raises where Python can only ignore it, as a callback of the garbage collector does."""

    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def interrupted_out_of_sight():
    Swallows(KeyboardInterrupt())
    for _ in range(200):
        time.sleep(0.01)


def test_an_interrupt_that_was_ignored_comes_again():
    with kept_interrupts(), pytest.raises(KeyboardInterrupt):
        interrupted_out_of_sight()


def test_other_ignored_errors_are_shown_as_ever(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    with kept_interrupts():
        Swallows(ValueError("odd"))
    assert [str(ignored.exc_value) for ignored in seen] == ["odd"]
    assert sys.unraisablehook == seen.append
