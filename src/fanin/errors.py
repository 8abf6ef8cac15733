"""What happened, what was expected, how to fix it: the one exception that users meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from fanin.sources import first_line, own_line


class FaninError(Exception):
    """A mistake that the user can mend, said in one message.

    Args:
        what: What happened, in one sentence, naming the offending value.
        expected: What fanin needs instead, or empty.
        fix: What to do about it (a command, an edit), or empty.

    Example:
        >>> print(FaninError("seeds is 0.", expected="a positive number", fix="--seeds 20"))
        seeds is 0.
          expected: a positive number
          fix: --seeds 20
    """

    exit_code = 2

    def __init__(self, what: str, *, expected: str = "", fix: str = "") -> None:
        super().__init__(what, expected, fix)
        self.what = what
        self.expected = expected
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:
        # As it was called: errors cross from worker processes.
        return partial(FaninError, expected=self.expected, fix=self.fix), (self.what,)

    def __str__(self) -> str:
        parts = [self.what]
        if self.expected:
            parts.append(f"  expected: {self.expected}")
        if self.fix:
            parts.append(f"  fix: {self.fix}")
        return "\n".join(parts)


@contextmanager
def users_code(what: str) -> Iterator[None]:
    """Turn what the user's own code raises inside the block into one message with the line that did.

    Args:
        what: What fails then, to begin the message ("The builder fails").
    """
    try:
        yield
    except FaninError:
        raise
    except (Exception, SystemExit) as error:  # a script may end in sys.exit()
        raise FaninError(
            f"{what}: {type(error).__name__}: {first_line(error)}{own_line(error)}", fix=_install(error)
        ) from error


def _install(error: BaseException) -> str:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    package = error.name.partition(".")[0]
    other = ", or import from keras itself" if package == "tensorflow" else ", or what brings it"
    return f"pip install {package}{other}"


def missing_extra(package: str, extra: str) -> FaninError:
    """Return the error for a package that an extra of fanin brings.

    Example:
        >>> print(missing_extra("keras", "keras"))
        keras is not installed.
          fix: pip install 'fanin[keras]'
    """
    return FaninError(f"{package} is not installed.", fix=f"pip install 'fanin[{extra}]'")


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """Return the known names most like a misspelt one, as "a, b or c"; empty when none is near.

    Example:
        >>> nearest("he_norml", ["he_normal", "zeros"])
        'he_normal'
    """
    names = difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} or {names[-1]}"
