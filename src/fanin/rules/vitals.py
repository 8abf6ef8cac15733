"""What a model does at step 0, with one batch: everything that rules look at, whatever the framework."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Loss = Literal["cross_entropy", "binary_cross_entropy", "mse", "other", "none"]
"""What is minimized: as far as it is known; "none" where gradients are of the outputs themselves."""


@dataclass(frozen=True)
class Source:
    """Where a layer's class is written.

    Args:
        file: The file; "" where it is unknown.
        line: Its first line.
    """

    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Spread:
    """Moments of a tensor.

    Args:
        mean: E[x].
        sd: Standard deviation of x.
        largest: Largest |x|.
        finite: Whether all elements are finite numbers; the others are of those that are.
    """

    mean: float
    sd: float
    largest: float
    finite: bool = True

    @property
    def scale(self) -> float:
        """sqrt(E[x^2])."""
        return (self.mean**2 + self.sd**2) ** 0.5


@dataclass(frozen=True)
class Left:
    """What is left of rows of a table in a sum with what is the same for all examples.

    Args:
        share: Their standard deviation over examples, relative to sqrt(E[x^2]): after the sum over before.
        trained: Whether what is added is trained, as a table of positions is, and sines are not.
    """

    share: float
    trained: bool


@dataclass(frozen=True)
class Felt:
    """How many steps of what a recurrence reads have a gradient to speak of.

    Args:
        steps: Those above float32's epsilon, relative to the largest one.
        of: How many steps there are.
    """

    steps: int
    of: int


@dataclass(frozen=True)
class Layer:
    """What goes through one call of a layer, or of a function inside of one.

    Args:
        name: Path of the layer, "#2" after it for a second call.
        type: Its type.
        kind: "weights" for a product with weights, "norm", "activation", "recurrent",
            "attention", or "other".
        function: The function's name, of activations: "relu", "tanh", "sigmoid", ...
        shape: Shape of the output.
        units: Units (channels) of the output.
        places: Examples times positions of the output.
        output: Moments of the output.
        gradient: Moments of the gradient with respect to it; None where none arrives.
        source: sqrt(E[x^2]) of what it reads.
        zeros: Share of zeros in the output.
        saturated: Share of the output where the function is flat at its ends; None for others.
        dead: Share of the units that are zero at all places; None where that says nothing.
        twins: Share of the units that equal another unit, in the output and in the gradient.
        alike: Share of the units with the weights of another one, and its outputs but for a bias.
        similarity: Mean cosine between the outputs of two examples; None for one example.
        variation: Standard deviation over examples, relative to sqrt(E[x^2]); None for one example.
        entropy: Of attention: mean entropy of its weights over the logarithm of their number.
        felt: Of a recurrence, how far gradients go back; None where nobody knows.
        left: Of a table, what is left of its rows where something is added; None where nothing is.
        dtype: Type of the output's elements.
        where: Where its class is written.
    """

    name: str
    type: str
    kind: str
    shape: tuple[int, ...]
    output: Spread
    units: int = 1
    places: int = 1
    function: str = ""
    gradient: Spread | None = None
    source: float | None = None
    zeros: float = 0.0
    saturated: float | None = None
    dead: float | None = None
    twins: float = 0.0
    alike: float = 0.0
    similarity: float | None = None
    variation: float | None = None
    entropy: float | None = None
    felt: Felt | None = None
    left: Left | None = None
    dtype: str = "float32"
    where: Source = field(default_factory=Source)


@dataclass(frozen=True)
class Parameter:
    """A parameter, and its gradient at step 0 and after tiny steps.

    Args:
        name: Its path.
        shape: Its shape.
        layer: Path of the layer that has it.
        values: Moments of its values.
        trained: Whether it is trained.
        digest: The same for the same values; "" for those that are all equal.
        gradient: sqrt(E[g^2]) at step 0; None where no gradient reaches it.
        zero: Share of exact zeros of its gradient at steps 0, 1, ..., as many as were made.
        meta: Whether it has no values.
        kind: What it does: "kernel", "embedding", ...; "" where nobody knows.
        reference: 1 / sqrt(fan_in) of a kernel; None where nobody knows.
        fan_in: Of matrices in one tensor, that of each in the product it was seen in; None of others.
        forget: Of an LSTM's bias, the mean of what its forget gate begins with; None of others.
        copies: Slices along one axis that are all equal, in values and in gradients; 0 where they differ.
    """

    name: str
    shape: tuple[int, ...]
    layer: str
    values: Spread
    trained: bool = True
    digest: str = ""
    gradient: float | None = None
    zero: tuple[float, ...] = ()
    meta: bool = False
    kind: str = ""
    reference: float | None = None
    fan_in: int | None = None
    forget: float | None = None
    copies: int = 0

    @property
    def size(self) -> int:
        """How many values it has."""
        size = 1
        for axis in self.shape:
            size *= axis
        return size

    @property
    def stuck(self) -> bool:
        """Whether its whole gradient is exactly zero, at step 0 and after all steps that were made."""
        return self.gradient is not None and len(self.zero) > 1 and min(self.zero) == 1.0


@dataclass(frozen=True)
class Input:
    """One input.

    Args:
        name: Its name, or its number.
        shape: Its shape.
        values: Moments of its elements.
        features: Scale of each feature that varies, the smallest and the largest: its standard deviation, or
            what it is where it leaves the value that it has in most examples.
        constant: Share of the features that are the same in all examples; of other inputs 1 where all
            examples are the same, else 0.
        tokens: Whether it looks up rows of tables.
        described: Whether it is drawn, not the user's data.
        zeros: Share of exact zeros.
    """

    name: str
    shape: tuple[int, ...]
    values: Spread
    features: tuple[float, float] | None = None
    constant: float = 0.0
    tokens: bool = False
    described: bool = False
    zeros: float = 0.0


@dataclass(frozen=True)
class Target:
    """What the outputs are compared with.

    Args:
        classes: Number of classes; 0 where it is no classification.
        entropy: Entropy of the classes' frequencies in the batch, in nats.
        variance: Variance of real targets.
        mean: Their mean.
        low: The number below which 5 % of them are; of probabilities and of numbers of classes, the smallest.
        high: The number above which 5 % of them are; of probabilities and of numbers of classes, the largest.
        broadcast: Whether each of them is compared with several outputs, as their shapes differ.
        constant: Whether all are the same number, or of one class.
        empty: Of shares of classes, in how many of the rows all are 0, as a share.
    """

    classes: int = 0
    entropy: float = 0.0
    variance: float = 0.0
    mean: float = 0.0
    low: float = 0.0
    high: float = 0.0
    broadcast: bool = False
    constant: bool = False
    empty: float = 0.0


@dataclass(frozen=True)
class Output:
    """What the model returns, and the loss.

    Args:
        values: Moments of the first output.
        shape: Its shape.
        loss: The first value of the loss; None where there is none.
        kind: What the loss is.
        ends_in: The function that makes the output, where it is an activation: "relu", "softmax", ...
        layer: Path of the last layer with weights.
        variation: Standard deviation over examples, relative to sqrt(E[x^2]); None for one example.
        tied: Whether the last layer's weights are those of an embedding.
        logits: Whether the loss takes it for logits.
        mean: Of a known loss that is a part of it, a sum, or weighted: its mean, without weights; None where
            it is that already, or nobody knows.
        before: The function whose result `ends_in` is applied to, with nothing between the two; "" for none.
        applied: The function by which a loss of the user's makes probabilities of the output.
        bounds: The smallest and the largest number that `ends_in` can make, where it was told.
        zero: Of a loss whose kind is "other", what it is where all outputs are 0; None where nobody knows.
    """

    values: Spread
    shape: tuple[int, ...]
    loss: float | None = None
    kind: Loss = "none"
    ends_in: str = ""
    layer: str = ""
    variation: float | None = None
    tied: bool = False
    logits: bool = True
    mean: float | None = None
    before: str = ""
    applied: str = ""
    bounds: tuple[float, float] | None = None
    zero: float | None = None


@dataclass(frozen=True)
class Width:
    """What a model of one width does.

    Args:
        width: The width.
        scales: sqrt(E[x^2]) of the outputs of each layer with weights.
        moved: By how much a step of Adam moves these, the root of the mean square.
    """

    width: int
    scales: dict[str, float]
    moved: dict[str, float]


@dataclass(frozen=True)
class Dropped:
    """Dropout, which rests while a model is looked at.

    Args:
        name: Path of the layer that drops.
        rate: The chance of a value to be dropped in training.
        values: How many values an example has there, or channels, where whole ones are dropped.
    """

    name: str
    rate: float
    values: int

    @property
    def nothing(self) -> float:
        """The chance that nothing is left of an example."""
        return self.rate ** max(self.values, 1)


@dataclass(frozen=True)
class Vitals:
    """A model at step 0.

    Args:
        model: What it is called.
        framework: "torch", "keras" or "jax".
        layers: In the order of execution.
        parameters: Of the whole model.
        inputs: What it was given.
        output: What it returned.
        target: What that was compared with; None where there is no loss.
        dtype: Type of its weights.
        examples: Size of the batch.
        born_dead: Of several seeds, the share of networks that are born dead; None for one.
        seeds: How many networks were looked at.
        widths: The same model in several widths; () for one.
        untied: Pairs of parameters of which the model says that they are one, and they are two.
        unregistered: Weights that are used, ask for gradients, and are no parameters of the model.
        repeated: Paths at which one and the same layer stands in a list of layers that follow each other.
        dropped: Dropout, in the order of execution.
        overflow: The layer and the operation that first overflow in half precision.
        notes: What to know.
    """

    model: str
    framework: str
    layers: tuple[Layer, ...]
    parameters: tuple[Parameter, ...]
    inputs: tuple[Input, ...]
    output: Output
    target: Target | None = None
    dtype: str = "float32"
    examples: int = 1
    born_dead: float | None = None
    seeds: int = 1
    widths: tuple[Width, ...] = ()
    untied: tuple[tuple[str, str], ...] = ()
    unregistered: tuple[str, ...] = ()
    repeated: tuple[tuple[str, ...], ...] = ()
    dropped: tuple[Dropped, ...] = ()
    overflow: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """Layers with weights, in their order."""
        return tuple(layer for layer in self.layers if layer.kind == "weights")

    @property
    def trained(self) -> tuple[Parameter, ...]:
        """Parameters that are trained."""
        return tuple(parameter for parameter in self.parameters if parameter.trained)

    def of_layer(self, path: str) -> Iterator[Parameter]:
        """Yield the parameters of a layer."""
        yield from (parameter for parameter in self.parameters if parameter.layer == path)
