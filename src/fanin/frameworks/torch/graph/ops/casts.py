"""What leaves values as they are, and noise."""

from __future__ import annotations

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.values import Value, number_of
from fanin.graph.signal import Attribute


@converts(
    "alias", "clone", "contiguous", "detach", "lift_fresh", "lift_fresh_copy", "positive",
    "resolve_conj", "resolve_neg",
)  # fmt: skip
def _same(call: Call) -> Result:
    return call.x


@converts("to", "_to_copy", "type_as", "float", "half", "double", "bfloat16")
def _cast(call: Call) -> Result:
    """Return the value itself where a cast changes none of its numbers but by rounding."""
    x = call.x
    if call.dtype == "bool" and x.dtype != "bool":
        return call.graph.elementwise("not_equal", x, 0, dtype="bool")
    if "int" in call.dtype and "float" in x.dtype:
        return call.opaque(f"to {call.dtype}")
    return x


@converts("bernoulli")
def _noise(call: Call) -> Result:
    """Return noise that is 1 with a probability: what it multiplies is kept or dropped."""
    made = call.opaque("random")
    keep = call.get("p")
    if keep is None:
        keep = number_of(call.x) if call.x.ndim == 0 else _same_everywhere(call.x)
    if isinstance(made, Value) and isinstance(keep, float):
        made.keep = keep
    return made


@converts("randn_like", "randn", "normal")
def _normal(call: Call) -> Result:
    mean, sd = (call.get(name) for name in ("mean", "std"))
    return _random(call, "normal", 0.0 if mean is None else mean, 1.0 if sd is None else sd)


@converts("rand_like", "rand")
def _uniform(call: Call) -> Result:
    return _random(call, "uniform", 0.5, 12**-0.5)


def _random(call: Call, kind: str, mean: object, sd: object) -> Result:
    """Return random numbers; their axes are those of the last value that has their shape."""
    like = call.graph.latest(call.shape)
    if like is None or not isinstance(mean, float | int) or not isinstance(sd, float | int):
        return call.opaque("random")
    how: dict[str, Attribute] = {"kind": kind, "mean": float(mean), "variance": float(sd) ** 2}
    return call.graph.add("noise", [like], call.shape, call.dtype, how)


def _same_everywhere(x: Value) -> float | None:
    if x.tensor is None or not x.size:
        return None
    first = x.tensor.flatten()[0]
    return float(first) if bool((x.tensor == first).all()) else None


@converts("dropout", "feature_dropout", "native_dropout")
def _dropout(call: Call) -> Result:
    x, rate = call.x, float(call["p"])
    rate = rate if call["train"] else 0.0
    how: dict[str, Attribute] = {"rate": rate}
    if rate and call.target == "aten.feature_dropout":
        how["shared"] = tuple(range(2, x.ndim))
    return call.graph.add("dropout", [x], x.shape, x.dtype, how)


@converts("alpha_dropout", "feature_alpha_dropout")
def _alpha_dropout(call: Call) -> Result:
    if call["train"]:
        return call.opaque("in training")
    return call.graph.emit("dropout", [call.x], call.shape, rate=0.0)
