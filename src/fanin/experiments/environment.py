"""Where a comparison was made."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version


def environment(versions: Mapping[str, str]) -> dict[str, str]:
    """Return the versions and the machine behind a result, as text.

    Args:
        versions: Versions that the trainer reported.
    """
    return {
        "fanin": version("fanin"),
        "python": platform.python_version(),
        **versions,
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
