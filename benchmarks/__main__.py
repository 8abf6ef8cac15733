"""Measure, print, and write benchmarks/results.json and benchmarks/RESULTS.md.

`python -m benchmarks` runs every section; `python -m benchmarks peers models` runs some, and keeps what the
files have of the others.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
SECTIONS = ("study", "fills", "orthogonal", "models", "peers", "propagation", "operations", "checking")
"""Modules of this folder, each with `measure() -> dict` and `lines(result) -> list[str]`."""

Result = dict[str, Any]


def run(name: str) -> Result:
    """Measure one section."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    began = time.perf_counter()
    measured = importlib.import_module(f"benchmarks.{name}").measure()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "seconds": time.perf_counter() - began,
        **measured,
    }


def text(results: dict[str, Result]) -> str:
    """Return RESULTS.md."""
    found = ["# Benchmarks", "", "Written by `make bench`. Only ratios travel to other machines.", ""]
    for name in (name for name in SECTIONS if name in results):
        result = results[name]
        title, *rest = importlib.import_module(f"benchmarks.{name}").lines(result)
        took = f", {result['seconds']:.0f} s" if "seconds" in result else ""
        found += [title, "", f"{result['date']}, {result['machine']}{took}.", *rest, ""]
    return "\n".join(found)


def main() -> None:
    """Measure the sections that are named, or all of them, and write."""
    names = sys.argv[1:] or list(SECTIONS)
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        sys.exit(f"There is no section {unknown[0]!r}; there are {', '.join(SECTIONS)}.")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names:
        results[name] = run(name)
        kept = {name: results[name] for name in SECTIONS if name in results}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        (HERE / "RESULTS.md").write_text(text(kept))
    print(text({name: results[name] for name in names}))


if __name__ == "__main__":
    main()
