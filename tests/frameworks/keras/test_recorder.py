import keras
import numpy as np

from fanin.frameworks.keras.recorder import recording


def test_births_are_recorded_with_their_initializers():
    mine = keras.initializers.HeNormal()
    with recording(draw=True) as record:
        layer = keras.layers.Dense(3, kernel_initializer=mine, bias_initializer="ones")
        layer.build((None, 4))
    assert record.of(layer.kernel).initializer is mine
    assert isinstance(record.of(layer.bias).initializer, keras.initializers.Ones)
    assert not record.of(layer.kernel).assigned


def test_without_drawing_constants_keep_their_values_and_random_weights_are_zero():
    with recording(draw=False):
        layer = keras.layers.Dense(
            3, kernel_initializer="he_normal", bias_initializer=keras.initializers.Constant(2)
        )
        layer.build((None, 4))
        norm = keras.layers.BatchNormalization()
        norm.build((None, 4))
    np.testing.assert_array_equal(layer.kernel, np.zeros((4, 3)))
    np.testing.assert_array_equal(layer.bias, np.full(3, 2))
    np.testing.assert_array_equal(norm.moving_variance, np.ones(4))


def test_an_initializer_of_the_users_runs_in_any_case():
    with recording(draw=False) as record:
        variable = keras.Variable(lambda shape, dtype=None: keras.ops.full(shape, 5, dtype), shape=(2,))
    np.testing.assert_array_equal(variable, [5, 5])
    assert record.of(variable).initializer is not None


def test_what_is_overwritten_is_known():
    with recording(draw=True) as record:
        layer = keras.layers.Dense(3)
        layer.build((None, 4))
        layer.set_weights([np.ones((4, 3)), np.zeros(3)])
        other = keras.layers.Dense(3)
        other.build((None, 4))
    assert record.of(layer.kernel).assigned
    assert not record.of(other.kernel).assigned


def test_keras_is_as_before_afterwards():
    before = dict(vars(keras.Variable))
    try:
        with recording(draw=False):
            raise RuntimeError
    except RuntimeError:
        pass
    assert dict(vars(keras.Variable)) == before


def test_a_variable_from_elsewhere_counts_as_given():
    outside = keras.Variable(np.ones(2))
    with recording(draw=True) as record:
        pass
    assert record.of(outside).initializer is None
