import keras
import numpy as np
import pytest

from fanin.frameworks.keras.inventory import inventory

layers = keras.layers


def found(model):
    return {parameter.name: parameter for parameter in inventory(model).parameters}


def with_role(model, role):
    return [name for name, parameter in found(model).items() if role in parameter.roles]


def resnet(stages=(8, 16), blocks=2):
    def convolution(x, width, *, stride=1, size=3):
        x = layers.Conv2D(width, size, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((8, 8, 3))
    x = layers.ReLU()(convolution(inputs, stages[0]))
    for width in stages:
        for place in range(blocks):
            stride = 2 if place == 0 and width != stages[0] else 1
            shortcut = x if x.shape[-1] == width else convolution(x, width, stride=stride, size=1)
            branch = convolution(layers.ReLU()(convolution(x, width, stride=stride)), width)
            x = layers.ReLU()(layers.Add()([shortcut, branch]))
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def test_a_small_resnet():
    model = resnet()
    kernels = [p for p in inventory(model).parameters if p.kind == "kernel"]
    # stem, 2 + 2 convolutions, 3 + 2 with the projection, head
    assert [p.block for p in kernels] == [None, 0, 0, 1, 1, *[2] * 3, 3, 3, None]
    assert {p.blocks for p in kernels} == {0, 4}
    assert [p.roles for p in kernels].count(("residual_out",)) == 4
    assert len(with_role(model, "residual_norm")) == 4
    assert all(name.endswith("gamma") for name in with_role(model, "residual_norm"))
    assert with_role(model, "head") == ["dense/kernel"]
    assert with_role(model, "head_bias") == ["dense/bias"]
    projection = next(p for p in kernels if p.shape[:2] == (1, 1))
    assert (projection.roles, projection.branch, projection.block) == (("shortcut",), 1, 2)
    assert {p.branch for p in kernels if p.block is not None and p is not projection} == {2}
    assert {p.branches for p in kernels} == {4}


def transformer(count=3, *, pre_norm=True):
    def branch(x, step):
        out = layers.Dropout(0.1)(step(layers.LayerNormalization()(x) if pre_norm else x))
        return x + out if pre_norm else layers.LayerNormalization()(layers.Add()([x, out]))

    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(30, 8)(inputs)
    for _ in range(count):
        attention = layers.MultiHeadAttention(2, 4)
        wide, narrow = layers.Dense(32, activation="gelu"), layers.Dense(8)
        x = branch(x, lambda x, attention=attention: attention(x, x))
        x = branch(x, lambda x, wide=wide, narrow=narrow: narrow(wide(x)))
    return keras.Model(inputs, layers.Dense(30)(layers.LayerNormalization()(x)))


@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_small_transformer(pre_norm):
    model = transformer(pre_norm=pre_norm)
    kernels = {name: p for name, p in found(model).items() if p.kind == "kernel"}
    for place, name in enumerate(["dense", "dense_2", "dense_4"]):
        assert (kernels[f"{name}/kernel"].block, kernels[f"{name}/kernel"].blocks) == (place, 3)
    assert with_role(model, "residual_out") == [
        f"{name}/kernel"
        for i in ("", "_1", "_2")
        for name in (f"multi_head_attention{i}/attention_output", f"dense_{2 * int(i[1:] or 0) + 1}")
    ]
    assert with_role(model, "head") == ["dense_6/kernel"]
    starts = {p.stream for p in kernels.values() if "residual_out" in p.roles}
    assert starts == {"embedding" if pre_norm else ""}  # what the stream is before it is normalized
    assert kernels["multi_head_attention_1/query/kernel"].inputs == "norm"
    assert kernels["multi_head_attention_1/query/kernel"].heads == 2
    assert kernels["dense_1/kernel"].inputs == "gelu"
    assert kernels["multi_head_attention/attention_output/kernel"].roles == ("attention_out", "residual_out")


def test_resnet50_of_keras():
    model = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), include_top=True)
    expected = [f"conv{stage}_block{n}" for stage, count in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True)
                for n in range(1, count + 1)]  # fmt: skip
    assert with_role(model, "residual_out") == [f"{block}_3_conv/kernel" for block in expected]
    assert with_role(model, "residual_norm") == [f"{block}_3_bn/gamma" for block in expected]
    assert with_role(model, "head") == ["predictions/kernel"]
    parameters = found(model)
    for place, block in enumerate(expected):
        kernels = [p for name, p in parameters.items() if name.startswith(f"{block}_") and p.kind == "kernel"]
        assert {(p.block, p.blocks) for p in kernels} == {(place, 16)}
    assert parameters["conv1_conv/kernel"].block is None
    assert parameters["conv1_conv/kernel"].inputs == "data"


def test_a_model_around_another_one_sees_its_branches():
    inputs = keras.Input((8, 8, 3))
    backbone = keras.Model(*(lambda m: (m.inputs, m.layers[-3].output))(resnet()))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(backbone(inputs))))
    assert len(with_role(model, "residual_out")) == 4
    (head,) = with_role(model, "head")
    assert found(model)[head].shape == (16, 2)


class Block(layers.Layer):
    """A layer of layers, whose calls are not seen."""

    def __init__(self, width=8):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, width // 2)
        self.fc1 = layers.Dense(2 * width, activation="relu")
        self.fc2 = layers.Dense(width)

    def call(self, x):
        x = x + self.attention(x, x)
        return x + self.fc2(self.fc1(x))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.table = layers.Embedding(9, 8)
        self.blocks = [Block() for _ in range(3)]
        self.out = layers.Dense(9)

    def call(self, x):
        x = self.table(x)
        for block in self.blocks:
            x = block(x)
        return self.out(x)


def functional():
    inputs = x = keras.Input((4, 8))
    for _ in range(3):
        x = Block()(x)
    return keras.Model(inputs, layers.Dense(9)(x))


@pytest.mark.parametrize("make", [functional, Subclassed])
def test_layers_of_layers_are_blocks_and_names_tell_their_roles(make):
    model = make()
    if make is Subclassed:
        model(np.zeros((1, 4), "int32"))
    inner = [p for name, p in found(model).items() if "block" in name and p.kind == "kernel"]
    assert [p.block for p in inner] == [place for place in range(3) for _ in range(6)]
    assert {p.blocks for p in inner} == {3}
    assert len(with_role(model, "residual_out")) == 6
    (head,), (bias,) = with_role(model, "head"), with_role(model, "head_bias")
    assert (found(model)[head].shape, found(model)[bias].shape) == ((8, 9), (9,))
    assert found(model)[bias].kernel.name == head
    assert {p.inputs for p in inner} == {""}  # which of them reads the block's inputs is not known


def test_sums_that_are_no_residual_branches():
    inputs = keras.Input((4,))
    sides = [layers.Dense(4)(layers.Dense(4, activation="relu")(inputs)) for _ in range(2)]
    model = keras.Model(inputs, layers.Dense(1)(layers.Add()(sides)))
    assert with_role(model, "residual_out") == []
    assert {p.block for p in inventory(model).parameters} == {None}


def test_a_branch_that_is_scaled_and_one_that_is_gated():
    inputs = keras.Input((4,))
    x = inputs + 0.1 * layers.Dense(4)(inputs)
    gate = layers.Dense(4, activation="sigmoid")(x)
    model = keras.Model(inputs, x + layers.Dense(4)(gate * x))
    assert with_role(model, "residual_out") == ["dense/kernel", "dense_2/kernel"]
    kernels = found(model)
    assert kernels["dense/kernel"].branch == 1
    assert kernels["dense_2/kernel"].branch == 0  # no chain of layers


def test_the_outputs_of_a_model_have_a_head_each():
    inputs = keras.Input((4,))
    x = layers.Dense(3, activation="relu")(inputs)
    model = keras.Model(inputs, [layers.Dense(1)(x), layers.Softmax()(layers.Dense(2)(x)), x])
    assert with_role(model, "head") == ["dense/kernel", "dense_1/kernel", "dense_2/kernel"]


def test_a_recurrent_layer_at_the_end_is_no_head():
    model = keras.Sequential([keras.Input((3, 2)), layers.LSTM(4)])
    assert with_role(model, "head") == []
    model = keras.Sequential(
        [
            keras.Input((3, 2)),
            layers.LSTM(4, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    assert with_role(model, "head") == ["sequential/time_distributed/dense/kernel"]
    assert with_role(model, "head_bias") == ["sequential/time_distributed/dense/bias"]
