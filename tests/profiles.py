"""Profiles that were made up, of the shapes that models have."""

from fanin.theory.profile import Backward, Estimate, Forward, LayerSignal, ParameterSignal, SignalProfile


def layer(name, q, gradient=None, *, kind="Linear", c=0.25, chi=None, share=0.05, shape=(8, 64)):
    """Return a layer; q None is unknown."""
    if q is None:
        return LayerSignal(name, kind, shape, unknown="my::op (op_1)", where="model.py:7")
    forward = Forward(Estimate(0.1 * q), Estimate(q, 0.001 * q, share * q), Estimate(c, 0.01))
    back = None if gradient is None else Backward(Estimate(gradient, 0.0, share * gradient), Estimate(0.0))
    return LayerSignal(name, kind, shape, forward, back, chi_1=chi, where=f"model.py:{len(name)}")


def weight(name, gradient=1e-4, shape=(64, 64)):
    return ParameterSignal(name, shape, 0.03, None if gradient is None else Estimate(gradient, 0.0, 1e-5))


def profile(layers, **others):
    told = {"model": "Net", "inputs": "8 × 64, N(0, 1)", "cotangent": "standard normal at the outputs"}
    return SignalProfile(tuple(layers), **(told | others))


def mlp(depth=4, factor=0.5, growth=2.0, **others):
    """Return the profile of linear layers with ReLUs between them."""
    layers, weights = [], []
    for place in range(depth):
        q, gradient = factor**place, growth ** (depth - place) * 1e-6
        layers.append(layer(str(2 * place), q, gradient, chi=factor))
        weights.append(weight(f"{2 * place}.weight"))
        if place < depth - 1:
            layers.append(layer(str(2 * place + 1), q / 2, gradient / 2, kind="ReLU"))
    return profile(layers, parameters=tuple(weights), **others)


def blocks(count=12, factor=1.1, **others):
    """Return the profile of residual blocks between an embedding and a head."""
    layers, weights = [layer("embed", 1.0, 2.0, kind="Embedding")], [weight("embed.weight")]
    for place in range(count):
        q = factor ** (place + 1)
        for name, kind, own in (("norm", "LayerNorm", 1.0), ("up", "Linear", 0.3), ("down", "Linear", 0.1)):
            layers.append(layer(f"h.{place}.{name}", own, 0.5 / q, kind=kind))
            weights.append(weight(f"h.{place}.{name}.weight", shape=(64,) if name == "norm" else (64, 64)))
        layers.append(layer(f"h.{place}", q, 1 / q, kind="Block"))
    layers.append(layer("h", layers[-1].forward.q.value, layers[-1].backward.q.value, kind="Sequential"))
    layers.append(layer("head", 0.4, 0.9))
    return profile(layers, parameters=(*weights, weight("head.weight")), model="Transformer", **others)


def broken():
    """Return the profile of a model with an operation that nobody understands."""
    first = layer("first", 1.0)
    lost = [layer("lost", None), layer("last", None)]
    before = LayerSignal(first.name, "Linear", (8, 64), first.forward, unknown="gradient: my::op (op_1)")
    return profile([before, *lost], parameters=(weight("first.weight", None), weight("last.weight", None)))
