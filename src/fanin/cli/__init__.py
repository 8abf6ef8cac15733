"""The command line: parse, call the api, print."""

from __future__ import annotations

from fanin.cli.main import main

__all__ = ["main"]
