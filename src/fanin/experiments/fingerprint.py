"""What a function of the user's is, by content: so that an edited builder is another study."""

from __future__ import annotations

import contextlib
import dis
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fanin.sources import installed

Seen = dict[int, Any]
"""What was visited, by id; kept alive, or a later object could have an earlier one's id."""


def fingerprint(thing: Any) -> str:
    """Return a hash of a function's source and of all of the user's code and data that it refers to.

    It follows global names, closures and defaults into the user's own functions, classes and modules
    and into values; installed packages count by name only. Comments count: what is not understood for
    sure to be the same is run again.

    Args:
        thing: A function, a class, or any value that a study is made of.

    Returns:
        Sixteen hexadecimal digits.

    Example:
        >>> fingerprint(len) == fingerprint(len), fingerprint([1, 2]) == fingerprint([1, 3])
        (True, False)
    """
    digest = hashlib.sha256()
    for part in _parts(thing, {}):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def _parts(thing: Any, seen: Seen) -> Iterator[str]:
    if thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
        yield repr(thing)
        return
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    yield type(thing).__qualname__
    yield from _inside(thing, seen)


def _inside(thing: Any, seen: Seen) -> Iterator[str]:
    if isinstance(thing, types.ModuleType):
        yield from _module(thing, seen)
    elif isinstance(thing, types.FunctionType | types.MethodType | type):
        yield from _code(thing, seen)
    elif isinstance(thing, Mapping):
        for key in thing:
            yield from _parts(key, seen)
            yield from _parts(thing[key], seen)
    elif isinstance(thing, list | tuple | set | frozenset):
        for item in sorted(thing, key=repr) if isinstance(thing, set | frozenset) else thing:
            yield from _parts(item, seen)
    else:
        yield from _object(thing, seen)


def _object(thing: Any, seen: Seen) -> Iterator[str]:
    if hasattr(thing, "__array__") and hasattr(thing, "dtype"):
        array = np.ascontiguousarray(thing)
        yield f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
        return
    yield from _parts(type(thing), seen)
    yield from _parts(_state(thing), seen)


def _state(thing: Any) -> Any:
    """Return what an object holds: by its configuration, or else as pickling sees it."""
    if callable(getattr(thing, "get_config", None)):
        return [configuration(thing), _unsaid(thing)]
    try:
        reduced = thing.__reduce_ex__(4)
    except Exception:  # an open file, a lock
        return getattr(thing, "__dict__", {})
    # The first says how to make it, which its type tells; iterators give the items of containers.
    return reduced if isinstance(reduced, str) else [_listed(part) for part in reduced[1:]]


_NUMBERED = re.compile(r"_\d+$")


def configuration(thing: Any) -> dict[str, Any]:
    """Return an object's own configuration, without the count of its like made before in this process."""
    config = dict(thing.get_config())
    # A metric's name is what its curve is called, so it counts as it is.
    if isinstance(config.get("name"), str) and not hasattr(thing, "update_state"):
        config["name"] = _NUMBERED.sub("", config["name"])
    return config


def _unsaid(thing: Any) -> dict[str, Any]:
    """Return the attributes that a configuration may leave out.

    A get_config that was inherited knows nothing of what a subclass adds. Losses have no other state,
    and Keras' own Huber leaves its delta out.
    """
    own = {key: value for key, value in vars(thing).items() if key != "name"}
    inherited = "get_config" not in vars(type(thing))
    if hasattr(thing, "update_state"):  # a metric, whose other attributes change as it counts
        return {key: value for key, value in own.items() if inherited and isinstance(value, _PLAIN)}
    return own if inherited or hasattr(thing, "reduction") else {}


def _listed(part: Any) -> Any:
    return list(part) if isinstance(part, Iterator) else part


def _module(module: types.ModuleType, seen: Seen) -> Iterator[str]:
    path = getattr(module, "__file__", None)
    yield module.__name__
    if path and not installed(path):
        yield Path(path).read_text(errors="replace")
        for _, value in sorted(vars(module).items()):
            if isinstance(value, _DEFINED):  # its own are in the text already; others' are not
                yield from _parts(value, seen)


_DEFINED = (types.ModuleType, types.FunctionType, type)


def _code(thing: Any, seen: Seen) -> Iterator[str]:
    yield f"{thing.__module__}.{thing.__qualname__}" if _from_package(thing) else thing.__qualname__
    if _from_package(thing):
        return
    yield _source(thing)
    if isinstance(thing, type):
        yield from _parts(thing.__bases__, seen)
        yield from _members(thing, seen)
        return
    if isinstance(thing, types.MethodType):
        yield from _parts(thing.__self__, seen)
    yield from _references(thing, seen)


def _members(thing: type, seen: Seen) -> Iterator[str]:
    for name, value in vars(thing).items():
        if isinstance(value, property):
            yield from _parts((value.fget, value.fset), seen)
        elif isinstance(value, staticmethod | classmethod):
            yield from _parts(value.__func__, seen)
        elif isinstance(value, types.FunctionType):
            yield from _references(value, seen)
        elif not name.startswith("__") and isinstance(value, _PLAIN):
            yield from _parts(value, seen)  # its source may only say where it comes from


_PLAIN = (bool, int, float, str, bytes, tuple, list, dict, np.ndarray)


def _references(function: Any, seen: Seen) -> Iterator[str]:
    names = sorted(set(_names(function.__code__)) & set(function.__globals__))
    cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    for value in [
        *(function.__globals__[name] for name in names),
        *cells,
        function.__defaults__,
        function.__kwdefaults__,
        *_imported(function.__code__),
    ]:
        yield from _parts(value, seen)


def _names(code: types.CodeType) -> Iterator[str]:
    for part in _nested(code):
        yield from part.co_names


def _imported(code: types.CodeType) -> Iterator[types.ModuleType]:
    """Yield the user's modules that a function imports when it is called."""
    for step in (step for part in _nested(code) for step in dis.get_instructions(part)):
        if step.opname == "IMPORT_NAME" and step.argval:
            with contextlib.suppress(Exception):  # the call itself will say so
                spec = importlib.util.find_spec(step.argval)
                if spec and spec.origin and not installed(spec.origin):
                    yield importlib.import_module(step.argval)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _source(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    try:
        text = inspect.getsource(thing)
    except (OSError, TypeError):
        return repr((code.co_code, code.co_names)) if code else thing.__qualname__
    # A lambda's source is its whole line, which may hold others.
    return text + _compiled(code) if code and code.co_name == "<lambda>" else text


def _compiled(code: types.CodeType) -> str:
    return repr([(part.co_code, part.co_names, [*map(_constant, part.co_consts)]) for part in _nested(code)])


def _constant(constant: Any) -> Any:
    if isinstance(constant, frozenset):
        return sorted(constant, key=repr)  # their own order is another one in each process
    return None if isinstance(constant, types.CodeType) else constant


def _from_package(thing: Any) -> bool:
    module = sys.modules.get(thing.__module__ or "")
    path = getattr(module, "__file__", None)
    if module is None or thing.__module__ == "__main__":
        return False
    return path is None or installed(path)
