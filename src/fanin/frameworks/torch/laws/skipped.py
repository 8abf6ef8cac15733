"""PyTorch's initializers that do nothing on the meta device, made to say what they would do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from torch.nn import init

from fanin.frameworks.torch.laws.recorder import Recorder

_NAME = "_fanin_recorder"


@contextlib.contextmanager
def told_to(recorder: Recorder) -> Iterator[None]:
    """Tell a recorder of the initializers that PyTorch leaves out on the meta device.

    Other modules hold these functions under names of their own, so it is their code that is replaced. What is
    not on the meta device is filled as ever.
    """
    functions = {name: getattr(init, name) for name in _TOLD}
    before = {name: function.__code__ for name, function in functions.items()}
    originals = {name: _copy(functions[name], code) for name, code in before.items()}
    setattr(init, _NAME, (recorder, originals))
    try:
        for name, function in functions.items():
            function.__code__ = _TOLD[name].__code__
        yield
    finally:
        for name, function in functions.items():
            function.__code__ = before[name]
        delattr(init, _NAME)


def _copy(function: Any, code: CodeType) -> Any:
    copied = FunctionType(code, function.__globals__, function.__name__, function.__defaults__)
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


# Their code runs among the names of torch.nn.init.
_fanin_recorder: Any = None


def _trunc_normal_(tensor: Any, mean: float, std: float, a: float, b: float, generator: Any = None) -> Any:
    recorder, originals = _fanin_recorder
    if not tensor.is_meta:
        return originals["_no_grad_trunc_normal_"](tensor, mean, std, a, b, generator)
    recorder.truncated_normal(tensor, mean, std, a, b)
    return tensor


def _orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Any:
    recorder, originals = _fanin_recorder
    if not tensor.is_meta:
        return originals["orthogonal_"](tensor, gain, generator)
    recorder.orthogonal(tensor, gain)
    return tensor


def _sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    recorder, originals = _fanin_recorder
    if not tensor.is_meta:
        return originals["sparse_"](tensor, sparsity, std, generator)
    recorder.sparse(tensor, sparsity, std)
    return tensor


def _dirac_(tensor: Any, groups: int = 1) -> Any:
    recorder, originals = _fanin_recorder
    if not tensor.is_meta:
        return originals["dirac_"](tensor, groups)
    recorder.dirac(tensor, groups)
    return tensor


_TOLD: dict[str, Any] = {
    "_no_grad_trunc_normal_": _trunc_normal_,
    "orthogonal_": _orthogonal_,
    "sparse_": _sparse_,
    "dirac_": _dirac_,
}
