"""A plan: what every parameter of a model will be drawn from, and why; data that can be read and kept."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fanin.errors import FaninError, nearest
from fanin.graph.fans import fans
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Pairs, Parameter
from fanin.random.philox import key_of
from fanin.report.plan import html, plain, plan_table
from fanin.schemes.distributions import (
    Distribution,
)
from fanin.schemes.draw import stream_of
from fanin.schemes.fitting import check_fits
from fanin.schemes.moments import second_moment
from fanin.schemes.policy import as_policy
from fanin.schemes.records import from_record, to_record

SCHEMA = "fanin.plan/1"


@dataclass(frozen=True)
class Row:
    """What one parameter is drawn from.

    Args:
        parameter: The parameter.
        distribution: What it is drawn from.
        reason: Why.
        lr_multiplier: What the learning rate of the parameter is multiplied by.

    Raises:
        FaninError: The distribution does not fit the parameter.
    """

    parameter: Parameter
    distribution: Distribution
    reason: str
    lr_multiplier: float = 1.0

    def __post_init__(self) -> None:
        # Here, so that no plan that there is can fail when a model is filled by half.
        check_fits(self.distribution, self.parameter)
        if not math.isfinite(self.sd):
            raise FaninError(f"{self.parameter.name} would have the sd {self.sd}.", expected="a finite scale")

    def key(self, seed: int) -> int:
        """Return the key of the parameter's values under a seed."""
        return key_of(seed, stream_of(self.distribution, self.parameter))

    @property
    def sd(self) -> float:
        """Square root of the second moment of its values."""
        return math.sqrt(second_moment(self.distribution, self.parameter))

    @property
    def fan_in(self) -> float | None:
        """Terms summed into one output unit; None for what is not a weight."""
        return _fans(self.parameter)[0]

    @property
    def fan_out(self) -> float | None:
        """Terms summed into one input unit's gradient; None for what is not a weight."""
        return _fans(self.parameter)[1]


def _fans(parameter: Parameter) -> tuple[float | None, float | None]:
    known = parameter.kind in ("kernel", "recurrent", "embedding") and parameter.axes
    return fans(parameter) if known else (None, None)


@dataclass(frozen=True)
class InitPlan:
    """What `apply` will do to a model: nothing in it depends on a framework.

    Args:
        rows: The parameters that are drawn.
        untouched: Everything else in the model's state, with the reason.
        scheme: The label of the scheme or policy.
        source: What the model is.
        notes: What the user should look at.

    Example:
        >>> plan = make_plan(Inventory((Parameter("fc", (8, 4), "kernel", ("out", "in")),)), "he_normal")
        >>> plan["fc"].fan_in, round(plan["fc"].sd, 4)
        (4.0, 0.7071)
    """

    rows: tuple[Row, ...]
    untouched: tuple[Kept, ...] = ()
    scheme: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Row:
        """Return the row of a parameter."""
        for row in self.rows:
            if row.parameter.name == name:
                return row
        near = nearest(name, (row.parameter.name for row in self.rows))
        raise FaninError(f"The plan does not draw {name!r}.", expected=f"perhaps {near}" if near else "")

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lr_multipliers(self) -> dict[str, float]:
        """What the learning rates of some parameters are multiplied by, where it is not 1 (see `mup`)."""
        return {row.parameter.name: row.lr_multiplier for row in self.rows if row.lr_multiplier != 1.0}

    def replace(self, name: str, distribution: Distribution, reason: str = "chosen by hand") -> InitPlan:
        """Return a plan that draws one parameter from another distribution."""
        changed = replace(self[name], distribution=distribution, reason=reason)
        return replace(self, rows=tuple(changed if row.parameter.name == name else row for row in self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data (see docs/json.md)."""
        return {
            "schema": SCHEMA,
            "scheme": self.scheme,
            "source": self.source,
            "rows": [
                {
                    "parameter": asdict(row.parameter),
                    "fan_in": row.fan_in,
                    "fan_out": row.fan_out,
                    "sd": row.sd,
                    "distribution": to_record(row.distribution),
                    "reason": row.reason,
                    "lr_multiplier": row.lr_multiplier,
                }
                for row in self.rows
            ],
            "untouched": [asdict(kept) for kept in self.untouched],
            "notes": list(self.notes),
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the plan as JSON; write it to a file too, if one is named."""
        text = json.dumps(self.to_dict(), indent=1)
        if path is not None:
            Path(path).write_text(text + "\n")
        return text

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> InitPlan:
        """Return the plan that `to_dict` wrote.

        Raises:
            FaninError: It is not the record of a plan.
        """
        try:
            rows = tuple(
                Row(
                    _parameter(row["parameter"]),
                    from_record(row["distribution"]),
                    row["reason"],
                    row.get("lr_multiplier", 1.0),
                )
                for row in record["rows"]
            )
            untouched = tuple(
                Kept(kept["name"], tuple(kept["shape"]), kept["reason"]) for kept in record["untouched"]
            )
            return cls(rows, untouched, record["scheme"], record["source"], tuple(record["notes"]))
        except (KeyError, TypeError) as error:
            raise FaninError(
                f"This is not the record of a plan: {error}.", fix="InitPlan.to_json writes one"
            ) from error

    @classmethod
    def from_json(cls, text: str | Path) -> InitPlan:
        """Return the plan in a JSON text or file."""
        return cls.from_dict(json.loads(text.read_text() if isinstance(text, Path) else text))

    def __rich__(self) -> Any:
        return plan_table(self.to_dict())

    def __str__(self) -> str:
        return plain(self)

    def _repr_html_(self) -> str:
        return html(self)


def make_plan(inventory: Inventory, scheme: Any, *, strict: bool = False) -> InitPlan:
    """Return what a scheme does to every parameter of a model.

    Args:
        inventory: The model's parameters.
        scheme: A label, a scheme, a policy, a distribution or a function of a parameter.
        strict: Whether parameters that no rule reaches are an error.

    Raises:
        FaninError: The model has no parameters, the scheme is none, a parameter's distribution cannot be
            drawn, or strict is set and a parameter is unknown.
    """
    if not inventory.parameters:
        raise FaninError(
            f"{inventory.source or 'The model'} has no parameters.", expected="a model with weights"
        )
    policy = as_policy(scheme)
    rows, untouched = [], []
    for parameter in _counted(_unintended(inventory.parameters)):
        decision = policy.decide(parameter)
        if decision.distribution is None:
            untouched.append(Kept(parameter.name, parameter.shape, decision.reason))
        else:
            rows.append(Row(parameter, decision.distribution, decision.reason, decision.lr_multiplier))
    notes = _notes(inventory, untouched, policy.unmet(inventory.parameters))
    unknown = [
        p.name for p in inventory.parameters if p.kind == "unknown" and p.name in {k.name for k in untouched}
    ]
    if strict and unknown:
        raise FaninError(
            f"{len(unknown)} parameters are of unknown layers: {_listed(unknown)}.",
            fix="name them in a Policy, or leave strict out to keep them as they are",
        )
    return InitPlan(tuple(rows), (*untouched, *inventory.kept), policy.label, inventory.source, tuple(notes))


def _unintended(parameters: Sequence[Parameter]) -> Sequence[Parameter]:
    """Return the parameters; where all kernels are 0, none of them is so on purpose."""
    if all(parameter.zero for parameter in parameters if parameter.kind == "kernel"):
        return [replace(parameter, zero=False) for parameter in parameters]
    return parameters


def _counted(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    """Yield the parameters; each is told how many blocks and branches there are, as some schemes ask."""
    deepest = max(parameter.blocks for parameter in parameters)
    branches = sum("residual_out" in parameter.roles for parameter in parameters)
    for p in parameters:
        told = p.blocks == deepest and p.branches == branches
        yield p if told else replace(p, blocks=p.blocks or deepest, branches=branches)


def _notes(inventory: Inventory, untouched: Sequence[Kept], unmet: Sequence[str]) -> Iterator[str]:
    unknown = {p.name for p in inventory.parameters if p.kind == "unknown"}
    kept = [k.name for k in untouched if k.name in unknown]
    if kept:
        yield f"Parameters of unknown layers stay as they are: {_listed(kept)}."
    for selector in unmet:
        yield f"The rule for {selector!r} reaches no parameter."


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _parameter(record: dict[str, Any]) -> Parameter:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
    kernel = record.get("kernel")
    pairs = Pairs(*fields.pop("pairs", ()))
    return Parameter(**{**fields, "kernel": _parameter(kernel) if kernel else None, "pairs": pairs})
