"""How to initialize: from a model's parameters to a plan. Every scheme of the catalogue is a name here.

Example:
    >>> from fanin.schemes import he_normal, zeros
    >>> he_normal(scale=0.5).label, zeros().label
    ('he_normal(scale=0.5)', 'zeros')
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # Nothing is imported until a scheme is used: `import fanin` stays in the milliseconds.
    if not name.startswith("_"):
        from fanin.schemes.catalogue import ALIASES, CATALOGUE

        known = ALIASES.get(name, name)
        if known in CATALOGUE:
            return CATALOGUE[known]
    raise AttributeError(f"module 'fanin.schemes' has no attribute {name!r}")


def __dir__() -> list[str]:
    from fanin.schemes.catalogue import CATALOGUE

    return sorted(CATALOGUE)
