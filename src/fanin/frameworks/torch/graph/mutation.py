"""Operations that write into their operand: what it, and all that shares its memory, is from then on."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from fanin.frameworks.torch.graph.folding import folded, is_random
from fanin.frameworks.torch.graph.ops.shapes import order_of
from fanin.frameworks.torch.graph.values import Value, all_known, number_of, tensors_in

if TYPE_CHECKING:
    from fanin.frameworks.torch.graph.walking import Walker

_SHAPED = ("view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "_unsafe_view")
_PERMUTING = ("permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT")
_SAME = ("alias", "detach", "contiguous", "to")


class Places:
    """The value that each traced tensor has now.

    Args:
        walker: Converts an operation again, where a view's tensor was written to.
    """

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self._now: dict[fx.Node, Any] = {}
        self._stale: set[fx.Node] = set()
        self._roots: dict[fx.Node, fx.Node] = {}
        self._families: dict[fx.Node, list[fx.Node]] = {}

    def set(self, node: fx.Node, value: Any) -> None:
        """Give a traced tensor its first value."""
        self._now[node] = value
        base = _base(node)
        root = self._roots[node] = node if base is None else self._roots[base]
        self._families.setdefault(root, []).append(node)

    def read(self, node: fx.Node) -> Any:
        """Return the value of a traced tensor; of a view into what was written to, the new one."""
        if node in self._stale:
            self._stale.discard(node)
            written: Any = node.args[0] if writes(node) else None
            self._now[node] = self.walker.converted(node) if written is None else self.read(written)
        return self._now[node]

    def write(self, node: fx.Node, name: str, args: Any, kwargs: Any) -> Any:
        """Return the value of an operation in place, which from here on is its operand's.

        Args:
            node: The operation.
            name: PyTorch's name of it, which ends with an underscore.
            args: Its arguments, the operand first.
            kwargs: Its arguments by name.
        """
        written: Any = node.args[0]
        value = self._written(node, name, args, kwargs)
        self.put(written, value)
        return value

    def _written(self, node: fx.Node, name: str, args: Any, kwargs: Any) -> Any:
        target: Any = node.target
        old: Value = args[0]
        if name in ("aten.copy_", "aten.fill_", "aten.zero_"):
            new = args[1] if len(args) > 1 else 0
            return self._filled(old, new)
        plain = name.removesuffix("_")
        if all_known(args, kwargs) and not is_random(target):
            assert old.tensor is not None
            rest, more = tensors_in(args[1:], kwargs)
            result = folded(target, [old.tensor.clone(), *rest], more)
            return Value(tuple(result.shape), old.dtype, tensor=result)
        return self.walker.called(target, plain, node, args, kwargs)

    def _filled(self, old: Value, new: Any) -> Value:
        """Return a value of the old one's shape and type that holds another's numbers."""
        number = number_of(new)
        if number is not None or (isinstance(new, Value) and new.constant):
            source = torch.as_tensor(number if number is not None else new.tensor)
            filled = source.to(getattr(torch, old.dtype)).expand(old.shape).clone()
            return Value(old.shape, old.dtype, tensor=filled)
        return self.walker.builder.broadcast(new, old.shape)

    def put(self, node: fx.Node, value: Any) -> None:
        """Give a tensor a value, and what it is a view of too; other views of that are read again."""
        path = [node]
        self._now[node] = value
        while (base := _base(path[-1])) is not None:
            self._now[base] = _inserted(self.walker, path[-1], self._now[base], self._now[path[-1]])
            path.append(base)
        self._stale |= set(self._families[path[-1]])
        self._stale -= set(path)


def writes(node: fx.Node) -> bool:
    """Return whether an operation returns the operand that it wrote to."""
    target: Any = node.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def _base(node: fx.Node) -> fx.Node | None:
    """Return the tensor that a traced one is a view of, None for one with memory of its own."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], fx.Node):
        return None
    target: Any = node.target
    if target is operator.getitem:
        return node.args[0] if _base(node.args[0]) is not None else None
    if not isinstance(target, torch._ops.OpOverload) or not target._schema.returns:
        return None
    return node.args[0] if target._schema.returns[0].alias_info is not None else None


def _inserted(walker: Walker, view: fx.Node, base: Any, value: Any) -> Any:
    """Return a tensor with a new value in the place of one of its views."""
    args = walker.read(view.args[1:])
    if view.target is operator.getitem:
        return [value if place == args[0] else old for place, old in enumerate(base)]
    if isinstance(value, list | tuple):
        return _joined(walker, view, base, value, args)
    if base.constant and value.constant:
        return _written_into(view, base, value, args)
    return _put_back(walker, view, base, value, (base, *args))


def _joined(walker: Walker, view: fx.Node, base: Value, parts: Any, args: Any) -> Value:
    """Return what was split into parts, or into single places."""
    if "unbind" in str(view.target):
        axis = base.axis(args[0] if args else 0)
        shape = [1 if place == axis else size for place, size in enumerate(base.shape)]
        return walker.builder.concat([walker.builder.reshape(part, shape) for part in parts], axis)
    cut = [axis for axis, size in enumerate(base.shape) if size != parts[0].shape[axis]]
    return walker.builder.concat(parts, cut[0]) if cut else parts[0]


def _written_into(view: fx.Node, base: Value, value: Value, args: Any) -> Value:
    target: Any = view.target
    whole = base.tensor.clone()  # type: ignore[union-attr]
    kwargs = {name: arg for name, arg in view.kwargs.items() if name != "device"}
    target(whole, *args, **kwargs).copy_(value.tensor)
    return Value(base.shape, base.dtype, tensor=whole)


def _put_back(walker: Walker, view: fx.Node, base: Value, value: Value, args: Any) -> Value:
    graph = walker.builder
    name = str(view.target).split(".")[1]
    if name in _SAME or name.endswith("_"):
        return value
    if name in _SHAPED:
        return graph.reshape(value, base.shape)
    if name in _PERMUTING:
        order = order_of(name, base, args[1:])
        return graph.permute(value, [order.index(axis) for axis in range(base.ndim)])
    found = _window(name, args, base)
    if found is None:
        what = f"a write into aten.{name}"
        return graph.emit("opaque", [base, value], base.shape, base.dtype, operator=what)
    axis, start, stop = found
    if name == "select":
        value = graph.reshape(value, (*base.shape[:axis], 1, *base.shape[axis + 1 :]))
    parts = graph.slice(base, axis, 0, start), value, graph.slice(base, axis, stop, base.shape[axis])
    return graph.concat(parts, axis)


def _window(name: str, args: Any, base: Value) -> tuple[int, int, int] | None:
    """Return axis, start and stop of a part of a tensor without gaps."""
    if name == "select" and isinstance(args[2], int):
        axis = base.axis(args[1])
        at = args[2] % base.shape[axis]
        return axis, at, at + 1
    if name == "slice":
        axis = base.axis(args[1] if len(args) > 1 else 0)
        bounds = slice(*(args[i] if len(args) > i else None for i in (2, 3, 4)))
        start, stop, step = bounds.indices(base.shape[axis])
        return (axis, start, max(start, stop)) if step == 1 else None
    return None
