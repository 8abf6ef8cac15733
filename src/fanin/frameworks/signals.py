"""Signals of a model of any framework, predicted and measured: one set of functions for each."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fanin.errors import FaninError
from fanin.frameworks.cotangents import check_loss, in_words
from fanin.frameworks.find import framework_of, is_model
from fanin.frameworks.given import Given
from fanin.frameworks.inputs import Inputs
from fanin.frameworks.randomness import randomness
from fanin.frameworks.readings import Reading, measured
from fanin.graph.signal import Node, SignalGraph
from fanin.schemes.laws import laws_of
from fanin.schemes.plan import InitPlan
from fanin.theory.profile import SignalProfile
from fanin.theory.propagation.predict import predict
from fanin.theory.propagation.registry import registered
from fanin.theory.recognition import recognize

_HOMES = {"torch": "torch", "keras": "keras"}

Start = Callable[[int], Any]
"""From a seed to a network."""


@dataclass(frozen=True)
class Subject:
    """A model with its inputs.

    Args:
        model: A model, or a function of JAX.
        given: Its inputs.
        train: Whether as in training.
        plan: What its parameters are drawn from; None for what they hold or declare.
        options: What its framework needs besides, such as `params`.
        make: Makes it anew, if anything does.
    """

    model: Any
    given: Given
    train: bool = False
    plan: InitPlan | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[], Any] | None = None

    @property
    def framework(self) -> Any:
        """The module of the functions of its framework."""
        name = framework_of(self.model) if is_model(self.model) else "jax"
        return importlib.import_module(f"fanin.frameworks.{_HOMES.get(name, 'jax')}.signals")

    @property
    def name(self) -> str:
        """What the model is called."""
        return getattr(self.model, "__name__", type(self.model).__name__)

    def graph(self) -> SignalGraph:
        """Return what it computes."""
        laws = None if self.plan is None else laws_of(self.plan)
        try:
            found = self.framework.signal_graph(
                self.model, self.given, train=self.train, laws=laws, **self.options
            )
        except FaninError as error:
            raise self.explained(error) from error
        looped = any(node.body is not None and node.body.layers for node in found)
        if not found.layers and found.outputs and not looped:  # a layer by itself goes by its type
            found = replace(found, layers={self.name: found.outputs[0]})
        return recognize(found)

    def explained(self, error: FaninError) -> FaninError:
        """Return an error with how to give ids here, if these are what the model wants."""
        if "ids" not in f"{error.expected} {error.fix}".split() or any(one.tokens for one in self.given):
            return error
        shape = "x".join(map(str, next(iter(self.given)).shape))
        return FaninError(error.what, expected="ids, which are whole numbers", fix=f'"{shape}:tokens"')


def predicted(subject: Subject, *, loss: str | None = None, seed: int = 0) -> SignalProfile:
    """Return what signals will do, from the graph alone.

    Args:
        subject: The model.
        loss: What the gradients are of.
        seed: Of the populations that stand for channels.
    """
    check_loss(loss)
    graph = subject.graph()
    laws = {
        node.name: given.law(subject.framework.channel_axis(len(given.shape)))
        for node, given in _paired(graph, subject.given)
    }
    found = predict(graph, laws, loss=loss, inputs=str(subject.given), seed=seed)
    return _typed(found, subject, graph)


def measure(
    subject: Subject,
    *,
    loss: str | None = None,
    seeds: Sequence[int] = (0,),
    batches: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SignalProfile:
    """Return what signals do, from forward and backward passes of networks.

    Args:
        subject: The model; it is left as it was.
        loss: What the gradients are of.
        seeds: One network for each; of one seed without a plan, the model as it is.
        batches: Batches a network.
        progress: Called with (networks done, networks in all).
    """
    check_loss(loss)
    networks = []
    progress(0, len(seeds))
    with contextlib.ExitStack() as stack:
        try:
            for done, reading in enumerate(_readings(subject, loss, seeds, batches, stack), 1):
                networks.append(reading)
                progress(done, len(seeds))
        except FaninError as error:
            raise subject.explained(error) from error
    return measured(
        networks,
        model=subject.name,
        inputs=str(subject.given),
        cotangent=in_words(loss),
        notes=_notes(subject, seeds, batches),
    )


def _readings(
    subject: Subject, loss: str | None, seeds: Sequence[int], batches: int, stack: contextlib.ExitStack
) -> Iterator[Reading]:
    """Yield what the network of each seed does; what is changed for it is put back when the stack ends."""
    framework = subject.framework
    stack.enter_context(randomness(framework, None))
    if subject.plan is not None:
        stack.enter_context(framework.kept(subject.model))
    start = _start(subject, seeds)
    read = framework.reader(
        subject.model,
        subject.given,
        loss=loss,
        train=subject.train,
        batches=batches,
        vocabulary=_vocabulary(subject),
        **subject.options,
    )
    for seed in seeds:
        yield read(start(seed), seed)


def _start(subject: Subject, seeds: Sequence[int]) -> Start:
    """Return what makes the network of a seed."""
    framework, model, plan, make = subject.framework, subject.model, subject.plan, subject.make
    if plan is not None:
        return lambda seed: framework.drawn(plan, model, seed, subject.given, **subject.options)
    if make is not None:

        def made(seed: int) -> Any:
            with randomness(framework, seed):
                return make()

        return made
    if len(seeds) == 1 or framework.starts(model, **subject.options):
        return lambda seed: model
    raise FaninError(
        f"Nothing says how to initialize {subject.name} again, for {len(seeds)} seeds.",
        expected="one seed, which measures the model as it is",
        fix="scheme=..., or a function that makes the model in the model's place",
    )


def _paired(graph: SignalGraph, given: Given) -> Iterator[tuple[Node, Inputs]]:
    """Yield the inputs of a graph with what is given for them: by name, else in their order."""
    nodes, several = [node for node in graph if node.op == "input"], list(given)
    if given.named and {node.name for node in nodes} >= set(given.named):
        yield from ((graph[name], one) for name, one in given.named.items())
        return
    if len(nodes) != len(several):
        names = ", ".join(node.name for node in nodes)
        raise FaninError(
            f"The model reads {names}, and {len(several)} inputs are given.", expected="one for each"
        )
    yield from zip(nodes, several, strict=True)


def _typed(profile: SignalProfile, subject: Subject, graph: SignalGraph) -> SignalProfile:
    """Return a profile whose layers have the types of modules, and not those of what they end in."""
    types = subject.framework.types_of(subject.model)
    layers = []
    for layer in profile.layers:
        path = layer.name.partition("#")[0]
        ended = graph[graph.layers[layer.name]].source if layer.name in graph.layers else None
        own = layer.type if ended is None or ended.layer in (path, layer.name) else ""
        layers.append(replace(layer, type=types.get(path, own)))
    notes = (*profile.notes, *_unknown_operators(graph))
    return replace(profile, layers=tuple(layers), model=subject.name, notes=notes)


def _unknown_operators(graph: SignalGraph) -> Iterator[str]:
    """Yield what to do about operators that nobody knows."""
    # Of what has a reason there is more to say than a rule could.
    operators = {str(node["operator"]) for node in graph if node.op == "opaque" and not node.get("reason")}
    unknown = sorted(name for name in operators if registered(name) is None)
    if unknown:
        yield f'fanin.theory.register_rule("{unknown[0]}", rule) tells fanin what an operation does.'


def _vocabulary(subject: Subject) -> int:
    """Return how many rows the table has that tokens look up, 0 where no input needs it.

    Raises:
        FaninError: Nothing tells.
    """
    if all(one.vocabulary or one.data is not None or not one.tokens for one in subject.given):
        return 0
    with contextlib.suppress(FaninError):
        graph = subject.graph()
        rows = [graph[node.inputs[1]].shape[0] for node in graph if _looks_up(node, graph)]
        if rows:
            return min(rows)
    raise FaninError(
        f"Nothing tells how many tokens {subject.name} knows.",
        fix='give their number: "8x128:tokens(50257)", or fanin.Inputs(..., vocabulary=50257)',
    )


def _looks_up(node: Node, graph: SignalGraph) -> bool:
    return node.op == "embedding" and graph[node.inputs[0]].op == "input"


def _notes(subject: Subject, seeds: Sequence[int], batches: int) -> tuple[str, ...]:
    of = f" of {subject.plan.scheme}" if subject.plan is not None else ""
    networks = f"{len(seeds)} networks{of}" if len(seeds) > 1 else f"one network{of}"
    return (f"{networks}, {batches} {'batch' if batches == 1 else 'batches'} each",)
