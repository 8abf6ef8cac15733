"""Matrix products: with a weight they are layers, of two values products."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

from fanin.errors import FaninError
from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.values import Value


@converts("linear")
def _linear(call: Call) -> Result:
    x, kernel, bias = floats(call["input"]), call["weight"], call.get("bias")
    lead = ascii_lowercase[: x.ndim - 1]
    read, out = ("io"[::-1], "o") if kernel.ndim == 2 else ("i", "")
    inputs = [x, kernel, *([bias] if bias is not None else [])]
    return call.graph.emit("linear", inputs, call.shape, call.dtype, equation=f"{lead}i,{read}->{lead}{out}")


def floats(x: Value) -> Value:
    """Return what a layer reads.

    Raises:
        FaninError: It is ids, not numbers, which PyTorch refuses when the model is run.
    """
    if "int" in x.dtype and x.data:
        raise FaninError(f"A layer is given {x.dtype} of shape {x.shape}.", expected="inputs of floats")
    return x


@converts("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "__matmul__")
def _matmul(call: Call) -> Result:
    first, second = list(call.arguments.values())[:2]
    if call.target == "aten.inner" and second.ndim > 1:
        return call.opaque()
    return multiplied(call, first, second)


def multiplied(call: Call, first: Value, second: Value) -> Value:
    """Return the matrix product of two values, whose axes before the last two broadcast."""
    shape = call.shape
    lead = len(shape) - (first.ndim > 1) - (second.ndim > 1)
    letters = ascii_lowercase[:lead]
    left, first = _batched(call, first, letters, shape, ("y", "z") if first.ndim > 1 else ("z",))
    right, second = _batched(call, second, letters, shape, ("z", "x") if second.ndim > 1 else ("z",))
    out = letters + ("y" if "y" in left else "") + ("x" if "x" in right else "")
    return contracted(call, first, second, left, right, out)


def _batched(
    call: Call, x: Value, letters: str, shape: Sequence[int], own: tuple[str, ...]
) -> tuple[str, Value]:
    """Return the letters of a factor's axes; those that would broadcast are left out."""
    batch = x.ndim - len(own)
    names = letters[len(letters) - batch :]
    offset = len(letters) - batch
    kept = [i for i in range(batch) if x.shape[i] == shape[offset + i]]
    if len(kept) < batch:
        x = call.graph.reshape(x, [*(x.shape[i] for i in kept), *x.shape[batch:]])
    return "".join(names[i] for i in kept) + "".join(own), x


def contracted(call: Call, first: Value, second: Value, left: str, right: str, out: str) -> Value:
    """Return a product of two values: a layer's where one of them is made of parameters."""
    if first.learned and second.data:
        first, second, left, right = second, first, right, left
    op = "linear" if first.data and second.learned else "matmul"
    return call.graph.emit(op, [first, second], call.shape, call.dtype, equation=f"{left},{right}->{out}")


@converts("einsum")
def _einsum(call: Call) -> Result:
    operands = list(call["tensors"])
    terms, out = _terms(call["equation"].replace(" ", ""), [value.ndim for value in operands])
    if not terms or any(len(set(term)) < len(term) for term in terms) or len(operands) > 2:
        return call.opaque(call["equation"])
    if len(operands) == 1:
        return _summed(call, operands[0], terms[0], out)
    (first, second), (left, right) = operands, terms
    first, left = _without(call, first, left, right + out)
    second, right = _without(call, second, right, left + out)
    return contracted(call, first, second, left, right, out)


def _terms(equation: str, ndims: list[int]) -> tuple[list[str], str]:
    """Return the letters of each operand's axes and of the result's; no terms where dots differ.

    Example:
        >>> _terms("...ij,jk", [3, 2])
        (['aij', 'jk'], 'aik')
    """
    reads, arrow, out = equation.partition("->")
    terms = reads.split(",")
    spare = [letter for letter in ascii_lowercase if letter not in equation]
    widths = {n - len(term) + 3 for term, n in zip(terms, ndims, strict=True) if "..." in term}
    if len(widths) > 1:
        return [], ""
    dots = "".join(spare[: max(widths, default=0)])
    terms = [term.replace("...", dots) for term in terms]
    if arrow:
        return terms, out.replace("...", dots)
    letters = "".join(terms)
    return terms, dots + "".join(sorted(c for c in letters if letters.count(c) == 1 and c not in dots))


def _without(call: Call, x: Value, letters: str, kept: str) -> tuple[Value, str]:
    """Return a value summed over the axes that nothing else has."""
    alone = [axis for axis, letter in enumerate(letters) if letter not in kept]
    if not alone:
        return x, letters
    return call.graph.reduce("sum", x, alone), "".join(letter for letter in letters if letter in kept)


def _summed(call: Call, x: Value, letters: str, out: str) -> Result:
    x, letters = _without(call, x, letters, out)
    return call.graph.permute(x, [letters.index(letter) for letter in out])


@converts("addmm", "addmv", "baddbmm", "addbmm")
def _add_product(call: Call) -> Result:
    added, (first, second) = call.x, list(call.arguments.values())[1:3]
    alpha, beta = call.get("alpha", 1), call.get("beta", 1)
    if call.target == "aten.addbmm":
        return call.opaque()
    if alpha == beta == 1 and first.data and second.learned and added.learned and added.ndim == 1:
        equation = "ab,bc->ac" if second.ndim == 2 else "ab,b->a"
        return call.graph.emit("linear", [first, second, added], call.shape, call.dtype, equation=equation)
    product = multiplied(call, first, second)
    if alpha != 1:
        product = call.graph.elementwise("multiply", product, alpha)
    if beta == 0:
        return product
    scaled = call.graph.elementwise("multiply", added, beta) if beta != 1 else added
    return call.graph.elementwise("add", scaled, product)


@converts("outer", "ger")
def _outer(call: Call) -> Result:
    first, second = list(call.arguments.values())[:2]
    return call.graph.elementwise("multiply", call.graph.reshape(first, (first.size, 1)), second)
