"""Signal graphs written by hand, node by node."""

from __future__ import annotations

import math

from fanin.graph.signal import Law, Node, SignalGraph, Weight


class Maker:
    """Makes a graph: each method adds a node and returns its name.

    Weights are normal, of variance 1 / fan_in unless told.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.weights: list[Weight] = []

    def node(self, op, *inputs, shape, dtype="float32", body=None, **attributes) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs, tuple(shape), dtype, attributes, body=body))
        return name

    def shape(self, name) -> tuple[int, ...]:
        return next(node.shape for node in self.nodes if node.name == name)

    def graph(self, *outputs, layers=None) -> SignalGraph:
        return SignalGraph(tuple(self.nodes), tuple(self.weights), outputs, layers or {})

    def input(self, *shape) -> str:
        return self.node("input", shape=shape)

    def tokens(self, *shape) -> str:
        return self.node("input", shape=shape, dtype="int64")

    def weight(self, *shape, variance=1.0, mean=0.0, parts=(), axis=0, law="known", trainable=True) -> str:
        name = f"w{len(self.weights)}"
        found = Law(mean, variance) if law == "known" else law
        self.weights.append(Weight(name, shape, found, parts, axis, trainable=trainable))
        return self.node("parameter", shape=shape, weight=name)

    def constant(self, value, *shape) -> str:
        return self.node("constant", shape=shape, value=value)

    def linear(self, x, outs, *, equation="", variance=None, bias=None, mean=0.0) -> str:
        """Return a product with a kernel (out, in) over the last axis, or with one that fits an equation."""
        shape = self.shape(x)
        letters = "abcdefg"[: len(shape)]
        equation = equation or f"{letters},z{letters[-1]}->{letters[:-1]}z"
        left, result = equation.split("->")
        of_x, of_kernel = left.split(",")
        sizes = dict(zip(of_x, shape, strict=True))
        new = [letter for letter in of_kernel if letter not in of_x]
        sizes |= dict(zip(new, outs if isinstance(outs, tuple) else (outs,), strict=True))
        fan_in = math.prod(sizes[letter] for letter in of_x if letter not in result)
        kernel = self.weight(
            *(sizes[letter] for letter in of_kernel),
            variance=1 / fan_in if variance is None else variance,
            mean=mean,
        )
        wanted = [sizes[letter] for letter in result]
        rest = () if bias is None else (self.weight(wanted[-1], variance=bias),)
        return self.node("linear", x, kernel, *rest, shape=wanted, equation=equation)

    def convolution(
        self,
        x,
        outs,
        window,
        *,
        stride=1,
        padding=0,
        dilation=1,
        between=1,
        groups=1,
        variance=None,
        bias=None,
    ) -> str:
        """Return a convolution over the axes after (batch, channel); `between`: a transposed one's stride."""
        batch, channels, *spatial = self.shape(x)
        count = len(spatial)
        fan_in = channels // groups * math.prod(window)
        kernel = self.weight(
            outs, channels // groups, *window, variance=1 / fan_in if variance is None else variance
        )
        sides = padding if isinstance(padding, tuple) else ((padding, padding),) * count
        out = [
            ((n - 1) * between + 1 + sum(side) - dilation * (taps - 1) - 1) // stride + 1
            for n, side, taps in zip(spatial, sides, window, strict=True)
        ]
        axes = tuple(range(count + 2))
        rest = () if bias is None else (self.weight(outs, variance=bias),)
        return self.node(
            "convolution",
            x,
            kernel,
            *rest,
            shape=(batch, outs, *out),
            x_axes=axes,
            kernel_axes=axes,
            y_axes=axes,
            stride=(stride,) * count,
            padding=sides,
            dilation=(dilation,) * count,
            input_dilation=(between,) * count,
            groups=groups,
            reversed=False,
        )

    def apply(self, function, *operands, arguments=(), shape=None) -> str:
        """Return a function of nodes and numbers, element by element."""
        nodes = [operand for operand in operands if isinstance(operand, str)]
        scalars = tuple(None if isinstance(operand, str) else operand for operand in operands)
        wanted = shape or max((self.shape(name) for name in nodes), key=math.prod)
        more: dict = {"scalars": scalars} if len(nodes) < len(operands) else {}
        if function in ("greater", "less", "equal"):
            more["dtype"] = "bool"
        return self.node("elementwise", *nodes, shape=wanted, function=function, arguments=arguments, **more)

    def norm(self, x, kind, *, axes, channel=1, groups=1, eps=1e-5, train=False, **slots) -> str:
        return self.node(
            "norm",
            x,
            *slots.values(),
            shape=self.shape(x),
            kind=kind,
            axes=axes,
            channel=channel,
            groups=groups,
            eps=eps,
            train=train,
            slots=tuple(slots),
        )

    def pool(self, x, kind, window, *, stride=1, padding=0, count_pad=True) -> str:
        """Return a pool over all axes after (batch, channel)."""
        batch, channels, *spatial = self.shape(x)
        out = [(n + 2 * padding - taps) // stride + 1 for n, taps in zip(spatial, window, strict=True)]
        count = len(spatial)
        return self.node(
            "pool",
            x,
            shape=(batch, channels, *out),
            kind=kind,
            axes=tuple(range(2, 2 + count)),
            window=window,
            stride=(stride,) * count,
            padding=((padding, padding),) * count,
            dilation=(1,) * count,
            count_pad=count_pad,
        )

    def reduce(self, x, function, axes, *, keep=False) -> str:
        kept = [
            1 if axis in axes else size for axis, size in enumerate(self.shape(x)) if keep or axis not in axes
        ]
        return self.node("reduce", x, shape=kept, function=function, axes=axes, keep=keep)

    def slice(self, x, axis, start, stop, *, step=1, drop=False) -> str:
        shape = list(self.shape(x))
        shape[axis] = len(range(start, stop, step))
        if drop:
            del shape[axis]
        return self.node("slice", x, shape=shape, axis=axis, start=start, stop=stop, step=step, drop=drop)

    def concat(self, *values, axis) -> str:
        shape = list(self.shape(values[0]))
        shape[axis] = sum(self.shape(value)[axis] for value in values)
        return self.node("concat", *values, shape=shape, axis=axis)

    def reshape(self, x, *shape) -> str:
        return self.node("reshape", x, shape=shape)

    def permute(self, x, *axes) -> str:
        shape = self.shape(x)
        return self.node("permute", x, shape=[shape[axis] for axis in axes], axes=axes)

    def broadcast(self, x, *shape, axes) -> str:
        return self.node("broadcast", x, shape=shape, axes=axes)

    def pad(self, x, *padding, value=0.0) -> str:
        shape = [size + sum(pair) for size, pair in zip(self.shape(x), padding, strict=True)]
        return self.node("pad", x, shape=shape, padding=padding, value=value)

    def softmax(self, x, axis=-1, *, log=False) -> str:
        shape = self.shape(x)
        return self.node("softmax", x, shape=shape, axis=axis % len(shape), log=log)

    def dropout(self, x, rate, shared=()) -> str:
        return self.node("dropout", x, shape=self.shape(x), rate=rate, shared=shared)

    def embedding(self, ids, table) -> str:
        return self.node(
            "embedding", ids, table, shape=(*self.shape(ids), self.shape(table)[-1]), padding=None
        )

    def heads(self, x, heads) -> str:
        """Return (batch, positions, channels) as (batch, heads, positions, features)."""
        batch, positions, channels = self.shape(x)
        apart = self.reshape(x, batch, positions, heads, channels // heads)
        return self.permute(apart, 0, 2, 1, 3)

    def attention(self, query, key, value, *mask, causal=False, scale=None) -> str:
        *rest, positions, features = self.shape(query)
        heads, key_heads = self.shape(query)[-3], self.shape(key)[-3]
        return self.node(
            "attention",
            query,
            key,
            value,
            *mask,
            shape=(*rest, positions, self.shape(value)[-1]),
            causal=causal,
            scale=features**-0.5 if scale is None else scale,
            heads=heads,
            key_heads=key_heads,
            dropout=0.0,
        )
