"""SYM: units, tensors and layers that are copies of each other, and stay so."""

from __future__ import annotations

from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Layer, Parameter, Vitals

_MANY = 0.5
_OF_UNITS = ("kernel", "recurrent", "bias")


class IdenticalUnits(Rule):
    """Hidden units compute the same, and learn the same.

    **What it checks.** Units of one layer that are equal in their outputs over the whole batch AND in the
    gradients with respect to them. The last layer is exempt, and so are layers of one unit, layers that are
    frozen, and units through which nothing goes either way: these are dead (SAT102).

    **Why it matters.** Gradient descent keeps them equal for ever: a layer of a thousand such units is a
    layer of one.

    **Evidence.** Equal rows of a weight alone give 9 false alarms in 46 healthy models: what reads nothing
    yet, as a head of zeros or a LoRA factor, has equal rows and different gradients, and separates at once.

    **Instead.** Random weights: `fanin.initialize(model, "he_normal")`. Constants are for biases and for
    scales of norms.

    **References.** Goodfellow et al. (2016), Deep Learning, 8.4.
    """

    code, name, severity = "SYM101", "identical-units", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the layers with twins; the first of them stands for what follows."""
        hidden = list(_hidden(vitals))
        # Of a layer that is called again, one call whose units differ parts its weights.
        apart = {_own(layer) for layer in hidden if not layer.twins}
        found = [layer for layer in hidden if _own(layer) not in apart]
        if len(found) < len(hidden):  # zeros beside random weights are factors or gates: see stuck-zeros
            found = [layer for layer in found if layer.output.scale > 0]
        if not found:
            return
        first = max(found, key=lambda layer: (layer.twins >= _MANY, -vitals.layers.index(layer)))
        others = [layer.name for layer in found if layer is not first]
        more = "1 more layer" if len(others) == 1 else f"{len(others)} more layers"
        also = f", and so are units of {more}" if others else ""
        yield self.finding(
            first,
            f"{first.twins:.0%} of the {first.units} units of {first.name} are equal to another one, in "
            f"their outputs and in their gradients{also}.",
            observed=first.twins,
            expected="0",
            fix=Fix(
                'fanin.initialize(model, "he_normal") draws weights at random',
                scheme="he_normal",
            ),
            layers=[layer.name for layer in found],
        )


class IdenticalTensors(Rule):
    """Weights of different layers hold the same random values.

    **What it checks.** Whether two weights of the same shape, which are not tied and not constant, are equal
    in every element, and both learn: a copy of what is frozen, or one that no gradient reaches, is meant, as
    ControlNet's, a teacher or a target network are. An embedding and its head are another matter: SET107.

    **Why it matters.** Every statistic of each layer looks normal, and yet the layers begin as copies of each
    other: their products are far from those of independent ones. It comes from one seeded initializer that
    many layers share (Keras), from layers that were copied (`copy.deepcopy`, `nn.TransformerEncoder`), or
    from a seed that is set again before every layer.

    **Evidence.** Only a comparison of tensors finds it (keras-team/keras-hub#352,
    LeelaChessZero/lczero-training#218). Layers one behind the other do not stay copies, as they read other
    values and get other gradients: three of `nn.TransformerEncoder`, of width 32, were apart by a fifth of
    their weights after 400 steps, with as low a loss as layers of their own draws. A warning, no error.

    **Instead.** An initializer, or a seed, for each layer; or `fanin.initialize`, whose weights depend on the
    seed and the parameter's name.
    """

    code, name, severity = "SYM102", "identical-tensors", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield each set of equal weights."""
        same: dict[tuple, list[Parameter]] = {}
        for parameter in vitals.parameters:
            if parameter.digest and len(parameter.shape) > 1 and parameter.gradient is not None:
                same.setdefault((parameter.shape, parameter.digest), []).append(parameter)
        sets = [several for several in same.values() if len(several) > 1 and not _tied_once(several)]
        if not sets:
            return
        first = sets[0]
        names = [one.name for several in sets for one in several]
        more = f" ({len(names)} tensors in {len(sets)} sets)" if len(sets) > 1 else ""
        yield self.finding(
            first[0].name,
            f"{first[0].name} and {first[1].name} hold the same {first[0].size} random values{more}.",
            observed=float(len(names)),
            expected="0 equal tensors",
            fix=Fix(
                'fanin.initialize(model, "auto", inputs=...), whose weights depend on the parameter\'s name',
                scheme="auto",
            ),
            tensors=names,
        )


class EqualOutputs(Rule):
    """All units of a layer compute the same number.

    **What it checks.** Whether the units of a layer, hidden or the last one, are all equal in their weights
    and in their outputs, which are not zero; biases may differ.

    **Why it matters.** All that is behind sees one number. With equal rows in the last layer the gradients
    that a softmax sends back through them add up to 0: the layers before begin to learn late. Where the
    gradients of the units differ they part after one step, which is why it is a warning; where they do not,
    see SYM101.

    **Evidence.** A head of ones (DeepDiagnosis, CIFAR): the gradient of the body is 1e-8.

    **Instead.** Small random weights; for a head, zeros will do too.
    """

    code, name, severity = "SYM103", "equal-outputs", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first layer whose outputs are all the same."""
        layers = (one for one in vitals.layers if one.kind in ("weights", "recurrent") and one.units > 1)
        # Units whose gradients are the same too are identical for good: SYM101.
        found = (one for one in layers if one.alike == 1 > one.twins and one.output.scale)
        first = next(found, None)
        if first is not None:
            yield self.finding(
                first,
                f"All {first.units} units of {first.name} have the same weights, so that their outputs are "
                "equal, or differ by a bias.",
                observed=first.alike,
                expected="different weights, or zeros",
                fix=Fix(
                    'fanin.initialize(model, "glorot_uniform") for this layer',
                    scheme="glorot_uniform",
                    layers=(first.name,),
                ),
            )


class IdenticalSlices(Rule):
    """Rows of a parameter are equal, and learn the same.

    **What it checks.** Parameters that are constant along an axis and whose gradients along it, where they
    are not 0, are all equal: the vectors of a table, latents, queries, prototypes, experts in one tensor.
    Kernels and biases of layers are left to SYM101: their columns have equal gradients where what they read
    is equal.

    **Why it matters.** As for units (SYM101): gradient descent keeps them equal for ever, and many are one.
    Zeros are not the fault: a head of zeros has a gradient of its own for each class.

    **Instead.** Random values, of a standard deviation of 0.02, say.

    **References.** Locatello et al. (2020), arXiv:2006.15055: slots are drawn at random to differ.
    """

    code, name, severity = "SYM104", "identical-slices", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first parameter whose slices are equal."""
        found = [one for one in vitals.trained if one.copies > 1 and one.kind not in _OF_UNITS]
        if found:
            first = found[0]
            also = f", and so are slices of {len(found) - 1} more parameters" if len(found) > 1 else ""
            yield self.finding(
                first.name,
                f"All {first.copies} slices of {first.name} that are used are equal, in their values and in "
                f"their gradients{also}.",
                observed=float(first.copies),
                expected="different values",
                fix=Fix(f"nn.init.normal_({first.name}, std=0.02)"),
                parameters=[one.name for one in found],
            )


class RepeatedLayer(Rule):
    """Several places of a list of layers hold one and the same layer.

    **What it checks.** In PyTorch, modules with trained weights that stand in one `nn.Sequential` or
    `nn.ModuleList` more than once, and that return what they could read again, a tensor of the same shape.

    **Why it matters.** `[layer] * 6` is six times the same object: the model has the parameters of one layer,
    and the gradients of all places are added up.

    **Evidence.** Who shares on purpose (ALBERT, Universal Transformers) calls one layer in a loop. The heads
    of Deformable DETR are one head in a list, and return another shape than they read. A warning, as it may
    be meant.

    **Instead.** `[make() for _ in range(6)]`, or `copy.deepcopy` and `fanin.initialize`.

    **References.** Lan et al. (2020), arXiv:1909.11942; Dehghani et al. (2019), arXiv:1807.03819.
    """

    code, name, severity = "SYM105", "repeated-layer", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first layer that stands at several places."""
        if vitals.repeated:
            paths, more = vitals.repeated[0], len(vitals.repeated) - 1
            also = f", and {more} more layers stand at several places" if more else ""
            yield self.finding(
                paths[0],
                f"{', '.join(paths[:3])}{' and more' if len(paths) > 3 else ''} are one layer at "
                f"{len(paths)} places{also}.",
                observed=float(len(paths)),
                expected="a layer for each place",
                fix=Fix("[make() for _ in range(n)] in the place of [layer] * n"),
                paths=list(paths),
            )


def _tied_once(several: list[Parameter]) -> bool:
    return len(several) == 2 and {"embedding"} < {one.kind for one in several}


def _own(layer: Layer) -> str:
    return layer.name.partition("#")[0]


def _hidden(vitals: Vitals) -> Iterator[Layer]:
    """Yield layers whose units should differ: with weights, and recurrent ones, but not the last one."""
    weighted = vitals.weighted
    ends = (weighted[-1].name if weighted else "", vitals.output.layer)
    found = (layer for layer in vitals.layers if layer.kind in ("weights", "recurrent") and layer.units > 1)
    yield from (layer for layer in found if layer.name not in ends and not _is_frozen(vitals, layer))


def _is_frozen(vitals: Vitals, layer: Layer) -> bool:
    """Return whether a layer has parameters, and none of them learns."""
    own = list(vitals.of_layer(_own(layer)))
    return bool(own) and not any(parameter.trained for parameter in own)


RULES = (IdenticalUnits, IdenticalTensors, EqualOutputs, IdenticalSlices, RepeatedLayer)
