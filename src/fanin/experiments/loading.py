"""`file.py:name` and `package.module:name`: the user's functions, found and loaded."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from fanin.errors import FaninError, nearest, users_code


def load(spec: str, *, what: str) -> Any:
    """Return the object that a spec names.

    Args:
        spec: "file.py:name" or "package.module:name".
        what: What it is for, in errors ("the model builder").

    Raises:
        FaninError: The spec is malformed, or the file, the module or the name is not there, or its
            own code fails.
    """
    place, name = _split(spec, what)
    module = _from_file(Path(place), what) if place.endswith(".py") else _from_package(place, what)
    if not hasattr(module, name):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise FaninError(
            f"{place} has no {name!r}.",
            expected=what,
            fix=f"did you mean {near}?" if (near := nearest(name, public)) else "",
        )
    return getattr(module, name)


def _split(spec: str, what: str) -> tuple[str, str]:
    if spec.endswith(".py"):
        raise FaninError(
            f"{spec} names a file, but not {what}.",
            expected="file.py:function",
            fix=f"{spec}:NAME, with the function's name",
        )
    place, _, name = spec.rpartition(":")
    relative = place.startswith(".") and not place.endswith(".py")
    if not place or not name or place.endswith(":") or relative:
        raise FaninError(
            f"{spec!r} does not name {what}.", expected="file.py:function or package.module:function"
        )
    if not place.endswith(".py") and ("/" in place or "\\" in place or Path(place).is_file()):
        raise FaninError(f"{place} is not a Python file.", expected="file.py:function")
    return place, name


def _from_file(path: Path, what: str) -> ModuleType:
    if not path.is_file():
        files = [file for file in path.parent.glob("*.py") if nearest(path.stem, [file.stem])]
        near = nearest(path.name, [file.name for file in files])
        raise FaninError(
            f"There is no file {str(path)!r}.",
            expected=f"a file with {what}",
            fix=f"did you mean {near}?" if near else f"check the path; this is {Path.cwd()}",
        )
    path = path.resolve()
    # A name of its own: a user's json.py must not stand in for Python's.
    name = f"__fanin__{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded  # the builder and the data often come from one file
    return _executed(name, path)


def _executed(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FaninError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    # Registered, so that classes defined there are found again; its neighbours can be imported.
    sys.modules[name] = module
    _importable(path.parent)
    try:
        with users_code(f"{path.name} fails"):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _from_package(name: str, what: str) -> ModuleType:
    _importable(Path.cwd())
    with users_code(f"{name} fails"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and f"{name}.".startswith(f"{error.name}."):
                raise FaninError(
                    f"There is no module {error.name!r}.",
                    expected=f"a module with {what}",
                    fix="file.py:function for a file",
                ) from error
            raise


def _importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
