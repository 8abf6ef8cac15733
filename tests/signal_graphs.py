"""Signal graphs that tests of their output share."""

import math

from fanin.graph.signal import Law, Node, SignalGraph, Source, Weight

FLAT = ("batch", "position", "channel")


def node(name, op, inputs=(), shape=(), *, layer="", module="", line=0, roles=(), body=None, **attributes):
    source = Source(layer, module, "model.py" if line else "", line)
    return Node(name, op, inputs, shape, attributes=attributes, roles=roles, source=source, body=body)


def transformer(blocks=3):
    """A causal transformer with roles, ties, a mask, an op that nobody knows, and blocks that repeat."""
    weights = [
        Weight("wte.weight", (100, 8), Law(0.0, 0.0004, "normal"), tied=("head.weight",), source="declared")
    ]
    nodes = [
        Node("tokens", "input", shape=(2, 5), dtype="int64", roles=("batch", "position")),
        node("wte.weight", "parameter", (), (100, 8), layer="wte", weight="wte.weight"),
        node(
            "embedded",
            "embedding",
            ("tokens", "wte.weight"),
            (2, 5, 8),
            layer="wte",
            module="Embedding",
            line=3,
            roles=FLAT,
        ),
        node("mask", "constant", (), (5, 5), value=((0.0, -math.inf), (0.0, 0.0)), mask="causal"),
    ]
    x, layers = "embedded", {"wte": "embedded"}
    for i in range(blocks):
        more, weight, x = _block(i, x)
        nodes += more
        weights.append(weight)
        layers |= {f"h.{i}.ln": f"norm_{i}", f"h.{i}.attn": f"attend_{i}", f"h.{i}": x}
    nodes += [
        node(
            "mystery",
            "opaque",
            (x,),
            (2, 5, 8),
            layer="odd",
            module='Odd"\\',
            line=9,
            roles=FLAT,
            operator="my::op",
        ),
        node(
            "logits",
            "linear",
            ("mystery", "wte.weight"),
            (2, 5, 100),
            layer="head",
            module="Linear",
            equation="btc,oc->bto",
        ),
    ]
    return SignalGraph(
        tuple(nodes), tuple(weights), ("logits",), layers | {"head": "logits"}, "GPT", ("A note.",)
    )


def _block(i, x):
    at, name = f"h.{i}", f"h.{i}.proj.weight"
    weight = Weight(name, (8, 8), None, (Law(0.0, 0.1), Law(0.0, 0.2, "uniform", orthogonal=True)), 1)
    nodes = [
        node(
            f"norm_{i}",
            "norm",
            (x,),
            (2, 5, 8),
            layer=f"{at}.ln",
            module="LayerNorm",
            kind="layer",
            axes=(2,),
            roles=FLAT,
        ),
        node(f"heads_{i}", "reshape", (f"norm_{i}",), (2, 5, 2, 4), layer=f"{at}.attn"),
        node(
            f"attend_{i}",
            "attention",
            (f"heads_{i}",) * 3 + ("mask",),
            (2, 5, 2, 4),
            layer=f"{at}.attn",
            module="Attention",
            roles=("batch", "position", "head", "channel"),
            heads=2,
            key_heads=1,
            causal=True,
            scale=0.5,
        ),
        node(f"flat_{i}", "reshape", (f"attend_{i}",), (2, 5, 8), layer=f"{at}.attn"),
        node(name, "parameter", (), (8, 8), layer=f"{at}.proj", weight=name),
        node(
            f"proj_{i}",
            "linear",
            (f"flat_{i}", name),
            (2, 5, 8),
            layer=f"{at}.proj",
            module="Linear",
            roles=FLAT,
        ),
        node(
            f"sum_{i}",
            "elementwise",
            (x, f"proj_{i}"),
            (2, 5, 8),
            layer=at,
            module="Block",
            function="add",
            roles=FLAT,
        ),
    ]
    return nodes, weight, f"sum_{i}"


def recurrence():
    """A scan whose step is a graph of its own."""
    step = SignalGraph(
        (
            node("h", "input", (), (2, 4)),
            node("u", "input", (), (2, 4)),
            node("sum", "elementwise", ("h", "u"), (2, 4), function="add", layer="cell"),
            node(
                "next", "elementwise", ("sum",), (2, 4), function="leaky_relu", arguments=(0.2,), layer="cell"
            ),
        ),
        outputs=("next", "next"),
    )
    nodes = (
        node("x", "input", (), (7, 2, 4)),
        node("start", "constant", (), (2, 4), mean=0.0, second_moment=0.0),
        node("run", "scan", ("start", "x"), (7, 2, 4), body=step, carried=1, length=7, reverse=True),
        node("last", "slice", ("run",), (2, 4), axis=0, start=6, stop=7, step=1, drop=True),
        node("out", "reduce", ("last",), (2,), function="mean", axes=(1,), keep=False),
    )
    return SignalGraph(nodes, outputs=("out",), name="rnn")


def everything():
    """One operation of every kind, with names that need care."""
    nodes = [node("x", "input", (), (2, 6, 8, 8)), node("k", "parameter", (), (6, 3, 3, 3), weight="k")]
    kinds = [
        ("convolution", ("k",), {"stride": (2, 2), "groups": 2}),
        ("convolution", ("k",), {"stride": (1, 2), "groups": 1}),
        ("norm", (), {"kind": "batch", "train": True}),
        ("norm", (), {"kind": "group", "groups": 3}),
        ("pool", (), {"kind": "max", "window": (3, 3)}),
        ("reduce", (), {"function": "mean", "axes": (2, 3), "keep": True}),
        ("softmax", (), {"axis": 1, "log": True}),
        ("matmul", ("x",), {"equation": "ab,bc->ac"}),
        ("dropout", (), {"rate": 0.1}),
        ("concat", ("x",), {"axis": 1}),
        ("pad", (), {"padding": ((1, 1),)}),
        ("recurrent", (), {"kind": "lstm", "layers": 2, "bidirectional": True}),
        ("elementwise", (), {"function": "leaky_relu", "arguments": (0.2,)}),
        ("loss", (), {"kind": "cross_entropy", "axis": 1}),
    ]
    for i, (op, more, attributes) in enumerate(kinds):
        nodes.append(node(f'{op}"{i}\\', op, (nodes[-1].name if i else "x", *more), (2, 6), **attributes))
    return SignalGraph(tuple(nodes), (Weight("k", (6, 3, 3, 3)),), (nodes[-1].name,), name="every\\op")


GRAPHS = {"transformer": transformer(), "recurrence": recurrence(), "everything": everything()}
