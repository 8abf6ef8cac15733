"""Diagnoses that were made up, of the shapes that models have."""

import math

from fanin.rules.diagnosis import Diagnosis
from fanin.rules.finding import SEVERITIES, Finding, Fix
from fanin.rules.vitals import Input, Layer, Output, Parameter, Source, Spread, Target, Vitals

RULES = [
    "NUM101",
    "SET101",
    "SET103",
    "INP101",
    "SYM101",
    "SAT101",
    "SAT104",
    "FWD101",
    "FWD102",
    "RES101",
    "OUT101",
    "OUT103",
    "BWD101",
    "BWD103",
]
AUTO = Fix('fanin.initialize(model, "auto", inputs=...)', scheme="auto")


def spread(scale):
    """Return the moments of a tensor without a mean; None where none arrives."""
    return None if scale is None else Spread(0.0, scale, 3 * scale, math.isfinite(scale))


def layer(name, output=1.0, gradient=1e-3, *, kind="weights", type_="Linear", shape=(64, 32), **more):
    more = {"units": shape[-1], "places": shape[0], **more}
    return Layer(name, type_, kind, shape, spread(output), gradient=spread(gradient), **more)


def weight(name, *, zero=(0.0,), shape=(32, 32)):
    return Parameter(name, shape, name.rpartition(".")[0], Spread(0.0, 0.1, 0.4), gradient=1e-3, zero=zero)


def finding(code="FWD101", name="vanishing-forward-signal", severity="error", where="0", **more):
    told = {
        "message": f"What {name.replace('-', ' ')} is about: 0.41 a layer.",
        "observed": 0.41,
        "expected": "0.8 to 1.25 a layer",
        "fix": AUTO,
    }
    return Finding(code, name, severity, where, **(told | more))


def diagnosis(layers, findings=(), *, parameters=(), known=0, **more):
    told = {
        "model": "Net",
        "framework": "torch",
        "output": Output(Spread(0.0, 0.5, 2.0), (64, 10), 2.31, "cross_entropy", layer="8"),
        "target": Target(10, 2.3),
        "inputs": (Input("0", (64, 32), Spread(0.0, 1.0, 3.0)),),
        "examples": 64,
    }
    vitals = Vitals(layers=tuple(layers), parameters=tuple(parameters), **(told | more))
    ordered = sorted(findings, key=lambda one: SEVERITIES.index(one.severity))
    return Diagnosis(vitals, tuple(ordered), tuple(RULES), known, seconds=0.12)


def mlp(depth=5, factor=0.4, findings=(), **more):
    """Return the diagnosis of linear layers with ReLUs between them."""
    layers, weights = [], []
    for place in range(depth):
        output, gradient = factor**place, 1e-2 * factor ** (depth - 1 - place)
        layers.append(layer(str(2 * place), output, gradient, similarity=0.3))
        weights.append(weight(f"{2 * place}.weight"))
        if place < depth - 1:
            relu = {"kind": "activation", "type_": "ReLU", "function": "relu"}
            layers.append(layer(str(2 * place + 1), output / 2, gradient * 2, **relu))
    return diagnosis(layers, findings, parameters=weights, **more)


def vanishing():
    """Return a diagnosis with one cause, and what follows from it."""
    follows = (
        finding("BWD101", "vanishing-gradient", where="0"),
        finding("BWD103", "tiny-gradient", where="2.weight"),
    )
    names = [str(2 * place) for place in range(5)]
    return mlp(findings=[finding(consequences=follows, evidence={"layers": names, "total": math.inf})])


def several():
    """Return a diagnosis with findings of every severity, at layers, parameters and inputs."""
    tanh = {"kind": "activation", "type_": "Tanh", "function": "tanh"}
    layers = [
        layer("read", 247.0, 0.0, type_="Conv2d", shape=(64, 8, 14, 14), twins=1.0),
        layer("act", 0.99, 0.0, saturated=0.73, shape=(64, 8, 14, 14), **tanh),
        layer("gate", 0.0, 0.0),
        layer("gate", 0.0, 0.2, kind="activation", type_="Gated", function="relu", dead=1.0),
        layer("mix", 0.5, 1e-4, kind="attention", type_="Gated", entropy=0.05),
        layer("mix", math.inf, 1e-4, kind="norm", type_="Gated"),
        layer("head", 0.5, 0.02),
    ]
    long = (
        "A message that is long enough to be folded, as some of them are, with a number: 5.71e+03, and more."
    )
    findings = [
        finding("OUT103", "class-prior", "info", "head", fix=None, expected=""),
        finding("INP101", "unscaled-input", "error", "input 0", message=long, fix=Fix(long, inputs=True)),
        finding("SAT101", "saturated-units", "error", "act", evidence={"layers": {"act": 0.73}}),
        finding("SET103", "stuck-zeros", "warning", "gate.weight"),
        finding("SAT104", "focused-attention", "warning", "mix"),
    ]
    weights = [weight("gate.weight", zero=(1.0, 1.0, 1.0, 1.0)), weight("head.weight")]
    return diagnosis(layers, findings, parameters=weights)


def blocks(count=12, findings=()):
    """Return the diagnosis of a transformer."""
    layers = [layer("embed", type_="Embedding", kind="other", shape=(4, 64, 32))]
    for place in range(count):
        scale = 1.1**place
        layers += [
            layer(f"h.{place}.norm", 1.0, 1 / scale, kind="norm", type_="LayerNorm"),
            layer(f"h.{place}.up", 0.6 + place / 100, 1 / scale),
            layer(f"h.{place}", 0.3, 1 / scale, kind="activation", type_="Block", function="gelu"),
            layer(f"h.{place}.down", 0.2, 1 / scale),
            layer(f"h.{place}", scale, 1 / scale, kind="other", type_="Block"),
        ]
    return diagnosis([*layers, layer("head", 0.4, 0.9)], findings, model="Transformer")


def unmade():
    """Return the diagnosis of a model that could not run."""
    found = finding("SET101", "unmade-parameters", where="first.weight", expected="values")
    nothing = Output(Spread(0.0, 0.0, 0.0), ())
    notes = ("nothing was run: parameters have no values",)
    return diagnosis([], [found], output=nothing, target=None, notes=notes)


EVIL = '</script><script>document.title="x"</script><b>\x1b[31m\n::error::%0A,'


def evil():
    """Return a diagnosis in which every text is an attack."""
    found = finding(
        where=EVIL,
        message=EVIL,
        expected=EVIL,
        fix=Fix(EVIL),
        source=Source(f"/project/{EVIL}", 7),
        consequences=(finding(where=EVIL, message=EVIL),),
    )
    return diagnosis([layer(EVIL, type_=EVIL)], [found], model=EVIL, notes=(EVIL,))
