"""Settings of `fanin check` that a project keeps, in pyproject.toml or fanin.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanin.errors import FaninError, nearest

FAIL_ON = ("error", "warning", "info", "never")
_KEYS = ("select", "ignore", "fail-on", "per-layer-ignores", "baseline")


@dataclass(frozen=True)
class Settings:
    """What a project says about checks.

    Args:
        select: Codes, beginnings of codes, or names of the rules that are asked.
        ignore: Those that are not.
        per_layer_ignores: Those that are not, by a pattern of layers' paths.
        fail_on: From which severity on a check fails.
        baseline: File of known findings; None for none.
    """

    select: tuple[str, ...] = ("ALL",)
    ignore: tuple[str, ...] = ()
    per_layer_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fail_on: str = "error"
    baseline: Path | None = None


def settings(folder: Path) -> Settings:
    """Return the settings of the nearest folder that has some, from a folder upwards.

    Those are `[check]` in fanin.toml, or `[tool.fanin.check]` in pyproject.toml.

    Args:
        folder: Where to begin.

    Raises:
        FaninError: A file cannot be read, or has what is no setting.
    """
    for place in (folder, *folder.parents):
        for path, prefix in ((place / "fanin.toml", ""), (place / "pyproject.toml", "tool.fanin.")):
            if path.is_file() and (table := _table(path, prefix)) is not None:
                return _read(table, path, prefix)
    return Settings()


def _table(path: Path, prefix: str) -> dict[str, Any] | None:
    """Return what a file says about fanin; None where that is nothing."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FaninError(f"{path} cannot be read: {error}.", expected="TOML") from error
    return found.get("tool", {}).get("fanin") if prefix else found


def _read(table: Any, path: Path, prefix: str) -> Settings:
    for section in _section(table, path, prefix[:-1]):
        if section != "check":
            fix = "[" + prefix + "check] above it" if section in _KEYS else ""
            raise _wrong(path, f"there is no section {prefix}{section}", f"[{prefix}check]", fix)
    name = f"{prefix}check"
    found = _section(table.get("check", {}), path, name)
    for key in found:
        if key not in _KEYS:
            near = nearest(key, _KEYS, count=1)
            fix = f"did you mean {near}?" if near else ""
            raise _wrong(path, f"[{name}] has no key {key!r}", f"one of {', '.join(_KEYS)}", fix)
    layers = _section(found.get("per-layer-ignores", {}), path, f"{name}.per-layer-ignores")
    return Settings(
        _codes(found.get("select", "ALL"), path, f"[{name}] select"),
        _codes(found.get("ignore", ()), path, f"[{name}] ignore"),
        {
            layer: _codes(codes, path, f"[{name}] per-layer-ignores of {layer!r}")
            for layer, codes in layers.items()
        },
        _choice(found.get("fail-on", "error"), path, f"[{name}] fail-on"),
        _file(found.get("baseline"), path, f"[{name}] baseline"),
    )


def _section(value: Any, path: Path, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, f"{name} is {value!r}", f"a table, [{name}]")
    return value


def _codes(value: Any, path: Path, name: str) -> tuple[str, ...]:
    from fanin.rules.catalogue import matching

    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not all(isinstance(one, str) for one in several):
        raise _wrong(path, f"{name} is {value!r}", 'a list of codes, such as ["FWD", "OUT103"]')
    codes = split(several)
    try:
        matching(codes)
    except FaninError as error:
        raise _wrong(path, f"{name}: {error.what[:-1]}", error.expected, error.fix) from error
    return codes


def _choice(value: Any, path: Path, name: str) -> str:
    if value not in FAIL_ON:
        raise _wrong(path, f"{name} is {value!r}", f"one of {', '.join(FAIL_ON)}")
    return value


def _file(value: Any, path: Path, name: str) -> Path | None:
    if value is not None and not isinstance(value, str):
        raise _wrong(path, f"{name} is {value!r}", "the name of a file")
    return path.parent / value if value else None


def _wrong(path: Path, what: str, expected: str, fix: str = "") -> FaninError:
    return FaninError(f"{path}: {what}.", expected=expected, fix=fix)


def split(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what texts list between commas.

    Example:
        >>> split(["FWD, BWD", "OUT101"])
        ('FWD', 'BWD', 'OUT101')
    """
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
