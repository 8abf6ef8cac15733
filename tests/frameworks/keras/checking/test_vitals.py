"""What is seen of Keras models: functions inside of layers, losses, masks, blocks, what is frozen."""

import keras
import numpy as np
import pytest
from keras import initializers, layers, ops

import fanin
from fanin import FaninError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 12)).astype("float32")
Y = np.arange(64) % 4


def vitals(model, x=X, y=None, **options):
    return fanin.diagnose(model, x, y, **options).vitals


def kinds(found):
    return [(layer.kind, layer.name, layer.function) for layer in found.layers]


class Own(layers.Layer):
    """Writes its products, its bias and its attention by hand."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 3 * shape[-1]), name="w")
        self.b = self.add_weight(shape=(3 * shape[-1],), name="b")
        self.out = self.add_weight(shape=(shape[-1], shape[-1]), name="out")

    def call(self, x):
        q, k, v = ops.split(ops.add(ops.matmul(x, self.w), self.b), 3, -1)
        weights = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1))) / 3)
        return ops.einsum("btd,ed->bte", ops.matmul(weights, v), self.out)


class Block(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.norm, self.own = layers.LayerNormalization(), Own()

    def build(self, shape):
        self.norm.build(shape)
        self.own.build(shape)

    def call(self, x):
        return x + self.own(self.norm(x))


def test_functions_inside_of_the_users_layers():
    x = keras.Input((9, 6))
    h = x
    for _ in range(3):
        h = Block()(h)
    model = keras.Model(x, ops.relu(layers.Dense(2)(h)))
    data = RANDOM.normal(size=(8, 9, 6)).astype("float32")
    found = vitals(model, data)
    assert kinds(found)[5:10] == [
        ("norm", "block_1/layer_normalization", ""),
        ("weights", "block_1/own", ""),
        ("attention", "block_1/own", ""),
        ("weights", "block_1/own#2", ""),
        ("other", "block_1", ""),
    ]
    assert kinds(found)[-2:] == [("weights", "dense", ""), ("activation", "Functional", "relu")]
    assert found.output.ends_in == "relu"
    block = model.layers[1]
    product = block.norm(data) @ block.own.w + block.own.b
    assert found.layers[1].output.scale == pytest.approx(float(ops.sqrt(ops.mean(product**2))), rel=1e-4)
    assert found.layers[1].source == pytest.approx(float(ops.sqrt(ops.mean(block.norm(data) ** 2))), rel=1e-4)
    assert found.layers[-3].where.file == __file__


def test_masks_stay():
    ids = RANDOM.integers(0, 3, (32, 9))
    table = layers.Embedding(3, 5, mask_zero=True)
    model = keras.Sequential([keras.Input((9,), dtype="int32"), table, layers.LSTM(4), layers.Dense(1)])
    found = vitals(model, ids, RANDOM.normal(size=32), loss="mse")
    assert found.output.values.sd == pytest.approx(float(ops.std(model(ids))), rel=1e-4)
    assert kinds(found)[1][2] == "tanh"
    assert found.inputs[0].tokens


def test_what_is_frozen():
    model = keras.Sequential([keras.Input((12,)), layers.Dense(8, trainable=False), layers.Dense(4)])
    found = vitals(model, y=Y, loss="cross_entropy")
    assert [one.trained for one in found.parameters] == [True, True, False, False]
    assert [one.gradient is None for one in found.parameters] == [False, False, True, True]
    assert found.layers[0].gradient is not None


def test_what_is_not_reached():
    x = keras.Input((12,))
    cut, kept = layers.Dense(4, name="cut"), layers.Dense(4, name="kept")
    model = keras.Model(x, kept(x) + ops.stop_gradient(cut(x)))
    found = vitals(model, y=Y, loss="cross_entropy")
    assert {one.layer: one.gradient is None for one in found.parameters} == {"cut": True, "kept": False}


def head(activation=None, units=4):
    return keras.Sequential([keras.Input((12,)), layers.Dense(units, activation=activation)])


SPARSE = keras.losses.SparseCategoricalCrossentropy
HOT = np.eye(4, dtype="float32")[Y]


@pytest.mark.parametrize(
    ("activation", "loss", "y", "kind", "logits"),
    [
        ("softmax", "sparse_categorical_crossentropy", Y, "cross_entropy", False),
        ("softmax", keras.losses.CategoricalCrossentropy(), HOT, "cross_entropy", False),
        (None, SPARSE(from_logits=True), Y, "cross_entropy", True),
        (None, "cross_entropy", Y, "cross_entropy", True),
        (None, "cross_entropy", HOT, "cross_entropy", True),
        ("sigmoid", "binary_crossentropy", HOT, "binary_cross_entropy", False),
        (None, keras.losses.BinaryCrossentropy(from_logits=True), HOT, "binary_cross_entropy", True),
        (None, "binary_cross_entropy", HOT, "binary_cross_entropy", True),
        (None, "mse", HOT, "mse", True),
        (None, keras.losses.MeanSquaredError(), HOT, "mse", True),
        (None, "mean_absolute_error", HOT, "other", True),
        (None, lambda true, made: ops.abs(true - made), HOT, "other", True),
    ],
)
def test_kinds_of_losses(activation, loss, y, kind, logits):
    model = head(activation)
    found = vitals(model, y=y, loss=loss)
    assert (found.output.kind, found.output.logits) == (kind, logits)
    assert found.output.ends_in == (activation or "")
    assert found.target is not None
    if not isinstance(loss, str) or "_entropy" not in loss:
        model.compile("sgd", loss)
        assert found.output.loss == pytest.approx(model.evaluate(X, y, 64, verbose=0), rel=1e-4)


def test_the_compiled_loss():
    model = head("softmax")
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    assert vitals(model, y=Y).output.kind == "cross_entropy"
    assert vitals(model, y=HOT, loss="mse").output.kind == "mse"
    assert vitals(head()).output.kind == "none"


def test_several_outputs():
    x = keras.Input((12,))
    one = layers.Dense(4, activation="softmax", name="classes")(x)
    model = keras.Model(x, [layers.Dense(1, name="number")(x), one])
    targets = [X[:, :1], Y]
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.5, 2.0])
    whole = float(model.evaluate(X, targets, 64, verbose=0, return_dict=True)["loss"])
    found = vitals(model, y=targets)
    assert found.output.loss == pytest.approx(whole, rel=1e-4)
    assert (found.output.kind, found.output.shape) == ("mse", (64, 1))
    named = vitals(model, y={"classes": Y}, loss={"classes": "sparse_categorical_crossentropy"})
    assert (named.output.kind, named.output.shape) == ("cross_entropy", (64, 4))


class Adding(layers.Layer):
    def call(self, x):
        self.add_loss(ops.mean(x**2))
        return x


def test_losses_that_layers_add():
    model = keras.Sequential([keras.Input((12,)), layers.Dense(4), Adding()])
    found = vitals(model)
    assert found.output.kind == "other"
    assert found.output.loss == pytest.approx(float(ops.mean(model(X) ** 2)), rel=1e-4)


def test_inputs_by_name_and_in_order():
    one, other = keras.Input((12,), name="one"), keras.Input((12,), name="other")
    model = keras.Model([one, other], layers.Dense(2)(one) + layers.Dense(2)(other))
    for x in ((X, 5 * X), [X, 5 * X], {"one": X, "other": 5 * X}):
        found = vitals(model, x)
        assert {given.name: round(given.values.sd) for given in found.inputs} == {"one": 1, "other": 5}
        assert found.weighted[1].source == pytest.approx(5 * found.weighted[0].source, rel=1e-3)


def test_described_inputs():
    found = fanin.diagnose(head(), inputs=(8, 12), loss="mse").vitals
    assert found.inputs[0].described
    assert found.examples == 8
    words = keras.Sequential([keras.Input((7,), dtype="int32"), layers.Embedding(50, 4), layers.Dense(50)])
    found = fanin.diagnose(words, inputs="4x7:tokens", loss="cross_entropy").vitals
    assert found.inputs[0].values.largest < 50
    assert found.target.classes == 50


def test_mixed_precision():
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(8, activation="tanh", dtype="mixed_bfloat16"),
            layers.Dense(4, dtype="mixed_bfloat16"),
        ]
    )
    found = vitals(model, y=Y, loss="cross_entropy")
    assert found.dtype == "float32"
    assert found.layers[0].output.scale == pytest.approx(
        float(np.sqrt(np.mean((X @ model.get_weights()[0]) ** 2))), rel=2e-2
    )


def test_errors():
    with pytest.raises(FaninError, match="is not built") as error:
        vitals(keras.Sequential([layers.Dense(3)]))
    assert "model.build((None, 12))" in error.value.fix
    with pytest.raises(FaninError, match="There is no loss 'hing'"):
        vitals(head(), y=Y, loss="hing")
    with pytest.raises(FaninError, match="no loss"):
        vitals(head(), y=Y, loss=3)
    with pytest.raises(FaninError, match="There are no targets"):
        vitals(head(), loss="mae")
    with pytest.raises(FaninError, match="fails: "):
        vitals(head(), RANDOM.normal(size=(5, 7)).astype("float32"))
    with pytest.raises(FaninError, match="does not depend"):
        vitals(head(), y=Y, loss=lambda true, made: ops.stop_gradient(made))


class Parts(keras.Model):
    def __init__(self):
        super().__init__()
        self.one, self.other = layers.Dense(4), layers.Dense(4)

    def call(self, x, training=False):
        return self.other(self.one(x)) if training else self.one(x)


def test_layers_that_are_not_built():
    with pytest.raises(FaninError, match=r"^parts\S* is not built"):
        vitals(Parts())
    built = Parts()
    built(X)  # without the other layer, which is for training
    with pytest.raises(
        FaninError, match=r"^dense\S* is not built: its variables have no values yet."
    ) as error:
        vitals(built)
    assert error.value.fix == "call the model once on a batch, as in training"
    assert not built.other.built
    built(X, training=True)
    assert [layer.kind for layer in vitals(built).layers] == ["weights", "weights"]


def test_a_layer_that_is_never_called_needs_no_variables():
    model = Parts()
    model.other = layers.Identity()
    model.third = layers.Dense(5)
    model(X)
    assert [layer.kind for layer in vitals(model).layers] == ["weights"]
    assert not model.third.built


def test_networks_born_dead():
    def make():
        model = head("relu", 1)
        model.set_weights([np.zeros((12, 1)), np.random.choice([-1.0, 1.0], 1)])  # noqa: NPY002
        return model

    assert 0 < vitals(make, y=np.full((64, 1), 3.0), loss="mse", seeds=5).born_dead < 1


@pytest.mark.parametrize("loss", ["mse", "mae", keras.losses.Huber()])
def test_targets_of_other_columns(loss):
    model = keras.Sequential([keras.Input((12,)), layers.Dense(8, "relu"), layers.Dense(1)])
    codes = [
        [one.code for one in fanin.diagnose(model, X, y, loss=loss).findings]
        for y in (RANDOM.normal(size=(64, 7)), RANDOM.normal(size=64), RANDOM.normal(size=(64, 1)))
    ]
    assert codes == [["INP106"], [], []]


def test_labels_that_are_no_classes():
    def codes(y, ignored=None):
        model = keras.Sequential([keras.Input((12,)), layers.Dense(4, "softmax")])
        loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=ignored)
        found = fanin.diagnose(model, X, y, loss=loss)
        return [one.code for one in found.findings if one.severity != "info"]

    assert codes(Y) == []
    assert codes(Y + 1) == codes(Y - 1) == ["INP107"]
    assert codes(np.where(Y == 2, -1, Y), -1) == []


def test_a_loss_that_is_not_known_is_compared_with_that_of_zeros():
    def absolute(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), -1)

    y = RANDOM.normal(size=(64, 4))
    assert vitals(head(), y=y, loss=absolute).output.zero == pytest.approx(np.abs(y).mean(), rel=1e-5)
    assert vitals(head(), y=y, loss="mse").output.zero is None
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(4, kernel_initializer=initializers.RandomNormal(0, 20))]
    )
    assert fanin.diagnose(model, X, y, loss=absolute).findings[0].code == "OUT101"


def test_rows_of_zeros_in_the_place_of_classes():
    found = fanin.diagnose(head("softmax"), X, np.zeros((64, 4)), loss="categorical_crossentropy")
    assert [(one.code, one.severity) for one in found.findings] == [("INP109", "error")]
