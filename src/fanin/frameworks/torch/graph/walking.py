"""From the operations that PyTorch exports to the nodes of a signal graph."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg

from fanin.frameworks.torch.graph.breaking import OPERATOR as UNKNOWN
from fanin.frameworks.torch.graph.builder import Builder
from fanin.frameworks.torch.graph.call import CONVERTERS, Call
from fanin.frameworks.torch.graph.folding import folded, is_random
from fanin.frameworks.torch.graph.functions import OPERATOR
from fanin.frameworks.torch.graph.mutation import Places, writes
from fanin.frameworks.torch.graph.sources import Paths, line_of
from fanin.frameworks.torch.graph.unsized import Unsized, has_size, sized, values_in
from fanin.frameworks.torch.graph.values import Value, all_known, dtype_name, mapped, tensors_in

_IGNORED = (
    "aten._assert_tensor_metadata",
    "aten._assert_async",
    "aten._assert_scalar",
    "aten.sym_constrain_range",
)
_OF_SHAPES = (
    "empty_like",
    "full_like",
    "new_empty",
    "new_full",
    "new_ones",
    "new_zeros",
    "ones_like",
    "zeros_like",
)
"""What these return depends on their operand's shape and type alone."""

_NUMBERS = {torch.SymFloat: "float32", torch.SymInt: "int64", torch.SymBool: "bool"}
_FUNCTION = OPERATOR.replace("::", ".")
_UNKNOWN = UNKNOWN.replace("::", ".")
_INLINED = ("wrap_with_set_grad_enabled", "wrap_with_autocast", "tag_activation_checkpoint", "hints_wrapper")


class Walker:
    """Goes through an exported graph in the order of execution.

    Args:
        builder: Where nodes go.
        module: Whose attributes the graph reads.
        known: Values of its first placeholders, by their names.
        paths: Those of the model's modules.
    """

    def __init__(
        self, builder: Builder, module: torch.nn.Module, known: Mapping[str, Value], paths: Paths
    ) -> None:
        self.builder, self.module, self.known, self.paths = builder, module, known, paths
        self.made: dict[fx.Node, Any] = {}
        self.places = Places(self)
        self._sized = True  # whether all tensors so far have sizes

    def run(self, graph: fx.Graph) -> Any:
        """Return what the graph returns, tensors as values."""
        for node in graph.nodes:
            if node.op == "output":
                return self.read(node.args[0])
            self.made[node] = self.converted(node)
            self.places.set(node, self.made[node])
        return ()

    def read(self, argument: Any) -> Any:
        """Return an argument with values in the place of nodes."""
        return map_arg(argument, self.places.read)

    def converted(self, node: fx.Node) -> Any:
        """Return the value of a traced node, as its operands are now."""
        if node.op == "placeholder":
            return self.known.get(node.name)  # None for what is no tensor
        if node.op == "get_attr":
            found = operator.attrgetter(str(node.target))(self.module)
            return _constant(found) if isinstance(found, torch.Tensor) else found
        self.builder.label = node.name
        self.builder.source = self.paths.source(node)
        if (found := self._of_unknown_size(node)) is not None:
            return found[0]
        if node.target is operator.getitem:
            return self.read(node.args[0])[node.args[1]]
        name = getattr(node.target, "__name__", "")
        if name in _INLINED:
            return self._inlined(node)
        return self.operation(node)

    def operation(self, node: fx.Node) -> Any:
        """Return the values of one operator's results."""
        target: Any = node.target
        if not isinstance(target, torch._ops.OpOverload):
            return self._unknown(node)
        name = str(target).rpartition(".")[0]
        if name in _IGNORED:
            return None
        args, kwargs = self.read(node.args), self.read(node.kwargs)
        if target._schema.is_mutable and name.endswith("_"):
            return self.places.write(node, name, args, kwargs)
        return self.called(target, name, node, args, kwargs)

    def called(self, target: Any, name: str, node: fx.Node, args: Any, kwargs: Any) -> Any:
        """Return the values of an operator's results: computed where all is known, else nodes."""
        if not is_random(target) and all_known(args, kwargs):
            return _valued(folded(target, *tensors_in(args, kwargs)))
        if name.removeprefix("aten.") in _OF_SHAPES:
            return self._of_shape(target, args, kwargs)
        bound = _bound(target, args, kwargs)
        call = Call(name, target._overloadname, bound, _results(node), self.builder)
        if name == _UNKNOWN:
            return self._broken(bound, call)
        if name == _FUNCTION:
            return self.builder.emit(
                "opaque", bound["inputs"], call.shape, call.dtype, operator=bound["name"]
            )
        if _computed_numbers(target, bound):
            return call.opaque("with computed numbers")
        converter = CONVERTERS.get(name)
        return converter(call) if converter else call.opaque()

    def _of_unknown_size(self, node: fx.Node) -> tuple[Any] | None:
        """Return what an operation returns that makes tensors of unknown size or reads some; else None."""
        results = _listed(node.meta.get("val"))
        unsized = [one for one in results if isinstance(one, torch.Tensor) and not has_size(one)]
        if (not unsized and self._sized) or str(node.target).startswith(_IGNORED):
            return None
        read = list(values_in(self.read([*node.args, *node.kwargs.values()])))
        place = next((value.place for value in read if isinstance(value, Unsized)), "")
        if unsized:
            self._sized = False
            where = ":".join(map(str, line_of(node)))
            return (Unsized((), read=tuple(sized(read)), place=place or where),)
        return (self._of_unsized(node, sized(read), place),) if place else None

    def _of_unsized(self, node: fx.Node, read: list[Value], place: str) -> Any:
        name = str(node.target).rpartition(".")[0] or getattr(node.target, "__name__", "")
        reason = f"it reads a tensor whose size depends on values at {place}"
        made = [
            self.builder.emit("opaque", read, shape, dtype, operator=name, reason=reason)
            for shape, dtype in _results(node)
        ]
        traced = node.meta.get("val")
        value = made if isinstance(traced, list | tuple) or len(made) != 1 else made[0]
        written = node.args[0] if writes(node) else None
        if isinstance(written, fx.Node):
            self.places.put(written, value)
        return value

    def _broken(self, bound: dict[str, Any], call: Call) -> Value:
        """Return what nobody knows, of a module that tracing breaks in."""
        source = self.builder.source
        if bound["file"]:
            self.builder.source = replace(source, file=bound["file"], line=bound["line"])
        self.builder.label = source.layer or bound["name"]
        return self.builder.emit(
            "opaque", bound["read"], call.shape, call.dtype, operator=bound["name"], reason=bound["reason"]
        )

    def _of_shape(self, target: Any, args: Any, kwargs: Any) -> Value:
        like: Value = args[0]
        blank = torch.zeros((), dtype=getattr(torch, like.dtype)).expand(like.shape)
        others = mapped(args[1:], lambda value: value.tensor)
        return _valued(folded(target, [blank, *others], kwargs))

    def _inlined(self, node: fx.Node) -> Any:
        """Return the results of a graph inside of the graph, such as that under a context manager."""
        args = [self.places.read(arg) if isinstance(arg, fx.Node) else arg for arg in node.args]
        place = next(i for i, arg in enumerate(args) if isinstance(arg, fx.GraphModule))
        inner: Any = args[place]
        doors = [child for child in inner.graph.nodes if child.op == "placeholder"]
        known: dict[str, Any] = dict(zip((door.name for door in doors), args[place + 1 :], strict=True))
        walker = Walker(self.builder, inner, known, self.paths)
        walker._sized = self._sized
        results = walker.run(inner.graph)
        self._sized = walker._sized
        self.made |= walker.made
        for door, outer in zip(doors, node.args[place + 1 :], strict=True):
            if walker.places.read(door) is not known[door.name] and isinstance(outer, fx.Node):
                self.places.put(outer, walker.places.read(door))
        return results

    def _unknown(self, node: fx.Node) -> Any:
        name = getattr(node.target, "__name__", str(node.target))
        read: Any = self.read(list(node.args))
        call = Call(name, "", {str(i): value for i, value in enumerate(read)}, _results(node), self.builder)
        return call.opaque()


def _computed_numbers(target: Any, bound: dict[str, Any]) -> bool:
    """Return whether a number that an operator must know, such as an axis, is computed from values."""
    return any(
        _has_value(bound.get(argument.name))
        for argument in target._schema.arguments
        if "Tensor" not in str(argument.type) and "number" not in str(argument.type)
    )


def _has_value(argument: Any) -> bool:
    if isinstance(argument, list | tuple):
        return any(map(_has_value, argument))
    return isinstance(argument, Value)


def _constant(tensor: torch.Tensor) -> Value:
    return Value(tuple(tensor.shape), dtype_name(tensor.dtype), tensor=tensor)


def _valued(results: Any) -> Any:
    """Return known tensors as values."""
    if isinstance(results, torch.Tensor):
        return _constant(results)
    return [_valued(result) for result in results] if isinstance(results, list | tuple) else results


def _bound(target: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return an operator's arguments by name, defaults among them."""
    bound: dict[str, Any] = {}
    for place, argument in enumerate(target._schema.arguments):
        if place < len(args):
            bound[argument.name] = args[place]
        elif argument.name in kwargs:
            bound[argument.name] = kwargs[argument.name]
        elif argument.has_default_value():
            bound[argument.name] = argument.default_value
    return bound


def _listed(results: Any) -> Sequence[Any]:
    return results if isinstance(results, list | tuple) else (results,)


def _results(node: fx.Node) -> tuple[tuple[tuple[int, ...], str], ...]:
    found = []
    for one in _listed(node.meta.get("val")):
        if isinstance(one, torch.Tensor):
            found.append((tuple(one.shape), dtype_name(one.dtype)))
        elif type(one) in _NUMBERS:  # a number that is computed from values, as by .item()
            found.append(((), _NUMBERS[type(one)]))
    return tuple(found)
