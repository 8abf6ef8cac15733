"""Layers from arrays: their names, their axes, and the twins among their units."""

import numpy as np

from fanin.frameworks.vitals.layers import Seen, axes_like, layer_of, layers_of, where_of

RANDOM = np.random.default_rng(0)


def test_names_of_second_calls():
    value = np.ones((2, 3), "float32")
    seen = [Seen("a", "Dense", "weights", value), Seen("a", "Dense", "activation", value, function="relu")]
    found = layers_of([*seen, *seen, Seen("b", "Dense", "weights", value)])
    assert [layer.name for layer in found] == ["a", "a", "a#2", "a#2", "b"]


def test_axes_of_activations():
    conv = Seen("c", "Conv", "weights", np.ones((2, 8, 5, 5), "float32"), axes=(1,))
    assert axes_like((2, 8, 5, 5), [conv]) == (1,)
    assert axes_like((2, 5, 5, 8), [conv]) == (-1,)
    assert axes_like((2, 8, 5), [conv], usual=1) == (1,)


def test_twins_need_equal_gradients():
    value, back = (RANDOM.normal(size=(30, 4)).astype("float32") for _ in range(2))
    weight = RANDOM.normal(size=(6, 4)).astype("float32")
    value[:, 2], weight[:, 2] = value[:, 0], weight[:, 0]
    seen = Seen("a", "Dense", "weights", value, back, weight=weight, weight_axes=(1,))
    assert (layer_of(seen).twins, layer_of(seen).alike) == (0.0, 0.5)
    back[:, 2] = back[:, 0]
    assert layer_of(seen).twins == 0.5


def test_where_nothing_goes_through_weights_decide():
    nothing = np.zeros((30, 4), "float32")
    weight = RANDOM.normal(size=(6, 4)).astype("float32")
    seen = Seen("a", "Dense", "weights", nothing, nothing, weight=weight, weight_axes=(1,))
    assert layer_of(seen).twins == 0.0
    same = Seen("a", "Dense", "weights", nothing, nothing, weight=np.zeros_like(weight), weight_axes=(1,))
    assert layer_of(same).twins == 1.0


def test_attention_has_an_entropy():
    equal = np.full((2, 4, 5), 0.2, "float32")
    layer = layer_of(Seen("a", "MHA", "attention", equal, attention=equal))
    assert abs(layer.entropy - 1) < 1e-5


def test_where_classes_are_written():
    assert where_of(type("Made", (), {})).line == 0
    assert where_of(Seen).file.endswith("layers.py")
