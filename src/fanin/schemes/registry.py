"""The register of schemes: how a function becomes a scheme of the catalogue."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, ParamSpec

from fanin.errors import FaninError
from fanin.schemes.arguments import bound
from fanin.schemes.decision import Rule
from fanin.schemes.scheme import Scheme

P = ParamSpec("P")
_ENTRY = "__fanin_scheme__"


@dataclass(frozen=True)
class Entry:
    """One scheme of the catalogue, as it is written down there.

    Args:
        make: From its arguments to its rules.
        formula: Its formula.
        source: Where it comes from.
        assumptions: What it takes for granted.
        needs: Roles without which it is not what it says.
    """

    make: Callable[..., Mapping[str, Rule]]
    formula: str
    source: str
    assumptions: str = ""
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.make.__name__

    @property
    def summary(self) -> str:
        """What it is for: the first line of its docstring."""
        return (inspect.getdoc(self.make) or "").partition("\n")[0].rstrip(".")

    @cached_property
    def signature(self) -> inspect.Signature:
        """Its arguments, with their types."""
        return inspect.signature(self.make, eval_str=True)

    @property
    def defaults(self) -> dict[str, Any]:
        """Its arguments with their defaults."""
        empty = inspect.Parameter.empty
        found = self.signature.parameters.values()
        return {each.name: None if each.default is empty else each.default for each in found}

    def __call__(self, *positional: Any, **keywords: Any) -> Scheme:
        """Return the scheme of some arguments.

        Raises:
            FaninError: An argument is unknown, missing, or of another type.
        """
        arguments = bound(self.name, self.signature, positional, keywords)
        return Scheme(
            name=self.name,
            rules=self._rules(arguments),
            summary=self.summary,
            formula=self.formula,
            source=self.source,
            assumptions=self.assumptions,
            arguments=tuple((key, value) for key, value in arguments.items() if value != self.defaults[key]),
            needs=self.needs,
        )

    def _rules(self, arguments: dict[str, Any]) -> Mapping[str, Rule]:
        try:
            return self.make(**arguments)
        except FaninError as error:
            given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
            what = f"{self.name}({given}): {error.what}"
            raise FaninError(what, expected=error.expected, fix=error.fix) from None


CATALOGUE: dict[str, Entry] = {}
ALIASES: dict[str, str] = {}
"""Other names: torch's, and Keras' functions and classes."""


def scheme(
    *,
    formula: str,
    source: str,
    assumptions: str = "",
    needs: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
) -> Callable[[Callable[P, Mapping[str, Rule]]], Callable[P, Scheme]]:
    """Make a function a scheme of the catalogue, under the function's name.

    The function takes the scheme's arguments (numbers, texts, or tuples of numbers) and returns rules: from
    roles ("head", "residual_out") and kinds ("kernel", "bias", "embedding", "norm") to functions from a
    parameter to its distribution. A parameter's roles come before its kind; what no rule is for is left to
    the defaults. The first line of the docstring says what the scheme is for.

    Args:
        formula: Its formula, as text.
        source: Paper and equation.
        assumptions: What the formula takes for granted.
        needs: Roles without which it is not what it says; a plan notes that a model has none.
        aliases: Other names.

    Returns:
        A function from the same arguments to the scheme.

    Raises:
        FaninError: Another scheme has the name.

    Example:
        >>> from fanin.schemes.distributions import Normal
        >>> @scheme(formula="Var = 1 / fan_in^power", source="a hunch")
        ... def timid(power: float = 2.0):
        ...     "Starts small."
        ...     return {"kernel": lambda p: Normal(0.0, p.shape[0] ** (-power / 2))}
        >>> timid(power=3).label
        'timid(power=3.0)'
    """

    def register(make: Callable[P, Mapping[str, Rule]]) -> Callable[P, Scheme]:
        entry = Entry(make, formula, source, assumptions, needs)
        for name in (entry.name, *aliases):
            _check_free(name, entry)
        CATALOGUE[entry.name] = entry
        ALIASES.update(dict.fromkeys(aliases, entry.name))

        @wraps(make)
        def made(*positional: P.args, **keywords: P.kwargs) -> Scheme:
            return entry(*positional, **keywords)

        setattr(made, _ENTRY, entry)
        return made

    return register


def called(thing: Any) -> Any:
    """Return the scheme that a function of the catalogue makes without arguments; anything else as it is.

    Example:
        >>> from fanin.schemes import zeros
        >>> called(zeros).label, called("zeros")
        ('zeros', 'zeros')
    """
    entry = thing if isinstance(thing, Entry) else getattr(thing, _ENTRY, None)
    return entry() if isinstance(entry, Entry) else thing


def _check_free(name: str, entry: Entry) -> None:
    """Refuse a name that is taken, unless the same function is defined anew, as in a notebook."""
    other = CATALOGUE.get(ALIASES.get(name, name))
    same = other and (other.make.__module__, other.name) == (entry.make.__module__, entry.name)
    if other and not same:
        raise FaninError(f"There is a scheme {name!r} already.", fix="give yours another name")
