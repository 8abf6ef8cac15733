"""Programs that depend on values: what is traced before such a place is kept, what comes after is unknown.

Which modules return after it, and the shapes of all that is returned, a call with values tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fanin.frameworks.jax.graph.builder import Builder, numbered
from fanin.frameworks.jax.graph.tags import Ended, Ends, ends_noted
from fanin.frameworks.jax.graph.trace import Call, advice, as_described, of_values, traced_code
from fanin.frameworks.jax.graph.values import Made, Value
from fanin.graph.signal import Source
from fanin.sources import own_place

_LARGEST = 100_000_000
"""So many numbers of a model are made, to run it."""
_SCALE = 0.02


@dataclass(frozen=True)
class Break:
    """Where a program depends on values.

    Args:
        error: What was raised there.
        cause: What JAX says of it.
        file: File of the line; "" where nobody knows.
        line: The line.
        ended: The modules that had returned by then.
    """

    error: Exception
    cause: BaseException
    file: str
    line: int
    ended: Ends

    @property
    def at(self) -> str:
        """File and line as text."""
        return f"{self.file}:{self.line}" if self.file else "a line that is not the user's"

    def note(self, name: str) -> str:
        """Return what to know about it.

        Args:
            name: What the model is called.
        """
        return (
            f"{name} cannot be traced as a whole ({self.at}): what comes after is unknown. "
            f"Fix: {advice(self.cause)[1]}."
        )


@dataclass(frozen=True)
class Traced:
    """A program, or its part before a break.

    Args:
        program: A closed jaxpr; without outputs if it breaks.
        found: Where it breaks, if it does.
    """

    program: Any
    found: Break | None = None


def traced_in_part(call: Call) -> Traced:
    """Return the call as a program, as far as it goes.

    Args:
        call: The model with its inputs.

    Raises:
        FaninError: The model cannot be traced with these inputs, for another reason than their values.
    """
    breaks: list[Break] = []
    with ends_noted() as ended:

        def run(values: list[Any], given: list[Any]) -> Any:
            try:
                return call.function(values, given)
            except Exception as error:
                if (cause := of_values(error)) is None:
                    raise
                file, line = _place(error, cause)
                breaks.append(Break(error, cause, file, line, list(ended)))
                return ()

        with traced_code(f"{call.name} cannot be traced with these inputs", call.names, call.arrays):
            program = jax.make_jaxpr(run)(*as_described(call))
    return Traced(program, breaks[-1] if breaks else None)


def _place(error: BaseException, cause: BaseException) -> tuple[str, int]:
    file, line = own_place(cause)
    return (file, line) if file else own_place(error)


def after(found: Break, graph: Builder, call: Call) -> list[Value]:
    """Add what comes after a break, which nobody knows; return the outputs.

    Args:
        found: The break.
        graph: What comes before it.
        call: The model with its inputs.

    Raises:
        FaninError: Nothing comes before it.
    """
    if not graph.layers:
        with traced_code(f"{call.name} cannot be traced with these inputs", call.names, call.arrays):
            raise found.error
    rest = _Rest(found, graph, call)
    # Where it cannot be run, the last signal stands for the outputs.
    ended, outputs = _rehearsed(call) or ([], [_last(graph)])
    for place, described, _ in _following(found.ended, ended):
        value = rest.unknown(described, Source(place.path, place.type, found.file, found.line))
        graph.calls[place.path] += 1
        graph.layers[numbered(place.path, graph.calls[place.path])] = value.node
    return [rest.unknown(one, Source("", call.type, found.file, found.line)) for one in outputs]


@dataclass
class _Rest:
    """What comes after a break.

    Args:
        found: The break.
        graph: What comes before it.
        call: The model with its inputs.
        read: What it depends on: all values that nothing has read, then what was added last.
    """

    found: Break
    graph: Builder
    call: Call
    read: Sequence[Made] = field(init=False)

    def __post_init__(self) -> None:
        self.read = list(_unread(self.graph))

    def unknown(self, described: Any, source: Source) -> Made:
        """Return a value that nobody knows.

        Args:
            described: Its shape and type.
            source: Where it stands.
        """
        self.graph.source = source
        reason = f"it comes after {self.found.at}, where what {self.call.name} does depends on values"
        made = self.graph.add(
            "opaque",
            self.read,
            described.shape,
            described.dtype,
            stem="unknown",
            operator=source.type or self.call.name,
            reason=reason,
        )
        self.read = [made]
        return made


def _unread(graph: Builder) -> Iterator[Made]:
    """Yield the signals that nothing has read, and the ends of layers: what comes after may read them."""
    read = {name for node in graph.nodes.values() for name in node.inputs}
    wanted = {*graph.layers.values(), *(graph.nodes.keys() - read)}
    for node in graph.nodes.values():
        made = Made(node.name, node.shape, np.dtype(node.dtype))
        if node.name in wanted and "float" in node.dtype and graph.varies(made):
            yield made


def _last(graph: Builder) -> Any:
    """Return a description of the last signal."""
    node = graph.nodes[list(graph.layers.values())[-1]]
    return jax.ShapeDtypeStruct(node.shape, node.dtype)


def _following(before: Ends, all_: Ends) -> Iterator[Ended]:
    """Yield the modules that return after those which have; none where the two runs differ."""
    count, known = len(before), set()
    if [one.place for one in all_[:count]] != [one.place for one in before]:
        return
    for one in all_[count:]:
        if one.place.path and not (one.traced and one.place in known):
            yield one
        known.add(one.place)


def _rehearsed(call: Call) -> tuple[Ends, list[Any]] | None:
    """Return the modules of a run in their order, and the outputs described; None where it cannot be run."""
    values, arrays = [leaf.value for leaf in call.leaves], list(call.arrays)
    if sum(math.prod(one.shape) for one in (*values, *arrays)) > _LARGEST:
        return None
    random = np.random.default_rng(0)
    values, arrays = ([_noise(one, random) for one in some] for some in (values, arrays))
    try:
        with ends_noted() as ended:
            outputs = jax.tree.leaves((call.alone or call.function)(values, arrays))
    except Exception:  # as in a function that is compiled, where no value is at hand either
        return None
    batch = () if call.alone is None else call.arrays[0].shape[:1]
    return (
        [one._replace(value=_of_batch(batch, one.value)) for one in ended],
        [_of_batch(batch, jnp.asarray(one)) for one in outputs],
    )


def _of_batch(batch: tuple[int, ...], one: Any) -> Any:
    return jax.ShapeDtypeStruct((*batch, *one.shape), one.dtype)


def _noise(value: Any, random: np.random.Generator) -> Any:
    """Return an array as it is, and for a description noise, with which a way is gone."""
    if not isinstance(value, jax.ShapeDtypeStruct):
        return jnp.asarray(value)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.zeros(value.shape, value.dtype)
    return jnp.asarray(_SCALE * random.standard_normal(value.shape), value.dtype)
