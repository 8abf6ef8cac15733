"""The pytest plugin, which pytest finds by itself: the fixture `assert_healthy`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fanin.testing.healthy import assert_healthy as _assert_healthy

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis


@pytest.fixture(scope="session")
def assert_healthy() -> Callable[..., Diagnosis]:
    """Assert that a model is healthy at step 0: `assert_healthy(model, x, y, loss=...)`."""
    return _assert_healthy
