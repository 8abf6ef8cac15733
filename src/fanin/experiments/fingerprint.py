"""What a function of the user's is, by content: so that an edited builder is another study."""

from __future__ import annotations

import hashlib
import inspect
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fanin.sources import installed


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
    for part in _parts(thing, set()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def _parts(thing: Any, seen: set[int]) -> Iterator[str]:
    if thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
        yield repr(thing)
        return
    if id(thing) in seen:
        return
    seen.add(id(thing))
    yield type(thing).__qualname__
    yield from _inside(thing, seen)


def _inside(thing: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(thing, types.ModuleType):
        yield from _module(thing)
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


def _object(thing: Any, seen: set[int]) -> Iterator[str]:
    if hasattr(thing, "__array__") and hasattr(thing, "dtype"):
        array = np.ascontiguousarray(thing)
        yield f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
        return
    yield from _parts(type(thing), seen)
    state = (
        thing.get_config() if callable(getattr(thing, "get_config", None)) else getattr(thing, "__dict__", {})
    )
    yield from _parts(dict(state), seen)


def _module(module: types.ModuleType) -> Iterator[str]:
    path = getattr(module, "__file__", None)
    yield module.__name__
    if path and not installed(path):
        yield Path(path).read_text(errors="replace")


def _code(thing: Any, seen: set[int]) -> Iterator[str]:
    yield f"{thing.__module__}.{thing.__qualname__}" if _from_package(thing) else thing.__qualname__
    if _from_package(thing):
        return
    yield _source(thing)
    for function in [thing] if not isinstance(thing, type) else vars(thing).values():
        if isinstance(function, types.FunctionType | types.MethodType):
            yield from _references(function, seen)


def _references(function: Any, seen: set[int]) -> Iterator[str]:
    names = sorted(set(_names(function.__code__)) & set(function.__globals__))
    cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    for value in [
        *(function.__globals__[name] for name in names),
        *cells,
        function.__defaults__,
        function.__kwdefaults__,
    ]:
        yield from _parts(value, seen)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _source(thing: Any) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        code = getattr(thing, "__code__", None)
        return repr((code.co_code, code.co_names)) if code else thing.__qualname__


def _from_package(thing: Any) -> bool:
    module = sys.modules.get(thing.__module__ or "")
    path = getattr(module, "__file__", None)
    if module is None or thing.__module__ == "__main__":
        return False
    return path is None or installed(path)
