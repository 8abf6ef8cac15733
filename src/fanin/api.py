"""The verbs: validate, delegate, return one result object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError, users_code

if TYPE_CHECKING:
    from fanin.experiments.comparison import Comparison
    from fanin.frameworks.signals import Subject
    from fanin.graph.signal import SignalGraph
    from fanin.rules.diagnosis import Diagnosis
    from fanin.rules.finding import Fix
    from fanin.schemes.overrides import Roles
    from fanin.schemes.plan import InitPlan
    from fanin.theory.activation import Activation
    from fanin.theory.critical_line import CriticalLine
    from fanin.theory.gain import Gain
    from fanin.theory.meanfield import MeanField
    from fanin.theory.phase import PhaseDiagram
    from fanin.theory.profile import SignalProfile

SEED_SCHEMES = ("zeros", "random_normal", "glorot_normal", "he_normal")


def compare(
    builder: Callable[..., Any] | str | None = None,
    schemes: Iterable[Any] | Mapping[str, Any] = SEED_SCHEMES,
    *,
    data: Any = "seed",
    epochs: int = 10,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 20,
    optimizer: Any = None,
    loss: Any = None,
    metrics: Sequence[Any] | str | None = None,
    class_weight: Mapping[int, float] | None = None,
    score: str | None = None,
    target: str | None = None,
    control: str | None = None,
    store: str | Path | None = None,
    backend: str | None = None,
    progress: bool | Callable[[int, int], None] = True,
    command: str | None = None,
) -> Comparison:
    r"""Train one model from many initializations and seeds, and say which is best beyond luck.

    Under one seed every scheme sees the same order of the data and the same dropout noise, so runs are
    compared in pairs. On JAX all runs train together; the result of each equals what `fit` gives from
    the same weights and the same batches.

    Args:
        builder: A function that returns a Keras model. If it has a required argument it is given the
            initializer; if it has none, its model is initialized anew by each scheme, as `initialize` does
            with the run's seed. Also "file.py:name" or "package.module:name". By default a 64-32 ReLU
            network that fits the data.
        schemes: Names (see `fanin schemes`), fanin schemes or Keras initializers, or a mapping from
            labels to these; for a builder without an argument, also whatever `plan` takes (policies,
            distributions, functions of a parameter) and plans themselves.
        data: (x_train, y_train, x_test, y_test), (x, y), a function that returns them, "file.py:name",
            or the name of built-in data: seed, digits, breast_cancer, wine, iris, diabetes.
        epochs: Passes over the training data.
        batch_size: Examples a step.
        seeds: How many seeds, or which.
        optimizer: As for `model.compile`; by default the model's own, or "adam".
        loss: As for `model.compile`; by default the model's own, or the built-in data's.
        metrics: As for `model.compile`; by default the model's own, or the built-in data's.
        class_weight: As for `model.fit`.
        score: The logged quantity that ranks the runs; by default the first metric on the test data.
        target: A level such as "loss=.3", for the time to reach it.
        control: The scheme that the others are tested against; by default Glorot's, or else the first.
        store: SQLite file that keeps finished runs; the same study goes on where it stopped.
        backend: What Keras computes with: "jax", or "torch" and "tensorflow", which run `fit` in a loop.
            By default what Keras already runs on, or else jax.
        progress: Whether to show a bar on a terminal, or in a notebook that has ipywidgets; or what to
            call with (runs done, runs in all) instead.
        command: The command line that made this call, for the report.

    Returns:
        The comparison: print it, or see its `verdict`, `ranking`, `to_html(path)`.

    Raises:
        FaninError: Something about the input is wrong; the message says what and how to fix it.

    Example:
        >>> import fanin
        >>> result = fanin.compare(schemes=["zeros", "he_normal"], seeds=8, epochs=2)
        >>> [row.scheme for row in result.ranking]
        ['he_normal', 'zeros']
    """
    from fanin.experiments.comparison import compare_runs
    from fanin.experiments.environment import environment
    from fanin.experiments.run import run_study
    from fanin.experiments.scores import ask
    from fanin.experiments.setup import as_study
    from fanin.experiments.store import open_store
    from fanin.frameworks.training import Recipe
    from fanin.report.progress import run_progress

    named = [metrics] if isinstance(metrics, str) else metrics or ()
    recipe = Recipe(epochs, batch_size, optimizer, loss, tuple(named), class_weight)
    with run_progress(progress) as report:
        study = as_study(builder, schemes, data=data, recipe=recipe, seeds=seeds, backend=backend)
        from fanin.frameworks.keras.train import KerasTrainer  # Keras loads here, on the backend now chosen

        trainer = KerasTrainer(study.factory, study.data, study.recipe)
        labels = [choice.label for choice in study.choices]
        logged = trainer.logged(study.choices[0])
        question = ask(labels, study.seeds, logged, score=score, target=target, control=control)
        with open_store(store) as kept:
            finished = run_study(study, trainer, kept, progress=report)
    return compare_runs(
        study.labelled(finished.runs),
        question,
        study={**study.to_dict(), "command": command},
        notes=trainer.notes,
        environment=environment(finished.runs[-1].versions),
        speed={
            "trained": finished.trained,
            "reused": len(finished.runs) - finished.trained,
            "seconds": finished.seconds,
        },
    )


def gain(activation: Any, *, depth: int = 50, width: int | None = 1024) -> Gain:
    r"""Return the gain of an activation, and whether deep networks stay where it puts them.

    For pre-activations z ~ N(0, 1), weights of variance gain^2 / fan_in with gain = 1 / sqrt(E[f(z)^2]) keep
    the second moment at 1. That is a fixed point of depth, but not always a stable one: see `stability`.

    Args:
        activation: A function or module of PyTorch, JAX, Keras or NumPy, a Python function of a number; a
            name such as "gelu" or "leaky_relu(0.2)"; or "file.py:name" or "package.module:name".
        depth: Layers over which the second moment's drift is followed.
        width: Units a layer for the drift, whose chance it follows; None for infinitely many.

    Returns:
        Moments of f and f', the gain, chi_1, the slope of the length map; print it.

    Raises:
        FaninError: There is no such name, or it is no function that has a gain.

    Example:
        >>> import numpy as np
        >>> import fanin
        >>> round(float(fanin.gain(np.tanh)), 6), fanin.gain("relu").stability
        (1.592537, 'marginal')

    References:
        He et al. (2015), arXiv:1502.01852, eq. 10; Poole et al. (2016), arXiv:1606.05340, eq. 3.
    """
    from fanin.theory.gain import gain_of

    return gain_of(_activation(activation), depth=depth, width=width)


def _activation(activation: Any) -> Activation:
    """Return a function, or what a text names, as an activation."""
    from fanin.experiments.loading import load
    from fanin.frameworks.activations import as_activation
    from fanin.theory.names import named

    if not isinstance(activation, str):
        return as_activation(activation)
    if ":" not in activation and not activation.endswith(".py"):
        return named(activation)
    function = load(activation, what="an activation")
    return as_activation(function, activation.rpartition(":")[2])


def mean_field(activation: Any, weight_variance: float, bias_variance: float = 0.0) -> MeanField:
    r"""Return what depth does to the signals and gradients of wide fully connected layers.

    The weights are drawn from N(0, weight_variance / fan_in), the biases from N(0, bias_variance). Variance q
    and correlation c of the pre-activations then follow maps from layer to layer, and come to rest:

        q' = sigma_w^2 E[f(sqrt(q) z)^2] + sigma_b^2,  chi_1 = sigma_w^2 E[f'(sqrt(q) z)^2]

    Args:
        activation: As for `gain`.
        weight_variance: sigma_w^2.
        bias_variance: sigma_b^2.

    Returns:
        Phase, fixed points, chi_1 and depth scales; print it, or see `plot()`.

    Raises:
        FaninError: A variance is none, or the activation cannot be read.

    Example:
        >>> import fanin
        >>> found = fanin.mean_field("tanh", 1.3, 0.05)
        >>> found.phase, round(found.chi_1, 4), round(found.xi_c, 3)
        ('ordered', 0.8802, 7.834)

    References:
        Poole et al. (2016), arXiv:1606.05340; Schoenholz et al. (2017), arXiv:1611.01232.
    """
    from fanin.theory.meanfield import mean_field_of

    return mean_field_of(_activation(activation), weight_variance, bias_variance)


def critical_line(activation: Any) -> CriticalLine:
    """Return the variances between order and chaos, where chi_1 = 1.

    Args:
        activation: As for `gain`.

    Returns:
        The line: print it, or ask for its points `at` a variance of the biases.

    Raises:
        FaninError: The activation jumps, so that all is chaos, or cannot be read.

    Example:
        >>> import fanin
        >>> [round(point.weight_variance, 9) for point in fanin.critical_line("relu").without_bias]
        [2.0]

    References:
        Poole et al. (2016), arXiv:1606.05340, eq. 7.
    """
    from fanin.theory.critical_line import critical_line_of

    return critical_line_of(_activation(activation))


def phase_diagram(
    activation: Any,
    *,
    weight_variances: tuple[float, float] | None = None,
    bias_variances: tuple[float, float] | None = None,
) -> PhaseDiagram:
    """Return order and chaos over the variances of weights and biases.

    Args:
        activation: As for `gain`.
        weight_variances: Least and greatest sigma_w^2; by default about the critical line.
        bias_variances: Least and greatest sigma_b^2.

    Returns:
        The diagram: `plot()` draws it, `to_html(path)` writes it.

    Raises:
        FaninError: A range is none, or the activation cannot be read.

    Example:
        >>> import fanin
        >>> diagram = fanin.phase_diagram("tanh", weight_variances=(1, 3), bias_variances=(0, 0.2))
        >>> diagram.phase[-1, 0], diagram.phase[0, -1]
        ('ordered', 'chaotic')

    References:
        Poole et al. (2016), arXiv:1606.05340, figure 1.
    """
    from fanin.theory.phase import phase_diagram_of

    return phase_diagram_of(_activation(activation), weight_variances, bias_variances)


def plan(
    model: Any,
    scheme: Any = "he_normal",
    *,
    inputs: Any = None,
    roles: Roles | None = None,
    strict: bool = False,
) -> InitPlan:
    """Return what a scheme would do to every parameter of a model, and why; nothing is changed.

    Args:
        model: A torch.nn.Module (on the meta device too), a built Keras model, a Flax or Equinox module
            (abstract too), or a pytree of arrays; also "file.py:name" or "package.module:name" of a
            function that returns one.
        scheme: A name (see `fanin schemes`), a scheme, a distribution, a `fanin.Policy`, or a function from
            a parameter to a distribution.
        inputs: For Flax Linen, an example input or a list of them; `jax.ShapeDtypeStruct` will do.
        roles: Roles that take the place of the inferred ones, by name or pattern: {"proj_*": "residual_out"}.
        strict: Whether parameters of unknown layers are an error; else they stay as they are, and the plan
            says so.

    Returns:
        The plan: print it, edit it with `replace`, keep it with `to_json`, and `apply` it.

    Raises:
        FaninError: The model has no parameters or is not built, or the scheme cannot be read or drawn.

    Example:
        >>> import fanin, torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
        >>> round(fanin.plan(model, "he_normal")["0.weight"].sd ** 2, 6)  # 2 / fan_in
        0.1
    """
    from fanin.experiments.models import as_model
    from fanin.frameworks.find import framework_of, front_end
    from fanin.schemes.overrides import with_roles
    from fanin.schemes.plan import make_plan

    model = as_model(model)
    if inputs is not None and framework_of(model) != "linen":
        raise FaninError(
            "inputs are for Flax Linen modules; this model has its parameters.", fix="leave them out"
        )
    options = {} if inputs is None else {"inputs": inputs}
    inventory = front_end(model).inventory(model, **options)
    return make_plan(with_roles(inventory, roles or {}), scheme, strict=strict)


def apply(plan: InitPlan, model: Any, *, seed: int = 0, **options: Any) -> Any:
    """Give a model the weights of a plan.

    Every value depends on (seed, parameter name, index) alone: not on the order of the layers, the device,
    the number of threads, or how the parameter is sharded.

    Args:
        plan: What to draw.
        model: The model it was made for, or another of the same parameters.
        seed: Any integer.
        **options: For PyTorch, `device`: where a module on the meta device is made. For Flax Linen,
            `inputs`, as for `plan`.

    Returns:
        The model, changed in place (PyTorch, Keras) or a new one (Flax, Equinox, pytrees; for Flax Linen
        its variables): all of it, or nothing where something does not fit.

    Raises:
        FaninError: The model has other parameters than the plan.

    Example:
        >>> import fanin, torch
        >>> model = torch.nn.Linear(20, 64)
        >>> float(fanin.apply(fanin.plan(model, "zeros"), model).weight.detach().abs().max())
        0.0
    """
    from fanin.frameworks.find import front_end
    from fanin.schemes.plan import InitPlan

    if not isinstance(plan, InitPlan):
        raise FaninError(
            f"A value of type {type(plan).__name__} is no plan.", fix="fanin.plan(model, scheme)"
        )
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise FaninError(f"seed is {seed!r}.", expected="an integer")
    return front_end(model).apply_plan(plan, model, seed, **options)


def diagnose(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = None,
    inputs: Any = None,
    seeds: int = 1,
    widths: Sequence[int] = (),
    select: Sequence[str] = ("ALL",),
    ignore: Sequence[str] = (),
    per_layer_ignores: Mapping[str, Sequence[str]] | None = None,
    known: Iterable[tuple[str, str]] = (),
    seed: int = 0,
    **options: Any,
) -> Diagnosis:
    """Return whether a model is healthy at step 0: what is wrong, where, and what mends it.

    One batch goes forward and back through a watched model, and where gradients are exactly 0, three tiny
    steps follow on its values, which are put back. Rules look at what was seen; what follows from a cause is
    folded under it.

    Args:
        model: A model, or a function of no arguments that makes one.
        x: A batch of its inputs: an array or a tensor, or several in a tuple or a mapping.
        y: The targets.
        loss: What is minimized: a function as its framework calls it, of (outputs, targets) in PyTorch and
            JAX and of (targets, outputs) in Keras, where it may be a name of Keras' or several as `compile`
            takes them; or "cross_entropy", "binary_cross_entropy" (both of logits) or "mse", with targets at
            random where none are given; without targets, in PyTorch and JAX, also a function of the outputs
            alone. By default the loss that the model returns itself or was compiled with, else the outputs
            with random weights.
        inputs: In the place of `x`, what to draw it from: a shape such as (8, 3, 224, 224); see `propagate`.
        seeds: How many networks to look at, where a function makes them: the share that is born dead.
        widths: Widths to look at, where `model` is a function of the width: what changes with it.
        select: Codes of rules, beginnings of codes ("FWD"), or names.
        ignore: Those to leave out.
        per_layer_ignores: Those to leave out by a pattern of layers' paths: {"head.*": ["OUT101"]}.
        known: Findings that are known already, as (code, where).
        seed: Of what is drawn.
        **options: What a framework needs besides, such as `params` for JAX.

    Returns:
        Findings, the gravest first, and what was measured; print it, `raise_for("error")`, `to_dict()`.

    Raises:
        FaninError: There is no batch, the model or the loss fails, the loss takes targets and outputs in the
            order of another framework, or a code does not exist.

    Example:
        >>> import fanin, torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        >>> for parameter in model.parameters():
        ...     _ = torch.nn.init.constant_(parameter, 0.01)
        >>> found = fanin.diagnose(model, torch.randn(32, 20), torch.arange(32) % 10, loss="cross_entropy")
        >>> [(one.code, one.name, one.where) for one in found.findings]
        [('SYM101', 'identical-units', '0')]
    """
    from fanin.frameworks.checking import at_widths, checked
    from fanin.frameworks.fixing import Mending, standardized
    from fanin.rules.diagnosis import Choice
    from fanin.rules.diagnosis import diagnose as looked_at
    from fanin.rules.fixes import Workshop

    ignores = {pattern: tuple(codes) for pattern, codes in (per_layer_ignores or {}).items()}
    choice = Choice(tuple(select), tuple(ignore), ignores, frozenset(known))
    made, make = _made(partial(model, max(widths)) if widths and callable(model) else model, options)
    settings = {"loss": loss, "inputs": inputs, "seed": seed, **options}
    found, seconds = checked(made, x, y, seeds=seeds, make=make, **settings)
    if widths:
        found = replace(found, widths=at_widths(model, widths, x, y, **settings))
    shop = Workshop(Mending(made, x, inputs, options).plan, lambda fixes: again(fixes))
    first = replace(looked_at(found, choice, seconds=seconds), workshop=shop)

    def again(fixes: tuple[Fix, ...]) -> Diagnosis:
        inputs_ = standardized(x) if x is not None and any(fix.inputs for fix in fixes) else x
        plans = [shop.plan(fix) for fix in fixes if fix.scheme]
        with Mending(made, inputs_, inputs, options).mended(plans) as (network, more):
            vitals, took = checked(network, inputs_, y, **{**settings, **more})
        return looked_at(vitals, choice, seconds=took)

    return first


def initialize(
    model: Any,
    scheme: Any = "he_normal",
    *,
    seed: int = 0,
    inputs: Any = None,
    roles: Roles | None = None,
    strict: bool = False,
    **options: Any,
) -> Any:
    """Initialize a model: `plan`, then `apply`.

    Args:
        model: As for `plan`.
        scheme: As for `plan`.
        seed: As for `apply`.
        inputs: As for `plan`.
        roles: As for `plan`.
        strict: As for `plan`.
        **options: As for `apply`.

    Returns:
        As for `apply`.

    Raises:
        FaninError: As for `plan` and `apply`; the model is then as it was.

    Example:
        >>> import fanin, torch
        >>> one, other = (fanin.initialize(torch.nn.Linear(20, 64), "he_normal", seed=7) for _ in range(2))
        >>> bool((one.weight == other.weight).all())
        True
    """
    if inputs is not None:
        options["inputs"] = inputs
    made = plan(model, scheme, inputs=inputs, roles=roles, strict=strict)
    return apply(made, model, seed=seed, **options)


def optimizer_groups(plan: InitPlan, model: Any, lr: float) -> list[dict[str, Any]]:
    """Return the learning rates of a plan as parameter groups of a PyTorch optimizer.

    Schemes such as `mup` are a way to initialize and a way to set learning rates: each parameter's is lr
    times its `lr_multiplier` in the plan.

    Args:
        plan: From `plan`.
        model: The torch.nn.Module that it was made for.
        lr: Learning rate.

    Returns:
        Groups for any optimizer of `torch.optim`.

    Raises:
        FaninError: The model is not PyTorch's, or has other parameters than the plan.

    Example:
        >>> import fanin, torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(20, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
        >>> made = fanin.plan(model, "mup(width_mult=4)")
        >>> [group["lr"] for group in fanin.optimizer_groups(made, fanin.apply(made, model), lr=0.01)]
        [0.01, 0.0025]

    References:
        Yang et al. (2022), arXiv:2203.03466, table 3.
    """
    from fanin.frameworks.find import framework_of

    if framework_of(model) != "torch":
        raise FaninError(
            f"Parameter groups are PyTorch's; the model is a {type(model).__name__}.",
            fix="plan.lr_multipliers has the factors by name, as for optax.multi_transform",
        )
    from fanin.frameworks.torch.groups import optimizer_groups

    return optimizer_groups(plan, model, lr)


def trace(
    model: Any,
    scheme: Any = None,
    *,
    inputs: Any,
    train: bool = False,
    roles: Roles | None = None,
    **options: Any,
) -> SignalGraph:
    """Return what a model computes, as the graph of operations that `propagate` reads.

    Args:
        model: As for `propagate`.
        scheme: As for `propagate`.
        inputs: As for `propagate`.
        train: As for `propagate`.
        roles: As for `plan`.
        **options: As for `propagate`.

    Returns:
        Operations in the order of execution, with shapes, roles of axes, modules and source lines, and
        weights with their distributions; print it as a tree, keep it with `to_json`, draw it with `to_dot`.

    Raises:
        FaninError: There is no input or it does not fit, or the model cannot be read.

    Example:
        >>> import fanin, torch
        >>> graph = fanin.trace(torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Tanh()), inputs=(2, 8))
        >>> [node.op for node in graph], graph[graph.layers["0"]].roles
        (['input', 'parameter', 'parameter', 'linear', 'elementwise'], ('batch', 'channel'))
    """
    from fanin.graph.axes import with_roles

    return with_roles(_subject(model, scheme, inputs, train, roles, options).graph())


def propagate(
    model: Any,
    scheme: Any = None,
    *,
    inputs: Any,
    loss: str | None = None,
    train: bool = False,
    seed: int = 0,
    roles: Roles | None = None,
    **options: Any,
) -> SignalProfile:
    r"""Return what signals and gradients will do in a model, layer by layer, without running it.

    The model is read as a graph of operations, and its first weights as distributions. A layer with weights
    makes a normal population of covariance fan_in Var(w) E[x x'] of its inputs x, an activation is applied to
    it, and so on; gradients go the other way. Each number comes with what finite width and chance do to it.

    Args:
        model: As for `plan`, on the meta device too; also a function f(params, *inputs) of JAX with
            `params=...`, or a function of no arguments that makes a model.
        scheme: What its parameters are drawn from, anything that `plan` takes, or a plan; by default what
            they hold, or where they hold nothing, what the model's own initializers draw.
        inputs: What it is given: a shape such as (8, 3, 224, 224), "8x3x224x224", "8x128:tokens", an array,
            an `Inputs`; a tuple or a mapping of these for several.
        loss: What gradients are of: "cross_entropy", "binary_cross_entropy" or "mse" of random targets, its
            mean over all examples; by default of a sum with standard normal weights of the outputs.
        train: Whether as in training (dropout, statistics of the batch).
        seed: Of the populations.
        roles: As for `plan`.
        **options: For JAX: `params` (of a function or a Linen module), `start` (what makes them from a key),
            and for Equinox `vmap` and `state`; see `fanin.frameworks.jax.graph.signal_graph`.

    Returns:
        For every layer the second moment, the mean and the correlation of two examples, forward and backward,
        and for every parameter its gradient; print it, `plot()` it, `compare` it with what `measure` finds.

    Raises:
        FaninError: There is no input or it does not fit, or the model cannot be read. What single operations
            do that nobody knows is no error: what depends on them is unknown, and the profile says why.

    Example:
        >>> import fanin, torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
        >>> profile = fanin.propagate(model, "he_normal", inputs=(32, 64))
        >>> round(profile["0"].forward.q.value, 2), round(profile["1"].backward.q.value, 3)
        (2.0, 0.078)

    References:
        Poole et al. (2016), arXiv:1606.05340; Schoenholz et al. (2017), arXiv:1611.01232; Yang (2020),
        arXiv:2009.10685.
    """
    from fanin.frameworks.signals import predicted

    return predicted(_subject(model, scheme, inputs, train, roles, options), loss=loss, seed=seed)


def measure(
    model: Any,
    *,
    inputs: Any,
    loss: str | None = None,
    seeds: int | Sequence[int] = 1,
    scheme: Any = None,
    train: bool = False,
    batches: int = 1,
    roles: Roles | None = None,
    progress: bool | Callable[[int, int], None] = True,
    **options: Any,
) -> SignalProfile:
    """Return what signals and gradients do in a model, from forward and backward passes.

    Args:
        model: As for `propagate`; it is left as it was, with its modes, buffers, gradients and random states.
        inputs: As for `propagate`; what is only described is drawn, data are used as they are.
        loss: As for `propagate`.
        seeds: How many networks, or of which seeds. Each is initialized anew, by the scheme or by the
            function that makes the model; without these the one network is the model as it is.
        scheme: As for `propagate`.
        train: As for `propagate`.
        batches: Over how many batches a network's numbers are averaged.
        roles: As for `plan`.
        progress: Whether to show a bar on a terminal; or what to call with (networks done, networks in all).
        **options: As for `propagate`.

    Returns:
        A profile with the names of that of `propagate`: the mean over networks, its standard error, and as
        `chance` the standard deviation from one network to the next.

    Raises:
        FaninError: The model does not take the inputs, or nothing says how to initialize it again.

    Example:
        >>> import fanin, torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
        >>> profile = fanin.measure(model, inputs=(32, 64), scheme="he_normal", seeds=5)
        >>> 1.8 < profile["0"].forward.q.value < 2.2
        True
    """
    from fanin.frameworks.signals import measure as measured
    from fanin.report.progress import run_progress

    wanted = tuple(seeds) if isinstance(seeds, Sequence) else tuple(range(_positive("seeds", seeds)))
    if not wanted:
        raise FaninError("There are no seeds.", expected="a positive number, or a list of seeds")
    subject = _subject(model, scheme, inputs, train, roles, options)
    with run_progress(progress, words=("measuring", "measuring")) as report:
        count = _positive("batches", batches)
        return measured(subject, loss=loss, seeds=wanted, batches=count, progress=report)


def _subject(
    model: Any, scheme: Any, inputs: Any, train: bool, roles: Roles | None, options: dict[str, Any]
) -> Subject:
    """Return a model with its inputs, and with the plan of a scheme."""
    from fanin.frameworks.given import as_given
    from fanin.frameworks.signals import Subject

    given = as_given(inputs)
    model, make = _made(model, options)
    subject = Subject(model, given, train, options=options, make=make)
    if scheme is None:
        return subject
    made = _plan_of(subject, scheme, roles)
    if not len(made):
        raise FaninError(
            f"{made.scheme} draws no parameter of {subject.name}: their layers are unknown.",
            fix='a fanin.Policy that reaches them by name: {"*.w": "he_normal"}',
        )
    return replace(subject, plan=made)


def _made(model: Any, options: Mapping[str, Any]) -> tuple[Any, Callable[[], Any] | None]:
    """Return a model, and the function that makes it anew if one was given in its place."""
    from fanin.experiments.builders import required
    from fanin.experiments.models import as_model
    from fanin.frameworks.find import framework_of, is_model

    if isinstance(model, str):
        made, _ = _made(as_model(model), options)
        return _declaring(made, lambda: as_model(model)), lambda: as_model(model)
    if is_model(model) and framework_of(model) == "jax":
        raise FaninError(
            "A pytree of arrays says nothing of what is computed with them.",
            fix="the function that takes them in its place, and the arrays as params=...",
        )
    plain = options.get("params") is None and options.get("start") is None
    if plain and callable(model) and not is_model(model) and not required(model):
        with users_code(f"{getattr(model, '__name__', 'The function')} fails"):
            return _declaring(model(), model), model
    if not callable(model) or isinstance(model, type):
        framework_of(model)  # says what is wrong with it
    return model, None


def _declaring(made: Any, make: Callable[[], Any]) -> Any:
    """Return what a function made, with what its initializers declare of parameters without values."""
    from fanin.frameworks.find import framework_of, is_model

    if not is_model(made) or framework_of(made) != "torch":
        return made
    from fanin.frameworks.torch.laws import declaring

    return declaring(made, make)


def _plan_of(subject: Subject, scheme: Any, roles: Roles | None) -> InitPlan:
    from fanin.frameworks.find import framework_of, is_model
    from fanin.schemes.overrides import with_roles
    from fanin.schemes.plan import InitPlan, make_plan

    if isinstance(scheme, InitPlan):
        return scheme
    model = subject.model
    if is_model(model) and framework_of(model) != "linen":
        return plan(model, scheme, roles=roles)
    from fanin.frameworks.jax.mending import parameters

    found = parameters(model, subject.given, subject.options)
    return make_plan(with_roles(found, roles or {}), scheme)


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise FaninError(f"{name} is {value!r}.", expected="a positive whole number")
    return int(value)
