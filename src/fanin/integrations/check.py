"""What all callbacks do: diagnose once, and warn or raise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError
from fanin.integrations.summary import summary
from fanin.rules.diagnosis import Choice
from fanin.rules.finding import SEVERITIES, Severity

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis


class HealthWarning(UserWarning):
    """A model is not healthy at step 0, or could not be checked."""


class Check:
    """A health check of a model that is about to be trained.

    Args:
        fail_on: From which severity on a finding ends the run: "error", "warning", "info", or None for never.
            A check that cannot be done ends it too.
        warn_on: From which severity on findings are told.
        options: Of `fanin.diagnose`.

    Raises:
        FaninError: A severity or a rule does not exist.
    """

    def __init__(
        self, fail_on: Severity | None, warn_on: Severity | None, options: Mapping[str, Any] | None = None
    ) -> None:
        self.fail_on: Severity | None = _known(fail_on)
        self.warn_on: Severity | None = _known(warn_on)
        self.options = dict(options or {})
        # A misspelt rule is told now, not when the data have been loaded.
        Choice(tuple(self.options.get("select", ("ALL",))), tuple(self.options.get("ignore", ())))

    def run(self, look: Callable[..., Diagnosis], *, tell: bool = True) -> Diagnosis | None:
        """Return a diagnosis; None where there is none, as the model could not be checked.

        Args:
            look: Takes the options, and diagnoses.
            tell: Whether this process warns; of many that train together, one does.

        Raises:
            UnhealthyError: A finding is as grave as `fail_on`.
            FaninError: The model could not be checked, and `fail_on` is given.
        """
        try:
            found = look(**self.options)
        except FaninError as error:
            if self.fail_on is not None:
                raise
            self.unchecked(str(error), tell=tell)
            return None
        if self.fail_on is not None:
            found.raise_for(self.fail_on)
        if self.warn_on is not None and tell and found.at_least(self.warn_on):
            _warn(summary(found, self.warn_on))
        return found

    def unchecked(self, why: str, *, tell: bool = True) -> None:
        """Warn that a model was not checked, or raise.

        Args:
            why: The reason.
            tell: Whether this process warns.

        Raises:
            FaninError: `fail_on` is given.
        """
        if self.fail_on is not None:
            raise FaninError(why)
        if tell:
            _warn(f"The model was not checked at step 0. {why}")


def _warn(text: str) -> None:
    # No line of the user's is to blame: what called is the training loop.
    warnings.warn(text, HealthWarning, stacklevel=2)


def _known(severity: Severity | None) -> Severity | None:
    if severity is not None and severity not in SEVERITIES:
        raise FaninError(f"{severity!r} is no severity.", expected=f"{', '.join(SEVERITIES)}, or None")
    return severity
