"""Parameters of every form, for the tests of whatever draws or reads them."""

from fanin.graph.parameter import Parameter

FORMS = {
    "dense": Parameter("dense", (24, 40), "kernel", ("in", "out")),
    "linear": Parameter("linear", (40, 24), "kernel", ("out", "in")),
    "conv": Parameter("conv", (24, 6, 3, 3), "kernel", ("out", "in", "tap", "tap")),
    "channels_last": Parameter("channels_last", (3, 3, 6, 24), "kernel", ("tap", "tap", "in", "out")),
    "grouped": Parameter("grouped", (24, 6, 3), "kernel", ("out", "in", "tap"), groups=4),
    "depthwise": Parameter("depthwise", (3, 3, 8, 2), "kernel", ("tap", "tap", "in", "multiplier")),
    "transposed": Parameter(
        "transposed", (12, 5, 3), "kernel", ("in", "out", "tap"), groups=3, stride=2, transposed=True
    ),
    "gates": Parameter("gates", (64, 16), "recurrent", ("out", "in"), gates=4),
    "experts": Parameter("experts", (3, 10, 20), "kernel", ("expert", "in", "out")),
    "einsum": Parameter("einsum", (24, 4, 6), "kernel", ("in", "out", "out")),
    "bilinear": Parameter("bilinear", (20, 5, 6), "kernel", ("out", "in", "in")),
}
