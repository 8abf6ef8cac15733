"""Which values of a program are looked at: those of layers, and of functions inside of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from fanin.frameworks.jax.checking.blocks import above, repeated
from fanin.frameworks.jax.checking.places import At, Places
from fanin.frameworks.jax.checking.settling import settled, unit_axes, varying
from fanin.graph.signal import Node
from fanin.rules.vitals import Dropped, Loss, Source
from fanin.theory.recognition import recognize
from fanin.theory.recognition.draft import Draft
from fanin.theory.recognition.softmax import softmax

FUNCTIONS = {
    "elu": "elu", "gelu": "gelu", "gelu_tanh": "gelu", "hard_sigmoid": "hardsigmoid",
    "hard_swish": "hardswish", "hard_tanh": "hardtanh", "leaky_relu": "leaky_relu", "mish": "mish",
    "quick_gelu": "gelu", "relu": "relu", "relu6": "relu6", "selu": "selu", "sigmoid": "sigmoid",
    "silu": "silu", "softplus": "softplus", "squared_relu": "squared_relu", "tanh": "tanh",
}  # fmt: skip
"""Activations that are looked at: their names in graphs, and in vitals."""

_OTHER = ("embedding", "recurrent", "scan")
_PRODUCTS = ("linear", "convolution")
_NORM = re.compile(r"norm", re.IGNORECASE)


@dataclass(frozen=True)
class Watched:
    """A value that is looked at.

    Args:
        at: Where it is made.
        name: Path of its layer, "" at the top.
        type: Type of the layer.
        kind: As of `Layer`.
        axes: Axes of its units; None for those of the layer before.
        function: Of activations.
        read: Where a product's data is made, or the logits of an attention.
        kernel: Where its kernel is made.
        kernel_axes: The axes of the units there.
        where: Where it is written.
    """

    at: At
    name: str
    type: str
    kind: str
    axes: tuple[int, ...] | None = None
    function: str = ""
    read: At | None = None
    kernel: At | None = None
    kernel_axes: tuple[int, ...] = ()
    where: Source = field(default_factory=Source)


@dataclass(frozen=True)
class Told:
    """What a loss is.

    Args:
        kind: As of `Output`.
        logits: Whether it takes logits.
        axis: The axis of the classes.
        output: Which of the outputs it takes; None where nobody knows.
        predictions: Where what it takes is made, if the model returns the loss itself.
        targets: Where what that is compared with is made then.
        broadcast: Whether each output is compared with every target, as their shapes differ.
    """

    kind: Loss = "other"
    logits: bool = True
    axis: int = -1
    output: int | None = None
    predictions: At | None = None
    targets: At | None = None
    broadcast: bool = False


class Watching:
    """What is looked at in a program.

    Args:
        places: The program's graph and where its values are made.
        modules: Whether the program is that of a module, whose parts have types.

    Attributes:
        graph: The graph with norms, activations and softmax put together.
        watched: What is looked at, in the order of execution.
        resting: Where dropout is made, with what it is of.
    """

    def __init__(self, places: Places, *, modules: bool) -> None:
        self.places, self.graph = places, recognize(places.graph)
        self._varies = varying(self.graph)
        self._types = {node.source.layer: node.source.type for node in self.graph} if modules else {}
        found = [*self._operations(), *self._attentions(), *self._modules()]
        self.watched = sorted(found, key=lambda one: one.at.order)
        self.resting = {
            places.of[node.name]: places.of[node.inputs[0]]
            for node in places.graph
            if node.op == "dropout" and node.name in places.of and node.inputs[0] in places.of
        }

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """Dropout, which rests."""
        found: dict[str, Dropped] = {}
        for node in self.places.graph:
            if node.op == "dropout" and len(node.shape) > 1:
                shared = node.get("shared", ())
                count = math.prod(size for n, size in enumerate(node.shape) if n and n not in shared)
                found.setdefault(node.source.layer, Dropped(node.source.layer, node["rate"], count))
        return tuple(found.values())

    def own_loss(self, output: int) -> Told | None:
        """Return the loss that an output is, if it is one that is known."""
        node = self.graph[self.graph.outputs[output]]
        if node.op != "loss" or node.inputs[0] not in self.places.of:
            return None
        predictions, targets, *_ = (*(self.places.of.get(name) for name in node.inputs), None)
        logits, axis = bool(node.get("logits", True)), node.get("axis", -1)
        return Told(node["kind"], logits, axis, output, predictions, targets)

    def ends_in(self, output: int) -> str:
        """Return the function that makes an output, where it is an activation or a softmax."""
        return self._made_by(self.graph.outputs[output])[0]

    def before(self, output: int) -> str:
        """Return the function whose result that one is applied to, with nothing between the two."""
        ends, node = self._made_by(self.graph.outputs[output])
        return self._made_by(node.inputs[0])[0] if ends else ""

    def _made_by(self, name: str) -> tuple[str, Node]:
        """Return the activation or softmax that makes a value, "" for none, and its node."""
        node = self.graph[name]
        while node.op in ("reshape", "permute"):
            node = self.graph[node.inputs[0]]
        if node.op == "softmax":
            return ("log_softmax" if node["log"] else "softmax"), node
        return (FUNCTIONS.get(str(node.get("function")), "") if node.op == "elementwise" else ""), node

    def is_tied(self, at: At) -> bool:
        """Return whether the kernel of a product is made of the table of an embedding."""
        tables = {
            name for node in self.graph if node.op == "embedding" for name in self._above(node.inputs[1])
        }
        product = next((node for node in self.graph if self.places.of.get(node.name) == at), None)
        product = product and self._product(product)
        return product is not None and bool(tables & self._above(product.inputs[1]))

    def _product(self, node: Node) -> Node | None:
        while node.op not in _PRODUCTS:
            data = [name for name in node.inputs if name in self._varies]
            if not data:
                return None
            node = self.graph[data[0]]
        return node

    def _above(self, name: str) -> set[str]:
        """Return the parameters that a value is made of."""
        node = self.graph[name]
        if node.op == "parameter":
            return {name}
        return {each for inner in node.inputs for each in self._above(inner)}

    def _operations(self) -> Iterator[Watched]:
        for node in self.graph:
            if node.name not in self._varies or "float" not in node.dtype:
                continue
            if node.op in _PRODUCTS:
                yield from self._of_product(node)
            elif node.op == "norm":
                yield from self._of(node, "norm")
            elif node.op in _OTHER:
                yield from self._of(node, *_of_states(node))
            elif node.op == "elementwise" and node.get("function") in FUNCTIONS and len(node.shape) > 1:
                yield from self._of(node, "activation", function=FUNCTIONS[node["function"]])

    def _of(self, node: Node, kind: str, function: str = "", layer: str | None = None) -> Iterator[Watched]:
        if (at := self.places.of.get(node.name)) is not None:
            source = node.source
            path = source.layer if layer is None else layer
            type_ = self._types.get(path, node.op)
            yield Watched(at, path, type_, kind, None, function, where=Source(source.file, source.line))

    def _of_product(self, node: Node) -> Iterator[Watched]:
        x, kernel = self.graph[node.inputs[0]], self.graph[node.inputs[1]]
        if all(len(self.graph[name].shape) < 2 for name in self._above(kernel.name)):
            return
        if node.op == "linear":
            axes, theirs = unit_axes(node["equation"])
        else:
            axes, theirs = (node["y_axes"][1],), (node["kernel_axes"][0],)
        end, axes = settled(self.graph, node, axes, self.places.of)
        for one in self._of(end, "weights", layer=node.source.layer):
            yield replace(
                one,
                type=self._types.get(one.name, node.op),
                axes=axes,
                read=self.places.of.get(x.name),
                kernel=self.places.of.get(kernel.name),
                kernel_axes=theirs,
            )

    def _attentions(self) -> Iterator[Watched]:
        """Yield what is softmax over keys: not that of classes, which makes the output."""
        draft = Draft(self.places.graph)
        for node in draft:
            softmax(draft, node)
        for node in draft:
            if node.op != "softmax" or node["log"] or len(node.shape) < 3 or node.shape[-1] < 2:
                continue
            if node.name in self.graph.outputs:
                continue
            if node["axis"] in (-1, len(node.shape) - 1) and draft.varies(node.name):
                for one in self._of(node, "attention"):
                    yield replace(one, read=self.places.of.get(node.inputs[0]))

    def _modules(self) -> Iterator[Watched]:
        """Yield norms that no operation was told for, and blocks that follow each other."""
        normed = {node.source.layer for node in self.graph if node.op == "norm"}
        ends = [(name.partition("#")[0], end) for name, end in self.graph.layers.items()]
        composite = {over for path, _ in ends for over in above(path)}
        blocks = composite & repeated([path for path, _ in ends])
        for path, end in ends:
            if path in blocks:
                yield from self._of(self.graph[end], "other", layer=path)
            elif _NORM.search(self._types.get(path, "")) and path not in normed | composite:
                yield from self._of(self.graph[end], "norm", layer=path)


def _of_states(node: Node) -> tuple[str, str]:
    """Return kind and function of an embedding, or of a recurrence: of its states, if a tanh bounds these."""
    inner = () if node.body is None else node.body.nodes
    bounded = any(step.get("function") == "tanh" for step in inner)
    return ("activation", "tanh") if bounded else ("other", "")
