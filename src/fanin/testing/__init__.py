"""For tests: `assert_healthy`, and contract suites that every store, executor and framework must pass."""

from __future__ import annotations

from fanin.testing.healthy import assert_healthy

__all__ = ["assert_healthy"]
