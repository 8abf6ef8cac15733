"""What every axis of a graph's values runs over, told from how operations use it.

An axis is a product of atoms: a flattened image is channels times rows times columns, packed heads are
heads times features. Reshapes split and join atoms; convolutions, products with weights, attention and
norms tell their roles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fanin.graph.signal import Node, Role, SignalGraph

AtomRole = Literal["batch", "position", "channel"]


@dataclass(frozen=True)
class Atom:
    """A factor of an axis.

    Args:
        number: Equal for the same factor wherever it appears in a graph.
        size: How many values it takes.
        role: What it runs over.
    """

    number: int
    size: int
    role: AtomRole


Axes = tuple[tuple[Atom, ...], ...]
"""The atoms of each axis of a value, outer ones first; none for an axis of size 1."""


class _Open:
    """An atom whose role may still be learned.

    It has `parts` once it was split, `same` once it was found to be another one, and takes a role that it
    is not told from its `model`.
    """

    def __init__(self, size: int, role: AtomRole | None = None, model: _Open | None = None) -> None:
        self.size = size
        self.role: AtomRole | None = role
        self.model = model
        self.parts: tuple[_Open, ...] = ()
        self.same: _Open | None = None

    def found(self) -> _Open:
        return self if self.same is None else self.same.found()

    def leaves(self) -> Iterator[_Open]:
        self = self.found()
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()

    def split(self, outer: int) -> None:
        sizes = outer, self.size // outer
        self.parts = tuple(_Open(size, self.role, self.model) for size in sizes)


_Axis = list[_Open]


def axes_of(graph: SignalGraph) -> Mapping[str, Axes]:
    """Return the atoms of every axis of every node's value.

    Args:
        graph: With an op and a shape for each node.

    Returns:
        By the node's name.

    Example:
        >>> nodes = (
        ...     Node("x", "input", (), (8, 6)),
        ...     Node("w", "parameter", (), (5, 6), attributes={"weight": "w"}),
        ...     Node("y", "linear", ("x", "w"), (8, 5), attributes={"equation": "ab,cb->ac"}),
        ... )
        >>> [[atom.role for atom in axis] for axis in axes_of(SignalGraph(nodes))["y"]]
        [['batch'], ['channel']]
    """
    found: dict[str, list[_Axis]] = {}
    for node in graph:
        inputs = [found[name] for name in node.inputs]
        found[node.name] = _RULES.get(node.op, _fresh)(node, inputs)
    _settle(graph, found)
    return _frozen(found)


def with_roles(graph: SignalGraph, axes: Mapping[str, Axes] | None = None) -> SignalGraph:
    """Return a graph whose nodes say what their axes run over."""
    axes = axes_of(graph) if axes is None else axes
    return replace(graph, nodes=tuple(replace(node, roles=_roles(axes[node.name])) for node in graph))


def _roles(axes: Axes) -> tuple[Role, ...]:
    """Return one role an axis; of several axes of channels the first ones are heads."""
    channels = [place for place, axis in enumerate(axes) if any(atom.role == "channel" for atom in axis)]
    found: list[Role] = []
    for place, axis in enumerate(axes):
        roles = {atom.role for atom in axis}
        if roles == {"channel"} and place != channels[-1]:
            found.append("head")
        elif len(roles) > 1:
            found.append("mixed")
        else:
            found.append(axis[0].role if axis else "position")
    return tuple(found)


# What each op does to atoms


def _new(size: int, role: AtomRole | None = None) -> _Axis:
    return [] if size == 1 else [_Open(size, role)]


def _fresh(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    return [_new(size) for size in node.shape]


def _alike(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    """Take an unknown op's axes for those of the first value of its shape, if one has it."""
    for value in inputs:
        if tuple(_size(axis) for axis in value) == node.shape:
            return value
    return _fresh(node, inputs)


def _tell(axis: Iterable[_Open], role: AtomRole, *, over: bool = False) -> None:
    """Give atoms a role, over another one if so wanted."""
    for atom in axis:
        for leaf in atom.leaves():
            if leaf.role is None or over:
                leaf.role = role


def _joined(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    """Broadcast values against each other: what lies in one place is the same."""
    result: list[_Axis] = []
    for place, size in enumerate(node.shape):
        back = place - len(node.shape)
        axis: _Axis | None = None
        for value in inputs:
            if len(value) < -back or not value[back]:
                continue
            axis = value[back] if axis is None else axis
            _same(axis, value[back])
        result.append(_new(size) if axis is None else axis)
    return result


def _same(one: _Axis, other: _Axis) -> None:
    mine, theirs = _leaves(one), _leaves(other)
    if [leaf.size for leaf in mine] != [leaf.size for leaf in theirs]:
        if not _align(one, [leaf.size for leaf in theirs]) or not _align(
            other, [a.size for a in _leaves(one)]
        ):
            return
        mine, theirs = _leaves(one), _leaves(other)
    for a, b in zip(mine, theirs, strict=False):
        if a is not b and a.size == b.size:
            a.role = a.role or b.role
            b.same = a


def _leaves(axis: Iterable[_Open]) -> _Axis:
    return [leaf for atom in axis for leaf in atom.leaves()]


def _align(axis: _Axis, sizes: Sequence[int]) -> bool:
    """Split atoms until each of these sizes, outer ones first, is a product of whole atoms."""
    return _grouped(axis, sizes) is not None


def _grouped(axis: _Axis, sizes: Sequence[int]) -> list[_Axis] | None:
    """Return the atoms of each of some sizes, splitting where needed; None where they do not fit."""
    waiting = _leaves(axis)[::-1]
    groups: list[_Axis] = []
    for size in sizes:
        group: _Axis = []
        while size > 1:
            if not waiting:
                return None
            leaf = waiting.pop()
            if size % leaf.size:
                if leaf.size % size:
                    return None
                leaf.split(size)
                waiting += list(leaf.leaves())[::-1]
                continue
            group.append(leaf)
            size //= leaf.size
        groups.append(group)
    return groups


def _reshape(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    whole = [atom for axis in inputs[0] for atom in axis]
    groups = _grouped(whole, node.shape) or _cut_anew(whole, node.shape)
    return [_unmixed(axis, groups) for axis in groups]


def _cut_anew(axis: _Axis, sizes: Sequence[int]) -> list[_Axis]:
    """Return axes of some sizes; atoms that do not fit, as 8 x 7 does not fit 28 x 2, become others."""
    waiting, left = _leaves(axis)[::-1], list(sizes)[::-1]
    result: list[_Axis] = []
    while left:
        leaves, wanted = ([waiting.pop()] if waiting else []), [left.pop()]
        while _size(leaves) != _product(wanted):
            if _size(leaves) < _product(wanted):
                leaves.append(waiting.pop())
            else:
                wanted.append(left.pop())
        result += _grouped(leaves, wanted) or [_like_all(leaves, size) for size in wanted]
    return result


def _product(sizes: Iterable[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _like_all(leaves: _Axis, size: int) -> _Axis:
    """Return a new atom that has the role of others, if they have the same one."""
    roles: set[AtomRole | None] = {leaf.role for leaf in leaves}
    return [] if size == 1 else [_Open(size, roles.pop() if len(roles) == 1 else None, leaves[0])]


def _unmixed(axis: _Axis, axes: list[_Axis]) -> _Axis:
    """Return an axis where positions and channels meet with new atoms of one role, if other axes tell it.

    Places beside channels are channels from there on, as the pixels of patches are; channels within places
    are places, as those are that a pixel shuffle spreads. Where all of an image is one axis, both stay.
    """
    leaves = _leaves(axis)
    if not {"position", "channel"} <= {leaf.role for leaf in leaves}:
        return axis
    others = {leaf.role for other in axes if other is not axis for leaf in _leaves(other)}
    role: AtomRole | None = None
    if "channel" in others:
        role = "position" if leaves[0].role == "position" else None
    elif "position" in others:
        role = "channel"
    told = role is not None
    return [_Open(leaf.size, role) if told and leaf.role != role else leaf for leaf in leaves]


def _permute(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    return [inputs[0][axis] for axis in node["axes"]]


def _broadcast(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    result = [_new(size) for size in node.shape]
    for axis, place in zip(inputs[0], node["axes"], strict=True):
        if axis:
            result[place] = axis
    return result


def _linear(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    x, kernel = inputs[:2]
    (x_letters, kernel_letters), y_letters = letters(node["equation"])
    contracted = [axis for axis, letter in zip(x, x_letters, strict=True) if letter not in y_letters]
    leaves = _leaves(atom for axis in contracted for atom in axis)
    kept = _leaves(
        atom for axis, letter in zip(x, x_letters, strict=True) if letter in y_letters for atom in axis
    )
    if any(leaf.role == "channel" for leaf in kept):
        _tell(leaves, "position")  # of what has channels already, others are mixed
    mixing = bool(leaves) and all(leaf.role == "position" for leaf in leaves)
    _tell(leaves, "channel")
    axes = dict(zip(x_letters, x, strict=True))
    for letter, axis in zip(kernel_letters, kernel, strict=True):
        if letter not in x_letters:
            axes[letter] = _new(_size(axis), "position" if mixing else "channel")
    return [axes[letter] for letter in y_letters]


def _size(axis: _Axis) -> int:
    return _product(leaf.size for leaf in _leaves(axis))


def letters(equation: str) -> tuple[list[str], str]:
    """Return the operands' letters and the result's of an equation as einsum has it."""
    left, _, right = equation.partition("->")
    return left.split(","), right


def _matmul(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    operands, y_letters = letters(node["equation"])
    axes: dict[str, _Axis] = {}
    for names, value in zip(operands, inputs, strict=True):
        for letter, axis in zip(names, value, strict=True):
            if letter in axes and axes[letter] and axis:
                _same(axes[letter], axis)
            axes[letter] = axes.get(letter) or axis
    for names, value in zip(operands, inputs, strict=True):
        summed = [axes[letter] for letter in names if letter not in y_letters]
        if len(names) == 2 and len(summed) == 1:
            _follow(
                next((axis for letter, axis in zip(names, value, strict=True) if letter in y_letters), []),
                summed[0],
            )
    return [axes[letter] for letter in y_letters]


def _follow(axis: _Axis, model: _Axis) -> None:
    """Let an axis that a matrix makes of another one have its role, unless it has its own."""
    leaves = _leaves(model)
    for leaf in _leaves(axis):
        if leaves and leaf.role is None and leaf.model is None:
            leaf.role, leaf.model = leaves[0].role, leaves[0]


def _convolution(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    x = inputs[0]
    batch, channel, *spatial = node["x_axes"]
    _tell(x[batch], "batch")
    _tell(x[channel], "channel")
    for axis in spatial:
        _tell(x[axis], "position", over=True)
    result: list[_Axis] = [[] for _ in node.shape]
    to_batch, to_channel, *to_spatial = node["y_axes"]
    result[to_batch] = x[batch]
    result[to_channel] = _new(node.shape[to_channel], "channel")
    for axis in to_spatial:
        result[axis] = _new(node.shape[axis], "position")
    return result


def _norm(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    x = inputs[0]
    if node["kind"] in ("layer", "rms"):
        for axis in node["axes"]:
            _tell(x[axis], "channel")
    else:
        _tell(x[node["channel"]], "channel")
        _tell((atom for axis in range(1, len(x)) for atom in x[axis]), "position")
        _tell(x[0], "batch")
    return x


def _changed(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    """Keep the axes whose size stays; the others get atoms of the same role."""
    result: list[_Axis] = []
    for axis, size in zip(inputs[0], node.shape, strict=True):
        result.append(axis if _size(axis) == size else _resized(axis, size))
    return result


def _resized(axis: _Axis, size: int) -> _Axis:
    """Return an axis of another size, its first atom changed if the others allow it."""
    leaves = _leaves(axis)
    if not leaves:
        return _new(size)
    inner = _size(leaves[1:])
    if size % inner == 0:
        return [*_like(leaves[0], size // inner), *leaves[1:]]
    return _like(leaves[0], size)


def _like(atom: _Open, size: int) -> _Axis:
    return [] if size == 1 else [_Open(size, atom.role, atom)]


def _pool(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    for axis in node["axes"]:
        _tell(inputs[0][axis], "position", over=True)
    return _changed(node, inputs)


def _concat(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    place = node["axis"]
    rest = [[axis if at != place else [] for at, axis in enumerate(value)] for value in inputs]
    shape = tuple(1 if at == place else size for at, size in enumerate(node.shape))
    result = _joined(replace(node, shape=shape), rest)
    roles: set[AtomRole] = {leaf.role for value in inputs for leaf in _leaves(value[place]) if leaf.role}
    result[place] = _new(node.shape[place], roles.pop() if len(roles) == 1 else None)
    return result


def _slice(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    place = node["axis"]
    length = len(
        range(*slice(node["start"], node["stop"], node.get("step", 1)).indices(_size(inputs[0][place])))
    )
    result = list(inputs[0])
    if length != _size(result[place]):
        result[place] = _resized(result[place], length) if length > 1 else []
    return [axis for at, axis in enumerate(result) if at != place] if node.get("drop") else result


def _reduce(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    gone = set(node["axes"])
    if node.get("keep"):
        return [[] if at in gone else axis for at, axis in enumerate(inputs[0])]
    return [axis for at, axis in enumerate(inputs[0]) if at not in gone]


def _attention(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    query, key, value = inputs[:3]
    turned = _between_channels(query) and _between_channels(key)
    for operand in (query, key, value):
        if not turned:
            _tell(operand[-1], "channel")
            _tell(operand[-2], "position", over=True)
        for axis in operand[1:-2]:
            _tell(axis, "channel")
    for one, other in zip(query[:-3], key[:-3], strict=False):
        _same(one, other)
    return [*query[:-1], value[-1]]


def _between_channels(operand: list[_Axis]) -> bool:
    """Return whether queries or keys are channels that have places for features, and are told so."""
    roles = [{leaf.role for leaf in _leaves(axis)} for axis in operand[-2:]]
    return roles == [{"channel"}, {"position"}]


def _embedding(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    ids, table = inputs[:2]
    for axis in ids[1:]:
        _tell(axis, "position")
    return [*ids, _new(_size(table[-1]), "channel")]


def _recurrent(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    x = inputs[0]
    batch, time = (0, 1) if node.get("batch_first") else (1, 0)
    _tell(x[batch], "batch")
    _tell(x[time], "position", over=True)
    _tell(x[2], "channel")
    return [x[0], x[1], _new(node.shape[2], "channel")]


def _scan(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    """Take the steps for positions, and the examples of a step for those of the sequences."""
    carried = node["carried"]
    sequences = inputs[carried:]
    if node.body is None or not sequences:
        return _fresh(node, inputs)
    for sequence in sequences:
        _tell(sequence[0], "position", over=True)
    inside = axes_of(node.body)
    steps = [each.name for each in node.body if each.op == "input"][carried:]
    batch = _batch_axis([inside[name] for name in steps], sequences)
    wanted = node.get("output", carried)
    result: list[_Axis] = [sequences[0][0]] if wanted >= carried else []
    for axis, size in zip(
        inside[node.body.outputs[wanted]], node.body[node.body.outputs[wanted]].shape, strict=True
    ):
        role = axis[0].role if axis else None
        result.append(batch if role == "batch" and batch is not None else _new(size, role))
    return result


def _batch_axis(steps: list[Axes], sequences: list[list[_Axis]]) -> _Axis | None:
    """Return the axis of examples of the sequences that a scan goes through."""
    for axes, sequence in zip(steps, sequences, strict=False):
        for axis, outer in zip(axes, sequence[1:], strict=False):
            if axis and axis[0].role == "batch":
                _tell(outer, "batch")
                return outer
    return None


def _first(node: Node, inputs: list[list[_Axis]]) -> list[_Axis]:
    return inputs[0]


_RULES: dict[str, Callable[[Node, list[list[_Axis]]], list[_Axis]]] = {
    "linear": _linear,
    "opaque": _alike,
    "convolution": _convolution,
    "elementwise": _joined,
    "norm": _norm,
    "pool": _pool,
    "reduce": _reduce,
    "softmax": _first,
    "matmul": _matmul,
    "attention": _attention,
    "embedding": _embedding,
    "dropout": _first,
    "noise": _first,
    "concat": _concat,
    "slice": _slice,
    "reshape": _reshape,
    "permute": _permute,
    "broadcast": _broadcast,
    "pad": _changed,
    "recurrent": _recurrent,
    "scan": _scan,
}


# What nobody told


def _settle(graph: SignalGraph, found: dict[str, list[_Axis]]) -> None:
    """Give every atom a role: an input's first axis is the batch, its last one channels."""
    for node in graph:
        if node.op == "input":
            _settle_input(found[node.name])
    for node in graph:
        axes = found[node.name]
        for leaf in _leaves(atom for axis in axes for atom in axis):
            leaf.role = leaf.role or _of_model(leaf)
        for place, axis in enumerate(axes):
            _tell(axis, "channel" if place == len(axes) - 1 else "position")


def _of_model(atom: _Open) -> AtomRole | None:
    model = atom.model
    while model is not None and model.found().role is None:
        model = model.found().model
    return model.found().role if model else None


def _settle_input(axes: list[_Axis]) -> None:
    open_axes = [axis for axis in axes if any(leaf.role is None for leaf in _leaves(axis))]
    roles = {leaf.role for axis in axes for leaf in _leaves(axis)}
    if open_axes and "batch" not in roles:
        _tell(open_axes.pop(0), "batch")
    if open_axes and "channel" not in roles:
        _tell(open_axes.pop(), "channel")
    for axis in open_axes:
        _tell(axis, "position")


def _frozen(found: dict[str, list[_Axis]]) -> dict[str, Axes]:
    numbers: dict[int, Atom] = {}

    def atom(leaf: _Open) -> Atom:
        if id(leaf) not in numbers:
            numbers[id(leaf)] = Atom(len(numbers), leaf.size, leaf.role or "position")
        return numbers[id(leaf)]

    return {
        name: tuple(tuple(atom(leaf) for leaf in _leaves(axis)) for axis in axes)
        for name, axes in found.items()
    }
