"""Each rule, at its threshold and on either side of it."""

from dataclasses import replace

import pytest

from fanin.errors import FaninError
from fanin.rules.catalogue import FAMILIES, RULES, matching, rule
from fanin.rules.diagnosis import Choice, UnhealthyError, diagnose
from fanin.rules.vitals import Dropped, Felt, Input, Layer, Output, Parameter, Spread, Target, Vitals


def spread(sd, mean=0.0, largest=None, *, finite=True):
    return Spread(mean, sd, 4 * sd if largest is None else largest, finite)


def layer(name, sd=1.0, gradient=1.0, kind="weights", **others):
    back = None if gradient is None else spread(gradient)
    return Layer(name, "Linear", kind, (32, 64), spread(sd), units=64, places=32, gradient=back, **others)


def parameter(name, sd=0.1, gradient=0.1, shape=(64, 64), zero=(0.0,), **others):
    return Parameter(name, shape, name.rpartition(".")[0], spread(sd), gradient=gradient, zero=zero, **others)


def vitals(layers=(), parameters=None, **others):
    layers = tuple(layers) or (layer("0"), layer("1"))
    given = {
        "inputs": (Input("0", (32, 20), spread(1.0), (1.0, 1.0)),),
        "output": Output(spread(0.5), (32, 10), 2.3, "cross_entropy", layer=layers[-1].name, variation=1.0),
        "target": Target(classes=10, entropy=2.3),
        "examples": 32,
    } | others
    parameters = [parameter("0.weight"), parameter("1.weight")] if parameters is None else parameters
    return Vitals("Net", "torch", layers, tuple(parameters), **given)


def codes(found, severity=None):
    return [one.code for one in diagnose(found).findings if severity in (None, one.severity)]


def test_a_healthy_model():
    assert not codes(vitals())


def line(factor, count, way):
    scales = [factor**place for place in range(count)]
    if way == "forward":
        return [layer(str(place), sd) for place, sd in enumerate(scales)]
    return [layer(str(place), gradient=g) for place, g in enumerate(reversed(scales))]


@pytest.mark.parametrize(
    ("way", "factor", "count", "found"),
    [
        ("forward", 0.3, 6, {"FWD101": "warning"}),
        ("forward", 0.5, 6, {}),
        ("forward", 0.3, 5, {}),
        ("forward", 0.05, 5, {"FWD101": "warning"}),
        ("backward", 0.05, 5, {"BWD101": "warning"}),
        ("forward", 30.0, 5, {"FWD102": "error"}),
        ("forward", 0.82, 20, {}),
        ("forward", 0.1, 8, {"FWD101": "error"}),
        ("forward", 2.0, 7, {"FWD102": "warning"}),
        ("forward", 3.0, 7, {"FWD102": "warning"}),
        ("forward", 10.0, 7, {"FWD102": "error"}),
        ("backward", 0.3, 8, {"BWD101": "warning"}),
        ("backward", 0.4, 8, {}),  # 600 times
        ("backward", 0.1, 8, {"BWD101": "error"}),
        ("backward", 0.4, 4, {}),
        ("backward", 2.0, 8, {"BWD102": "warning"}),
        ("backward", 10.0, 8, {"BWD102": "error"}),
    ],
)
def test_depth(way, factor, count, found):
    layers = line(factor, count, way)
    weights = [parameter(f"{one.name}.weight", gradient=one.gradient.scale) for one in layers]
    made = diagnose(vitals(layers, weights)).findings
    assert {one.code: one.severity for one in made} == found


def test_a_norm_begins_a_new_chain():
    layers = line(0.1, 8, "forward")
    norms = [layer(f"n{place}", kind="norm") for place in range(8)]
    assert not codes(vitals([one for pair in zip(layers, norms, strict=True) for one in pair]))


def test_branches_of_zeros_are_left_out():
    layers = [one for each in line(1.0, 6, "forward") for one in (each, layer(f"{each.name}.zero", 0.0))]
    assert not codes(vitals(layers))


@pytest.mark.parametrize(
    ("loss", "sd", "labels", "severity"),
    # 2 sd / sqrt(labels) is 1.8, .1, 3.5 at most
    [
        (5.0, 1.27, 2, None),
        (5.2, 1.27, 2, "warning"),
        (3.35, 1.0, 400, None),
        (3.5, 1.0, 400, "warning"),
        (15.0, 50.0, 2, "warning"),
        (16.0, 50.0, 2, "error"),
    ],
)
def test_an_initial_loss_of_few_labels(loss, sd, labels, severity):
    output = replace(vitals().output, loss=loss, values=spread(sd), shape=(labels, 10))
    found = diagnose(vitals([layer("0"), layer("1", sd)], output=output)).findings
    assert [one.severity for one in found if one.code == "OUT101"] == ([severity] if severity else [])


@pytest.mark.parametrize(("gradient", "found"), [(1e-7, ["BWD103"]), (1e-5, [])])
def test_tiny_gradients(gradient, found):
    parameters = [parameter("0.weight", gradient=gradient), parameter("1.weight", gradient=gradient)]
    assert codes(vitals(parameters=parameters)) == found


@pytest.mark.parametrize(
    ("loss", "severity"), [(2.3, None), (3.2, None), (3.4, "warning"), (12.2, "warning"), (12.4, "error")]
)
def test_initial_loss(loss, severity):
    output = replace(vitals().output, loss=loss, values=spread(0.0))
    found = diagnose(vitals([layer("0"), layer("1", 0.0)], output=output)).findings
    assert [one.severity for one in found if one.code == "OUT101"] == ([severity] if severity else [])


def test_a_loss_of_cosines_is_not_the_last_layers():
    for loss, found in ((24.0, ["OUT101"]), (7.0, ["OUT101"]), (6.7, [])):  # ln 10 + 4.5 + 2 * .2 / sqrt(32)
        output = replace(vitals().output, loss=loss, values=spread(0.2))
        assert codes(vitals([layer("0"), layer("1", 0.1)], output=output)) == found, "cosines times a factor"
        assert codes(vitals([layer("0"), layer("1", 1.0)], output=output)) == ["OUT101"], "means of logits"
        assert not codes(vitals([layer("0"), layer("1", 1.0)], output=output), "error")


@pytest.mark.parametrize(
    ("loss", "zero", "scale", "severity"),
    [
        (11.0, 1.0, 3.5, "warning"),
        (1001.0, 1.0, 3.5, "error"),
        (9.0, 1.0, 3.5, None),
        (11.0, 1.0, 2.9, None),
        (11.0, -1.0, 3.5, None),
        (11.0, None, 3.5, None),
    ],
)
def test_a_loss_of_the_users_against_that_of_zeros(loss, zero, scale, severity):
    output = Output(spread(scale), (32, 1), loss, "other", layer="1", zero=zero)
    found = diagnose(vitals(output=output, target=None)).findings
    assert [(one.code, one.severity) for one in found] == ([("OUT101", severity)] if severity else [])


@pytest.mark.parametrize(
    ("sd", "variation", "found"), [(3.1, 1.0, ["OUT101"]), (2.9, 1.0, []), (3.1, 0.5, [])]
)
def test_outputs_that_vary_more_than_targets(sd, variation, found):
    output = Output(spread(sd), (32, 1), 5.0 + sd**2, "mse", layer="1", variation=variation)
    assert codes(vitals(output=output, target=Target(variance=1.0, mean=2.0))) == found


@pytest.mark.parametrize(
    ("function", "share", "found"),
    [("tanh", 0.32, ["SAT101"]), ("hardtanh", 0.32, []), ("hardtanh", 0.5, ["SAT101"])],
)
def test_a_hard_tanh_cuts_off_a_third_of_normal_inputs(function, share, found):
    layers = [layer("0"), layer("act", kind="activation", function=function, saturated=share), layer("1")]
    assert codes(vitals(layers)) == found


def test_regressions_are_held_against_their_targets():
    output = Output(spread(1.0), (32, 1), 50.0, "mse", layer="1", variation=1.0)
    assert codes(vitals(output=output, target=Target(variance=4.0))) == ["OUT101"]
    assert not codes(vitals(output=output, target=Target(variance=6.0)))
    far = diagnose(
        vitals(output=replace(output, loss=400.0), target=Target(variance=1.0, mean=20.0))
    ).findings
    assert [(one.code, one.severity) for one in far] == [("INP105", "warning")]


@pytest.mark.parametrize("tokens", [False, True], ids=["numbers", "integers"])
def test_each_input_has_the_layer_that_reads_it(tokens):
    """As a network of noise reads the number of the step beside the image."""
    inputs = Input("0", (32, 20), spread(1.0)), Input("1", (32, 1), spread(300.0, 500.0), tokens=tokens)
    layers = [layer("0", source=1.0), layer("time", 300.0, source=(300.0**2 + 500.0**2) ** 0.5), layer("1")]
    (found,) = diagnose(vitals(layers, inputs=inputs)).findings
    assert (found.code, found.where) == ("INP101", "input 1")
    assert "time makes 300" in found.message
    layers[1] = layer("time", 1.0, source=1.0)  # it looks the step up
    assert not codes(vitals(layers, inputs=(inputs[0], replace(inputs[1], tokens=True))))


def test_recurrent_layers_that_read_large_numbers():
    states = layer("rnn", 0.5, kind="recurrent", function="tanh", saturated=0.1)
    reads = parameter("rnn.weight_ih_l0", 0.1, kind="kernel", reference=0.2)
    keeps = parameter("rnn.weight_hh_l0", 0.1, kind="recurrent", reference=0.2)
    for sd, found in ((30.0, []), (50.0, ["INP101"])):
        inputs = (Input("0", (32, 9, 4), spread(sd)),)
        norm = layer("norm", kind="norm")
        assert codes(vitals([states, norm, layer("1")], [reads, keeps], inputs=inputs)) == found


@pytest.mark.parametrize(("function", "severity"), [("relu", "info"), ("tanh", "error")])
def test_norms_behind_bounded_functions_come_too_late(function, severity):
    between = layer("act", kind="activation", function=function)
    layers = [layer("0", 50.0), between, layer("norm", kind="norm"), layer("1")]
    inputs = (Input("0", (32, 3, 8, 8), spread(100.0)),)
    assert codes(vitals(layers, inputs=inputs), severity) == ["INP101"]


@pytest.mark.parametrize(("constant", "severity"), [(0.4, None), (0.9, "info"), (1.0, "warning")])
def test_constant_features(constant, severity):
    inputs = (Input("0", (32, 20), spread(1.0), None, constant),)
    assert codes(vitals(inputs=inputs)) == (["INP104"] if severity else [])
    assert codes(vitals(inputs=inputs), severity) == codes(vitals(inputs=inputs))


def test_all_examples_are_the_same():
    same, other = (Input("0", (32, 3, 8, 8), spread(1.0), None, constant) for constant in (1.0, 0.0))
    found = diagnose(vitals(parameters=[parameter("0.weight", zero=(1.0, 1.0))], inputs=(same,))).findings
    assert [one.code for one in found] == ["INP104"]
    assert [one.code for one in found[0].consequences] == ["SET105"]
    assert codes(vitals(inputs=(same, other)), "warning") == []
    assert codes(vitals(inputs=(replace(same, described=True),))) == []


def test_a_few_equal_units_do_not_make_gradients_vanish():
    layers = [replace(one, twins=0.02 if one.name == "6" else 0.0) for one in line(0.3, 8, "backward")]
    weights = [parameter(f"{one.name}.weight", gradient=one.gradient.scale) for one in layers]
    found = diagnose(vitals(layers, weights)).findings
    assert [(one.code, [c.code for c in one.consequences]) for one in found] == [("BWD101", ["SYM101"])]
    many = [replace(one, twins=0.9 * (one.twins > 0)) for one in layers]
    assert codes(vitals(many, weights)) == ["SYM101"]


@pytest.mark.parametrize(("places", "severity"), [(2, "info"), (8, "error")])
def test_huge_gradients_behind_norms_of_two_values(places, severity):
    norm = replace(layer("n", kind="norm"), type="BatchNormalization", places=places)
    weights = [parameter("0.weight", gradient=1e6), parameter("1.weight")]
    found = diagnose(vitals([layer("0"), norm, layer("1")], weights)).findings
    assert [(one.code, one.severity) for one in found] == [("BWD104", severity)]


def test_targets_that_are_no_numbers():
    output = Output(spread(1.0), (32, 1), float("nan"), "mse", layer="1", variation=1.0)
    found = vitals(output=output, target=Target(variance=float("nan"), mean=float("nan")))
    assert [(one.code, one.where) for one in diagnose(found).findings] == [("NUM101", "targets")]


def test_targets_that_are_broadcast():
    output = Output(spread(1.0), (32, 1), 1.0, "mse", layer="1", variation=1.0)
    target = Target(variance=1.0, low=-2.0, high=2.0)
    assert not codes(vitals(output=output, target=target))
    assert codes(vitals(output=output, target=replace(target, broadcast=True))) == ["INP106"]


def activation(**others):
    return layer("act", kind="activation", **others)


@pytest.mark.parametrize(("share", "severity"), [(0.2, None), (0.3, "warning"), (0.6, "error")])
def test_saturation(share, severity):
    found = vitals([layer("0"), activation(function="tanh", saturated=share), layer("1")])
    assert codes(found) == (["SAT101"] if severity else [])
    assert codes(found, severity) == codes(found)


@pytest.mark.parametrize(
    ("share", "places", "severity"),
    [(0.4, 256, None), (0.6, 256, "warning"), (0.6, 64, None), (0.95, 64, "error")],
)
def test_dead_units(share, places, severity):
    dead = replace(activation(function="relu", dead=share), places=places)
    assert codes(vitals([layer("0"), dead, layer("1")]), severity) == (["SAT102"] if severity else [])


@pytest.mark.parametrize(("ends", "found"), [("softmax", ["SAT101"]), ("sigmoid", [])])
def test_what_makes_the_output_is_exempt(ends, found):
    layers = [layer("0"), activation(function="sigmoid", saturated=0.9)]
    output = Output(spread(1.0), (32, 10), None, "none", ends, "0", 1.0)
    assert codes(vitals(layers, output=output, target=None)) == found


def test_a_small_head_is_meant():
    assert not codes(vitals([layer("0"), layer("1"), layer("2"), layer("3", 1e-5)]))


@pytest.mark.parametrize(("share", "severity"), [(0.0, None), (0.2, "warning"), (0.6, "error")])
def test_networks_that_are_born_dead(share, severity):
    found = vitals(born_dead=share, seeds=20)
    assert codes(found, severity) == (["SAT105"] if severity else [])


def test_the_last_activation_may_saturate():
    layers = [layer("0"), layer("1"), activation(function="sigmoid", saturated=1.0)]
    output = replace(vitals().output, ends_in="sigmoid", kind="binary_cross_entropy", logits=False, loss=0.7)
    assert not codes(vitals(layers, output=output))


def test_twins():
    assert codes(vitals([layer("0", twins=0.5), layer("1")])) == ["SYM101"]
    assert not codes(vitals([layer("0"), layer("1", twins=1.0)])), "the last layer is exempt"
    beside = [layer("0", 0.0, twins=1.0, alike=1.0), layer("1"), layer("2")]
    assert not codes(vitals(beside)), "zeros beside random weights are no symmetry"
    frozen = [replace(parameter("0.weight"), trained=False), parameter("1.weight")]
    assert not codes(vitals([layer("0", twins=0.5), layer("1")], frozen)), "what is frozen learns nothing"


def test_equal_tensors_that_learn():
    both = [parameter("0.weight", digest="0.weight"), parameter("1.weight", digest="0.weight")]
    assert codes(vitals(parameters=both)) == ["SYM102"]
    frozen = replace(both[0], trained=False, gradient=None)
    assert not codes(vitals(parameters=[frozen, both[1]])), "ControlNet's, or a teacher"


def test_stuck_zeros_and_zeros_that_unlock():
    stuck = Parameter("b.weight", (4, 64), "b", spread(0.0), gradient=0.0, zero=(1.0,) * 4)
    assert codes(vitals(parameters=[parameter("0.weight"), stuck])) == ["SET103"]
    assert not codes(vitals(parameters=[parameter("0.weight"), replace(stuck, zero=(1.0, 0.2))]))
    assert codes(vitals(parameters=[parameter("0.weight"), replace(stuck, values=spread(0.1))])) == ["SET105"]


def test_parameters_without_a_gradient():
    cut = parameter("2.weight", gradient=None)
    assert codes(vitals(parameters=[parameter("0.weight"), cut])) == ["SET102"]
    assert not codes(vitals(parameters=[parameter("0.weight"), replace(cut, trained=False)]))
    token = replace(cut, shape=(1, 1, 64))
    assert codes(vitals(parameters=[parameter("0.weight"), token]), "info") == ["SET102"]
    assert codes(vitals(parameters=[parameter("0.weight"), replace(token, kind="kernel")]), "warning")
    both = [parameter("0.weight"), replace(cut, zero=(1.0,) * 4)]
    assert codes(vitals(parameters=both)) == ["SET102"], "what has no gradient is not stuck"


@pytest.mark.parametrize(
    ("unused", "severity"),
    [
        (["b.0.segments", "b.1.segments"], "info"),  # an option of all blocks
        (["b.1.segments"], "info"),  # what the last block makes for a next one
        (["b.0.segments"], "warning"),
        (["b.1.segments", "b.1.keys"], "warning"),  # a block that is not called
    ],
)
def test_what_blocks_do_not_use(unused, severity):
    names = [f"b.{block}.{name}" for block in (0, 1) for name in ("segments", "keys")]
    found = vitals(parameters=[parameter(name, gradient=None if name in unused else 0.1) for name in names])
    assert [(one.code, one.severity) for one in diagnose(found).findings] == [("SET102", severity)]


def test_experts_that_nothing_goes_to():
    chosen = parameter("experts.0.up.weight")
    cut = parameter("experts.1.up.weight", gradient=None)
    assert codes(vitals(parameters=[chosen, cut]), "info") == ["SET102"]
    assert codes(vitals(parameters=[chosen, cut, parameter("1.weight", gradient=None)]), "warning")
    empty = [layer("0"), replace(layer("experts.1.up", 0.0), places=0), layer("1")]
    stuck = replace(cut, gradient=0.0, zero=(1.0,) * 4)
    assert not codes(vitals(empty, [chosen, stuck]))
    assert codes(vitals(parameters=[chosen, replace(stuck, name="b.weight", layer="b")])) == ["SET105"]


def test_statistics_may_be_large():
    variance = replace(parameter("normalization/variance"), values=spread(1.0, largest=1e7), trained=False)
    assert not codes(vitals(parameters=[parameter("0.weight"), variance]))
    assert codes(vitals(parameters=[parameter("0.weight"), replace(variance, kind="kernel")])) == ["NUM102"]


@pytest.mark.parametrize(
    ("values", "code"), [(spread(1.0, largest=1e7), "NUM102"), (spread(1.0, finite=False), "NUM102")]
)
def test_numbers_that_are_none(values, code):
    found = diagnose(vitals(parameters=[replace(parameter("0.weight"), values=values)])).findings
    assert found[0].code == code


def test_the_first_number_that_is_not_finite():
    layers = [layer("0"), replace(layer("1"), output=spread(1.0, finite=False)), layer("2")]
    found = diagnose(vitals(layers)).findings
    assert [(one.code, one.where) for one in found] == [("NUM101", "1")]


def test_half_precision():
    layers = [layer("0"), replace(layer("1"), output=spread(1.0, largest=1e4))]
    for dtype, found in (("float16", ["NUM103"]), ("bfloat16", []), ("float32", [])):
        assert codes(vitals([replace(one, dtype=dtype) for one in layers])) == found


def test_inputs():
    raw = Input("0", (32, 20), spread(100.0, 120.0), (50.0, 150.0))
    first = replace(layer("0"), output=spread(60.0))
    assert codes(vitals([first, layer("1")], inputs=(raw,))) == ["INP101"]
    absorbed = diagnose(vitals([first, layer("n", kind="norm"), layer("1")], inputs=(raw,))).findings
    assert [(one.code, one.severity) for one in absorbed] == [("INP101", "info")]
    frozen = replace(layer("n", kind="norm"), output=spread(60.0))
    assert codes(vitals([first, frozen, layer("1")], inputs=(raw,)), "error") == ["INP101"]
    assert not codes(vitals([first, layer("1")], inputs=(replace(raw, described=True),)))
    assert not codes(vitals([first, layer("1")], inputs=(replace(raw, tokens=True),)))
    assert codes(vitals(inputs=(replace(raw, values=spread(0.001), features=(1e-3, 1e-3)),))) == ["INP103"]
    sparse = replace(raw, values=spread(0.02), features=(1e-2, 3e-2), zeros=0.9)
    assert not codes(vitals(inputs=(sparse,)))
    assert codes(vitals(inputs=(replace(sparse, values=spread(0.01)),))) == ["INP103"]
    uneven = replace(raw, values=spread(1.0), features=(1e-3, 1.0))
    assert codes(vitals(inputs=(uneven,))) == ["INP102"]
    for kind, found in (("Normalization", []), ("BatchNorm1d", []), ("LayerNorm", ["INP102"])):
        norm = replace(layer("n", kind="norm"), type=kind)
        assert codes(vitals([norm, layer("0"), layer("1")], inputs=(uneven,))) == found
    assert codes(vitals(inputs=(replace(raw, values=spread(1.0), constant=0.7, features=None),))) == [
        "INP104"
    ]


def test_streams():
    blocks = [replace(layer(f"blocks.{n}", 2.0**n), kind="other", type="Block") for n in range(8)]
    assert codes(vitals([layer("0"), *blocks, layer("1")])) == ["RES101"]
    assert not codes(vitals([layer("0"), *blocks[:4], layer("1")]))


def test_consequences_are_folded():
    layers = [layer("0", twins=1.0), activation(function="relu", dead=1.0), layer("1")]
    found = diagnose(vitals(layers)).findings
    assert [one.code for one in found] == ["SYM101"]
    assert [one.code for one in found[0].consequences] == ["SAT102"]


def test_a_cause_is_as_grave_as_what_follows():
    output = Output(spread(20.0), (32, 10), 700.0, "cross_entropy", layer="1", variation=1.0, tied=True)
    found = diagnose(vitals([layer("0"), layer("1", 20.0)], output=output)).findings
    assert [(one.code, one.severity) for one in found] == [("OUT104", "error")]


# Which findings


def test_selection():
    faulty = vitals([layer("0", twins=1.0), layer("1")], output=replace(vitals().output, loss=9.0))
    assert codes(faulty) == ["SYM101"]
    assert [one.code for one in diagnose(faulty, Choice(select=("OUT",))).findings] == ["OUT101"]
    assert [one.code for one in diagnose(faulty, Choice(ignore=("SYM",))).findings] == ["OUT101"]
    assert not diagnose(faulty, Choice(layers={"0": ("SYM101",)})).findings
    known = diagnose(faulty, Choice(known=frozenset({("SYM101", "0")})))
    assert not known.findings
    assert known.known == 1


def test_raising():
    found = diagnose(vitals([layer("0", twins=1.0), layer("1")]))
    with pytest.raises(UnhealthyError, match="SYM101 identical-units at 0"):
        found.raise_for("warning")
    diagnose(vitals()).raise_for("info")
    with pytest.raises(FaninError, match="no severity"):
        found.raise_for("fatal")


# The catalogue


def test_every_rule_has_a_page():
    for code, one in RULES.items():
        assert code == one.code
        assert code[:3] in FAMILIES
        page = one.page()
        for part in ("**What it checks.**", "**Why it matters.**", "**Instead.**"):
            assert part in page, (code, part)


def test_names_are_unique():
    assert len({one.name for one in RULES.values()}) == len(RULES)


def test_unknown_codes():
    with pytest.raises(FaninError, match="no rule FWD999"):
        rule("FWD999")
    with pytest.raises(FaninError, match="vanishing-forward-signal"):
        rule("vanishing-forward-signals")
    with pytest.raises(FaninError, match="no rule"):
        matching(("XYZ",))


@pytest.mark.parametrize(
    ("largest", "found"), [(1e-40, ["NUM102"]), (1e-6, []), (0.0, []), (1e7, ["NUM102"])]
)
def test_memory_that_nothing_initialized(largest, found):
    values = spread(largest / 4, largest=largest)
    assert codes(vitals(parameters=[replace(parameter("0.weight"), values=values)])) == found


def test_weights_that_are_no_parameters():
    found = diagnose(vitals(unregistered=("layers[0].weight",))).findings
    assert [(one.code, one.where) for one in found] == [("SET108", "layers[0].weight")]


@pytest.mark.parametrize(
    ("kind", "found"), [("", ["SYM104"]), ("embedding", ["SYM104"]), ("kernel", []), ("bias", [])]
)
def test_slices_that_learn_the_same(kind, found):
    table = parameter("latents", copies=16, kind=kind)
    assert codes(vitals(parameters=[table, parameter("1.weight")])) == found


@pytest.mark.parametrize(("alike", "found"), [(1.0, ["SYM103"]), (0.9, [])])
def test_hidden_units_that_are_one_number(alike, found):
    assert codes(vitals([layer("0"), layer("1", alike=alike), layer("2")])) == found


@pytest.mark.parametrize(
    ("share", "variation", "units", "found"),
    # by chance 40 % of the units, and three standard errors: .26 of 32, .07 of 512
    [
        (0.6, 0.1, 32, []),
        (0.68, 0.1, 32, ["SAT102"]),
        (0.6, 0.1, 512, ["SAT102"]),
        (0.6, 0.5, 32, ["SAT102"]),
    ],
)
def test_units_that_are_dead_by_chance(share, variation, units, found):
    dead = replace(activation(function="relu", dead=share), places=256, units=units)
    assert codes(vitals([layer("0", variation=variation), dead, layer("1")])) == found


def test_one_layer_at_several_places():
    found = diagnose(vitals(repeated=(("0", "2", "4", "6"), ("8", "10")))).findings
    assert [(one.code, one.where, one.severity) for one in found] == [("SYM105", "0", "warning")]
    assert found[0].evidence["paths"] == ["0", "2", "4", "6"]
    assert "at 4 places, and 1 more" in found[0].message


def test_units_that_are_dead_as_all_examples_are_one():
    dead = replace(activation(function="relu", dead=0.6), places=256)
    for similarity, found in ((0.5, ["SAT102"]), (0.9995, [])):
        assert codes(vitals([layer("0", similarity=similarity), dead, layer("1")])) == found


def test_what_differs_between_examples_may_be_gone_where_biases_keep_the_scale():
    layers = [layer(str(n), variation=0.4**n, similarity=1 - 0.1**n) for n in range(9)]
    assert codes(vitals(layers)) == ["FWD103"]
    assert not codes(vitals([replace(one, variation=1.0) for one in layers]))


@pytest.mark.parametrize(("first", "found"), [(1e-6, ["BWD101"]), (1e-1, [])])
def test_gradients_that_shrink_where_those_of_weights_stay(first, found):
    """A weight's gradient is what comes back times what it reads, which may shrink the other way."""
    layers = line(0.3, 8, "backward")
    weights = [parameter(f"{n}.weight", gradient=first ** (1 - n / 7)) for n in range(8)]
    assert codes(vitals(layers, weights)) == found


def test_layers_side_by_side_are_chains_of_their_own():
    """An actor whose head is small, and its critic: gradients do not shrink from one to the other."""
    actor = [layer(f"actor.{n}", gradient=1e-4 * 0.9**n, source=1.0 + n) for n in range(4)]
    critic = [layer(f"critic.{n}", gradient=1.0, source=1.0 + n) for n in range(4)]
    weights = [parameter(f"{one.name}.weight", gradient=one.gradient.scale) for one in (*actor, *critic)]
    assert not codes(vitals([*actor, *critic], weights))
    behind = [replace(one, source=10.0 + n) for n, one in enumerate(critic)]
    assert codes(vitals([*actor, *behind], weights)) == ["BWD101"]


@pytest.mark.parametrize(
    ("low", "high", "found"), [(0.0, 1.0, []), (-1.0, 1.0, ["INP107"]), (0.0, 255.0, ["INP107"])]
)
def test_targets_that_are_no_probabilities(low, high, found):
    output = Output(spread(0.5), (32, 1), 0.7, "binary_cross_entropy", layer="1", variation=1.0)
    target = Target(classes=2, entropy=0.69, low=low, high=high)
    assert codes(vitals(output=output, target=target)) == found


@pytest.mark.parametrize(("gradient", "found"), [(1e3, []), (1e6, ["BWD104"])])
def test_huge_gradients(gradient, found):
    parameters = [parameter("0.weight", gradient=gradient), parameter("1.weight")]
    assert codes(vitals(parameters=parameters)) == found


@pytest.mark.parametrize(("source", "found"), [(1000.0, ["INP101"]), (0.6, [])])
def test_integers_that_are_multiplied(source, found):
    layers = [layer("0", 300.0 if found else 1.0, source=source), layer("1")]
    ids = Input("0", (32, 20), spread(0.0, mean=1000.0), tokens=True)
    assert codes(vitals(layers, inputs=(ids,))) == found


@pytest.mark.parametrize(("stream", "severity"), [(50.0, "error"), (1.0, "info")])
def test_a_norm_in_a_branch_leaves_the_stream_as_it_is(stream, severity):
    layers = [layer("0", 50.0), layer("norm", kind="norm"), layer("1"), layer("block", stream, kind="other")]
    found = vitals([*layers, layer("2")], inputs=(Input("0", (32, 3, 8, 8), spread(100.0)),))
    assert codes(found, severity) == ["INP101"]


@pytest.mark.parametrize(
    ("entropy", "examples", "loss", "found"),
    [
        (0.4, 64, 0.69, ["OUT103"]),
        (0.4, 64, 0.45, []),  # a bias knows it already
        (0.57, 16, 0.69, []),  # by chance: 2 n times that is 4, the mean and 3 standard deviations are 5.2
        (0.57, 64, 0.69, ["OUT103"]),
        (0.65, 999, 0.69, []),
    ],
)
def test_uneven_classes(entropy, examples, loss, found):
    output = replace(vitals().output, kind="binary_cross_entropy", loss=loss, values=spread(0.1))
    biased = [parameter("0.weight"), parameter("1.weight"), parameter("1.bias", shape=(1,))]
    target = Target(classes=2, entropy=entropy)
    assert codes(vitals(parameters=biased, output=output, target=target, examples=examples)) == found


def test_small_inputs_that_weights_read():
    """A matrix of neighbours beside features: nothing multiplies it with weights."""
    read, beside = (Input(name, (32, 32), spread(sd), None, 0.0) for name, sd in (("0", 1.0), ("1", 0.03)))
    layers = [layer("0", source=1.0), layer("1", source=1.1)]
    assert not codes(vitals(layers, inputs=(read, beside)))
    assert codes(vitals([replace(layers[0], source=0.03), layers[1]], inputs=(read, beside))) == ["INP103"]


def test_one_number_an_example_has_no_direction():
    layers = [layer(str(n), sd=0.7**n, similarity=1.0 if n == 6 else 0.3, variation=0.4) for n in range(8)]
    assert codes(vitals(layers)) == ["FWD103"]
    layers[6] = replace(layers[6], shape=(32, 1), units=1)
    assert not codes(vitals(layers))


def test_layers_that_are_called_again_are_no_short_chain():
    """A network that is called a second time, for its derivatives, say."""
    once = [layer(str(n), gradient=1.0, source=1.0 + n) for n in range(3)]
    again = [layer(f"{n}#2", gradient=1e-4, source=1.0 + n) for n in range(3)]
    weights = [parameter(f"{n}.weight") for n in range(3)]
    assert not codes(vitals([*once, *again], weights))


@pytest.mark.parametrize(("few", "found"), [(1, ["SAT101", "BWD101"]), (5, ["SAT101"])])
def test_gradients_that_vanish_beside_a_few_saturated_layers(few, found):
    def between(number):
        one = activation(function="sigmoid", saturated=0.6 if number < few else 0.0)
        return replace(one, name=f"act{number}")

    weighted = line(0.1, 8, "backward")
    weights = [parameter(f"{one.name}.weight", gradient=one.gradient.scale) for one in weighted]
    layers = [one for n, each in enumerate(weighted) for one in (each, between(n))]
    assert codes(vitals(layers, weights)) == found


@pytest.mark.parametrize(
    ("factor", "last", "found"), [(0.05, 0.1, ["BWD101"]), (0.1, 1.0, []), (0.5, 1e-3, [])]
)
def test_gradients_of_a_few_layers_that_vanish_steeply(factor, last, found):
    """A small last layer makes all gradients before it small, and those alike."""
    norms = [last * factor**2, last * factor, last, 1.0]
    layers = [layer(str(n), gradient=norm) for n, norm in enumerate(norms)]
    parameters = [parameter(f"{n}.weight", gradient=norm) for n, norm in enumerate(norms)]
    assert codes(vitals(layers, parameters)) == found


@pytest.mark.parametrize(
    ("entropy", "found"), [(0.1, ["SAT104"]), (0.29, ["SAT104"]), (0.31, []), (None, [])]
)
def test_attention_that_looks_at_one_key(entropy, found):
    layers = [layer("0"), layer("attn", kind="attention", entropy=entropy), layer("1")]
    assert codes(vitals(layers)) == found


@pytest.mark.parametrize(
    ("rate", "values", "found"),
    [
        (0.5, 64, []),
        (0.98, 64, []),
        (0.99, 64, ["SAT106"]),
        (1.0, 64, ["SAT106"]),
        (0.9, 1, []),
        (1.0, 1, ["SAT106"]),
    ],
)
def test_dropout_that_leaves_nothing(rate, values, found):
    assert codes(vitals(dropped=(Dropped("drop", rate, values),))) == found


@pytest.mark.parametrize(
    ("steps", "of", "severity"),
    [(7, 200, "warning"), (8, 200, "info"), (99, 200, "info"), (100, 200, None), (7, 14, None)],
)
def test_steps_that_are_felt(steps, of, severity):
    found = vitals([layer("0", kind="recurrent", felt=Felt(steps, of)), layer("1")])
    assert [(one.code, one.severity) for one in diagnose(found).findings] == (
        [("BWD105", severity)] if severity else []
    )


@pytest.mark.parametrize(
    ("function", "share", "found"),
    [("tanh", 0.6, ["SAT101"]), ("tanh", 0.4, []), ("sigmoid", 0.99, [])],
)
def test_the_end_of_a_model_may_be_a_prior_but_no_saturated_tanh(function, share, found):
    end = layer("end", kind="activation", function=function, saturated=share)
    output = Output(spread(0.5), (32, 10), 0.4, "mse", layer="1", ends_in=function, variation=1.0)
    shown = vitals([layer("0"), layer("1"), end], output=output, target=Target(variance=0.4))
    assert codes(shown) == found
    assert not codes(shown, "error")


@pytest.mark.parametrize(("source", "found"), [(1.0, []), (0.004, ["INP103"]), (None, [])])
def test_models_that_divide_their_input_once_more(source, found):
    """As a layer of rescaling does behind a loader that has divided pixels, too."""
    first = layer("0", source=source)
    assert codes(vitals([first, layer("1")])) == found
    several = tuple(Input(name, (32, 20), spread(1.0), (1.0, 1.0)) for name in "01")
    assert not codes(vitals([first, layer("1")], inputs=several))
    assert not codes(vitals([first, layer("norm", kind="norm"), layer("1")]))
