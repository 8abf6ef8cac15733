"""`file.py:name` and `package.module:name`: the user's functions, found and loaded."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from fanin.errors import FaninError, nearest
from fanin.sources import own_line


def load(spec: str, *, what: str) -> Any:
    """Return the object that a spec names.

    Args:
        spec: "file.py:name" or "package.module:name".
        what: What it is for, in errors ("the model builder").

    Raises:
        FaninError: The spec is malformed, or the file, the module or the name is not there, or its
            own code fails.
    """
    place, _, name = spec.rpartition(":")
    if not place or not name:
        raise FaninError(
            f"{spec!r} does not name {what}.", expected="file.py:function or package.module:function"
        )
    module = _from_file(Path(place), what) if place.endswith(".py") else _from_package(place, what)
    if not hasattr(module, name):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise FaninError(
            f"{place} has no {name!r}.",
            expected=what,
            fix=f"did you mean {near}?" if (near := nearest(name, public)) else "",
        )
    return getattr(module, name)


def _from_file(path: Path, what: str) -> ModuleType:
    if not path.is_file():
        raise FaninError(f"There is no file {str(path)!r}.", expected=f"the file of {what}")
    path = path.resolve()
    # A name of its own: a user's json.py must not stand in for Python's.
    name = f"__fanin__{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded  # the builder and the data often come from one file
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FaninError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    # Registered, so that classes defined there are found again; its neighbours can be imported.
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise _own_fault(f"{path.name} fails", error) from error
    return module


def _from_package(name: str, what: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise FaninError(
                f"There is no module {error.name!r}.", expected=f"the module of {what}"
            ) from error
        raise _own_fault(f"{name} fails", error) from error
    except Exception as error:
        raise _own_fault(f"{name} fails", error) from error


def _own_fault(what: str, error: Exception) -> FaninError:
    return FaninError(f"{what}: {type(error).__name__}: {error}{own_line(error)}")
