"""Targets that are all the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.rules.diagnosis import diagnose
from fanin.rules.vitals import Input, Layer, Output, Spread, Target, Vitals

WIDE = Spread(0.0, 1.0, 4.0)


def found(kind, target, *, examples=64, scale=1.0):
    last = Layer("head", "Linear", "weights", (examples, 10), Spread(0.0, scale, 4.0))
    output = Output(WIDE, (examples, 10), 1.0, kind, layer="head")
    given = Input("0", (examples, 20), WIDE, (1.0, 1.0))
    vitals = Vitals("Net", "torch", (last,), (), (given,), output, target, examples=examples)
    return [(one.code, one.severity) for one in diagnose(vitals).findings]


ONE_CLASS = Target(classes=10, constant=True)


@pytest.mark.parametrize(
    ("kind", "target", "severity"),
    [
        ("cross_entropy", ONE_CLASS, "warning"),
        ("cross_entropy", replace(ONE_CLASS, classes=2), "info"),
        ("cross_entropy", Target(classes=10, empty=1.0), "error"),
        ("binary_cross_entropy", Target(classes=2, low=1.0, high=1.0, constant=True), "info"),
        ("mse", Target(mean=3.0, constant=True), "warning"),
        ("mse", Target(mean=-1.0, constant=True), "info"),
    ],
)
def test_how_grave_it_is(kind, target, severity):
    assert found(kind, target) == [("INP109", severity)]


@pytest.mark.parametrize(("examples", "severity"), [(32, "warning"), (31, "info"), (8, "info")])
def test_how_many_examples_show_one_class(examples, severity):
    assert found("cross_entropy", ONE_CLASS, examples=examples) == [("INP109", severity)]


def test_classes_of_which_some_are_masked_or_too_few_tell():
    assert not found("cross_entropy", ONE_CLASS, examples=7)
    assert not found("cross_entropy", Target(classes=10, entropy=2.3, empty=0.9))


def test_what_a_contrastive_loss_compares_is_no_output_of_a_layer():
    assert found("cross_entropy", ONE_CLASS, scale=2.0) == [("INP109", "info")]


def codes(y, loss):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 10))
    return [one.code for one in fanin.diagnose(model, torch.randn(64, 20), y, loss=loss).findings]


LABELS = torch.arange(64) % 10


@pytest.mark.parametrize(
    ("y", "loss", "expected"),
    [
        (LABELS * 0 + 4, "cross_entropy", ["INP109"]),
        (nn.functional.one_hot(LABELS * 0 + 4, 10).float(), "cross_entropy", ["INP109"]),
        (torch.zeros(64, 10), "cross_entropy", ["INP109"]),
        (torch.full((64, 10), 0.3), "mse", ["INP109"]),
        (torch.ones(64, 10), "binary_cross_entropy", ["INP109", "OUT103"]),
        (LABELS, "cross_entropy", []),
        (nn.functional.one_hot(LABELS, 10).float(), "cross_entropy", []),
        (nn.functional.one_hot(LABELS, 10).float() * (LABELS > 4)[:, None], "cross_entropy", []),
    ],
)
def test_networks(y, loss, expected):
    assert codes(y, loss) == expected


def test_what_is_told_of_empty_rows():
    model = nn.Sequential(nn.Linear(20, 10))
    x, y = np.random.default_rng(0).normal(size=(64, 20)), np.zeros((64, 10), "float32")
    (one,) = fanin.diagnose(model, x, y, loss="cross_entropy").findings
    assert "all of them are 0" in one.message
    assert one.consequences[0].code == "SET105"


@pytest.mark.parametrize(
    ("mean", "sd", "severity"),
    [
        (230.0, 78.0, "warning"),
        (23.0, 7.8, None),
        (80.0, 25.0, "info"),
        (0.0, 101.0, "warning"),
        (0.0, 0.005, "error"),  # and the first loss is far off
    ],
)
def test_targets_of_another_scale(mean, sd, severity):
    shown = found("mse", Target(variance=sd**2, mean=mean))
    assert [one for one in shown if one[0] == "INP105"] == ([("INP105", severity)] if severity else [])
