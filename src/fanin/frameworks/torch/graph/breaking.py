"""Models that tracing cannot follow: modules in which it breaks return what nobody knows, and it goes on.

What such a module returns is an operation on what it read and on what its parts returned before the break.
Which shapes come out, and which modules are called after the break, a call with values has told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_map

from fanin.errors import FaninError
from fanin.frameworks.torch.graph.exporting import exported, tensors_of
from fanin.frameworks.torch.graph.failures import UnsizedError, place, reason
from fanin.frameworks.torch.graph.inputs import device_of
from fanin.frameworks.torch.graph.rehearsing import (
    Called,
    Described,
    Forward,
    forwards_wrapped,
    is_plain,
    rehearsed,
)
from fanin.frameworks.torch.graph.shapeless import missing
from fanin.frameworks.torch.graph.unsized import has_size
from fanin.graph.signal import SignalGraph

OPERATOR = "fanin::unknown"
"""What stands for a module that cannot be traced."""


@torch.library.custom_op(OPERATOR, mutates_args=())
def _unknown(
    read: list[torch.Tensor],
    shape: list[int],
    dtype: torch.dtype,
    name: str,
    reason: str,
    file: str,
    line: int,
) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype)


@_unknown.register_fake
def _(
    read: list[torch.Tensor],
    shape: list[int],
    dtype: torch.dtype,
    name: str,
    reason: str,
    file: str,
    line: int,
) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device=read[0].device if read else None)


@dataclass(frozen=True)
class Break:
    """Where tracing breaks.

    Args:
        name: The type of the module.
        reason: Why.
        file: File of the line.
        line: The line.
    """

    name: str
    reason: str
    file: str
    line: int

    @classmethod
    def of(cls, module: nn.Module, error: Exception) -> Break:
        """Return where an error of a module's trace comes from."""
        return cls(type(module).__name__, reason(error), *place(error))

    @classmethod
    def before(cls, module: nn.Module, error: UnsizedError) -> Break:
        """Return where what a module is called with comes from, whose size depends on values."""
        file, line = place(error)
        at = f" at {file}:{line}" if file else ""
        return cls(type(module).__name__, f"it reads a tensor whose size depends on values{at}", file, line)

    def value(self, like: Described, read: list[torch.Tensor]) -> torch.Tensor:
        """Return a tensor that nobody knows.

        Args:
            like: Its shape and type.
            read: What it depends on.
        """
        shape = list(like.shape)
        return torch.ops.fanin.unknown(read, shape, like.dtype, self.name, self.reason, self.file, self.line)


def exported_in_part(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    train: bool,
    error: FaninError,
) -> tuple[torch.export.ExportedProgram, tuple[Break, ...]]:
    """Return what can be traced of a model that cannot be traced as a whole, and where that breaks.

    Args:
        model: The model.
        args: What it is called with.
        kwargs: The same by name.
        train: Whether as in training.
        error: Why it cannot be traced as a whole, which is raised where nothing is left.
    """
    call = rehearsed(model, args, kwargs, train=train)
    if call is None:
        raise error
    trace = _Trace(call, meta=device_of(model).type == "meta")
    try:
        with forwards_wrapped(model, trace.wrap):
            program = exported(model, args, kwargs, train=train)
    except FaninError:
        raise error from error.__cause__
    return program, tuple(trace.breaks)


def told(graph: SignalGraph, breaks: tuple[Break, ...], error: FaninError) -> SignalGraph:
    """Return a graph that says where tracing broke.

    Args:
        graph: Of what could be traced.
        breaks: Where that was.
        error: Why the model cannot be traced as a whole.

    Raises:
        FaninError: Nothing comes before it.
    """
    unknown: set[str] = set()
    for node in graph:
        if node.op == "opaque" or any(name in unknown for name in node.inputs):
            unknown.add(node.name)
    if all(name in unknown for name in graph.layers.values()):
        raise error from error.__cause__
    places = dict.fromkeys(f"{one.file}:{one.line}" for one in breaks if one.file)
    where = f" ({', '.join(places)})" if places else ""
    note = f"{graph.name} cannot be traced as a whole{where}: what depends on it is unknown."
    ran = "It ran once, on noise, which told the shapes."
    fix = [f"Fix: {error.fix}."] if error.fix else []
    return replace(graph, notes=(*graph.notes, " ".join([note, ran, *fix])))


@dataclass(eq=False)
class _Frame:
    """A module that is running.

    Args:
        module: The module.
        call: What is known of the call; None for nothing.
        read: What it read, and what its parts returned.
        done: How many of its parts have been called.
    """

    module: nn.Module
    call: Called | None
    read: list[torch.Tensor] = field(default_factory=list)
    done: int = 0

    def part(self, module: nn.Module) -> Called | None:
        """Return what is known of the next call of a part."""
        calls = [] if self.call is None else self.call.calls
        self.done += 1
        found = calls[self.done - 1] if self.done <= len(calls) else None
        return found if found is not None and found.module is module and found.returned else None


class _Trace:
    """What is running while a model is traced, and what broke.

    Args:
        call: The call of the model.
        meta: Whether it is on the meta device, where operators cannot be tried that do not say their shapes.
    """

    def __init__(self, call: Called, *, meta: bool) -> None:
        self.breaks: list[Break] = []
        self._root, self._meta = call, meta
        self._running: list[_Frame] = []

    def wrap(self, module: nn.Module, forward: Forward) -> Forward:
        """Return a module's forward that goes on where tracing breaks."""

        def unbroken(*args: Any, **kwargs: Any) -> Any:
            above = self._running[-1] if self._running else None
            call = self._root if above is None else above.part(module)
            frame = _Frame(module, call)
            args, kwargs = self._of_fixed_size(frame, above, args, kwargs)
            frame.read = _fixed((args, kwargs))
            self._running.append(frame)
            try:
                result = self._result(frame, forward, args, kwargs)
            finally:
                self._running.pop()
            if above is not None:
                above.read += _fixed(result)
            return result

        return unbroken

    def _of_fixed_size(self, frame: _Frame, above: _Frame | None, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Return what a module is called with; what has no size is nothing that somebody knows."""
        unsized = _unsized((args, kwargs))
        if not unsized or above is None:
            return args, kwargs
        error = UnsizedError(unsized[0])
        if frame.call is None or not is_plain((frame.call.args, frame.call.kwargs)):
            raise error
        self.breaks.append(Break.before(frame.module, error))
        return _filled((frame.call.args, frame.call.kwargs), self.breaks[-1], above.read)

    def _result(self, frame: _Frame, forward: Forward, args: Any, kwargs: Any) -> Any:
        try:
            result = forward(*args, **kwargs)
            if unsized := _unsized(result):
                raise UnsizedError(unsized[0])
            return result
        except Exception as error:
            return self._after(frame, error)

    def _after(self, frame: _Frame, error: Exception) -> Any:
        """Return what a module returns in which tracing broke.

        Raises:
            Exception: The error, where nobody knows that, or another one mends it.
        """
        call = frame.call
        mended = not self._meta and missing(error)
        if call is None or mended or not is_plain(call.result):
            raise error
        found = Break.of(frame.module, error)
        self.breaks.append(found)
        for part in call.calls[frame.done :]:
            self._replay(part, found, frame)
        return _filled(call.result, found, frame.read)

    def _replay(self, part: Called, found: Break, frame: _Frame) -> None:
        """Trace a module that is called after a break, with what nobody knows."""
        if is_plain((part.args, part.kwargs)) and part.returned:
            read = list(frame.read)
            args, kwargs = _filled(part.args, found, read), _filled(part.kwargs, found, read)
            with contextlib.suppress(Exception):  # it is the break that is told
                part.module(*args, **kwargs)


def _filled(values: Any, found: Break, read: list[torch.Tensor]) -> Any:
    """Return described values with tensors that nobody knows in the place of descriptions."""
    return tree_map(lambda one: found.value(one, read) if isinstance(one, Described) else one, values)


def _fixed(values: Any) -> list[torch.Tensor]:
    """Return the tensors whose size is known."""
    return [tensor for tensor in _tensors(values) if has_size(tensor)]


def _unsized(values: Any) -> list[torch.Tensor]:
    """Return the tensors whose size is not known."""
    return [tensor for tensor in _tensors(values) if not has_size(tensor)]


def _tensors(values: Any) -> list[torch.Tensor]:
    leaves, _ = tree_flatten(values)
    return [tensor for leaf in leaves for tensor in tensors_of(leaf)]
