"""Marks in a program: which module computes an equation, and which value is a module's output."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jax.ad_checkpoint import checkpoint_name
from jax.core import Tracer

_SCOPE, _OUTPUT = "fanin scope", "fanin output"


@dataclass(frozen=True)
class Place:
    """A module in a model.

    Args:
        path: Its path, "" for the model itself.
        type: Its type.
    """

    path: str
    type: str

    def marked(self, mark: str) -> str:
        """Return the text that stands for it in a program."""
        return f"{mark}|{self.path}|{self.type}"


class Ended(NamedTuple):
    """A module that has returned.

    Args:
        place: The module.
        value: Description of what it returned first.
        traced: Whether it was traced, as in a loop, which may happen several times for one call.
    """

    place: Place
    value: jax.ShapeDtypeStruct
    traced: bool


Ends = list[Ended]
"""Modules in the order in which they return."""

_ENDED: ContextVar[Ends] = ContextVar("ended")


@contextlib.contextmanager
def ends_noted() -> Iterator[Ends]:
    """Give a list that the modules are added to which return while the block runs."""
    found: Ends = []
    token = _ENDED.set(found)
    try:
        yield found
    finally:
        _ENDED.reset(token)


def call_marked(
    place: Place, call: Callable[[], Any], *, ends: bool = True, own: Callable[[], Any] = list
) -> Any:
    """Return what a module's call returns, with its equations and its first array marked.

    Args:
        place: The module.
        call: Its call, with its arguments.
        ends: Whether what it returns is the module's output.
        own: The module's own arrays: one that only hands these out has no output.
    """
    with jax.named_scope(place.marked(_SCOPE)):
        outputs = call()
    if not ends:
        return outputs
    leaves, structure = jax.tree.flatten(outputs)
    held = {id(leaf) for leaf in jax.tree.leaves(own())}
    for number, leaf in enumerate(leaves):
        if isinstance(leaf, jax.Array):
            if id(leaf) in held:
                return outputs
            if (noted := _ENDED.get(None)) is not None:
                noted.append(_ended(place, leaf))
            leaves[number] = checkpoint_name(leaf, place.marked(_OUTPUT))
            break
    return jax.tree.unflatten(structure, leaves)


def _ended(place: Place, leaf: Any) -> Ended:
    """Return that a module has returned an array, whose shape has the axes that jax.vmap hides in front."""
    hidden: list[int] = []
    own, dtype = tuple(leaf.shape), leaf.dtype
    while isinstance(axis := getattr(leaf, "batch_dim", None), int):
        leaf = leaf.val
        hidden.insert(0, leaf.shape[axis])
    described = jax.ShapeDtypeStruct((*hidden, *own), dtype)
    return Ended(place, described, isinstance(leaf, Tracer))


def scope_of(equation: Any) -> Place | None:
    """Return the innermost module that an equation is computed by; None where no mark tells."""
    for scope in reversed(equation.source_info.name_stack.stack):
        if (found := _read(getattr(scope, "name", ""), _SCOPE)) is not None:
            return found
    return None


def output_of(equation: Any) -> Place | None:
    """Return the module whose output an equation marks; None for any other equation."""
    return _read(equation.params["name"], _OUTPUT) if equation.primitive.name == "name" else None


def _read(text: str, mark: str) -> Place | None:
    kind, *rest = text.split("|")
    return Place(rest[0], rest[1]) if kind == mark and len(rest) == 2 else None


Copied = Callable[[Any, str], Mapping[int, Place]]
"""From an object that is not known and the path of the module that calls it to places, of its parts too."""


@contextlib.contextmanager
def calls_marked(
    places: dict[int, Place],
    kinds: Iterable[type],
    method: str = "__call__",
    copied: Copied = lambda unknown, caller: {},
) -> Iterator[None]:
    """Mark the calls of some objects inside of the block.

    Args:
        places: The objects' places by id. It may be filled while the block runs.
        kinds: Their classes.
        method: The method that is their call.
        copied: Finds the places of an object that is made while the block runs, as a copy of a known one.
    """
    marks = _Marks(places, copied)
    with contextlib.ExitStack() as stack:
        for kind in _owners(kinds, method):
            stack.enter_context(_marking(kind, method, marks))
        yield


class _Marks:
    """Which objects are known, and which are running.

    Args:
        places: Places of objects by id.
        copied: Finds the places of copies.
    """

    def __init__(self, places: dict[int, Place], copied: Copied) -> None:
        self.places, self.copied = places, copied
        self.running: list[tuple[int, Place]] = []
        self._copies: list[Any] = []  # they are kept, so that no other one gets their id

    def place(self, module: Any) -> Place | None:
        """Return an object's place; None for one that is not known."""
        if id(module) not in self.places:
            caller = self.running[-1][1].path if self.running else ""
            if found := self.copied(module, caller):
                self._copies.append(module)
                self.places.update(found)
        return self.places.get(id(module))

    def is_running(self, module: Any) -> bool:
        """Return whether an object is being called: super().__call__ is the same call."""
        return any(running == id(module) for running, _ in self.running)


def _owners(kinds: Iterable[type], method: str) -> list[type]:
    """Return the classes that define the method, each once."""
    owners = [next((c for c in kind.__mro__ if method in vars(c)), None) for kind in kinds]
    return list(dict.fromkeys(owner for owner in owners if owner is not None))


@contextlib.contextmanager
def _marking(kind: type, method: str, marks: _Marks) -> Iterator[None]:
    own = vars(kind)[method]

    @functools.wraps(getattr(own, "__wrapped__", own))
    def marked(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = functools.partial(own.__get__(self, kind), *args, **kwargs)
        place = None if marks.is_running(self) else marks.place(self)
        if place is None:
            return call()
        marks.running.append((id(self), place))
        try:
            return call_marked(place, call)
        finally:
            marks.running.pop()

    type.__setattr__(kind, method, marked)
    try:
        yield
    finally:
        type.__setattr__(kind, method, own)
