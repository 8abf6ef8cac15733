"""Whether a variance of 1 / fan_in keeps the second moment through a layer, by Monte Carlo."""

import numpy as np

from fanin.graph.fans import fans


def kept(inventory, call, shape, *, draws=12, inner=4):
    """Return the second moment of a layer's outputs over its inputs', averaged over draws of its kernels.

    Args:
        inventory: The layer's.
        call: From values by name and inputs (channels last) to outputs.
        shape: Of the inputs.
        inner: Border to leave out, where padding makes fewer terms.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype("float32")
    kernels = [p for p in inventory.parameters if p.kind in ("kernel", "recurrent")]
    biases = {p.name: np.zeros(p.shape) for p in inventory.parameters if p.kind == "bias"}
    ratios = []
    for _ in range(draws):
        values = {p.name: rng.normal(size=p.shape) / np.sqrt(fans(p).fan_in) for p in kernels}
        y = np.asarray(call({**values, **biases}, x))
        spatial = [slice(inner, -inner) if n > 3 * inner else slice(None) for n in y.shape[1:-1]]
        ratios.append((y[:, *spatial] ** 2).mean())
    return np.mean(ratios)
