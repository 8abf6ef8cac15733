import keras

from fanin.frameworks.keras.graph import Graph

layers = keras.layers


def kinds(graph):
    return [type(value.operation).__name__ for value in graph.values]


def test_models_inside_are_gone_through():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.ReLU()])
    inputs = keras.Input((4,))
    x = inner(layers.Dense(4)(inputs))
    graph = Graph(keras.Model(inputs, x + inputs))
    assert kinds(graph) == ["NoneType", "Dense", "Dense", "ReLU", "Add"]
    first, dense, inside, relu, total = graph.values
    assert graph.outputs == [total]
    assert inside.inputs == (dense,)
    assert total.inputs == (relu, first)
    assert inside.comes_from(first)
    assert not dense.comes_from(inside)


def test_a_model_that_is_called_twice_is_there_twice():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    inputs = keras.Input((4,))
    graph = Graph(keras.Model(inputs, inner(inner(inputs))))
    assert kinds(graph) == ["NoneType", "Dense", "Dense"]
    assert graph.values[1].operation is graph.values[2].operation


def test_several_inputs_and_outputs_are_told_apart():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    heads = {"p": layers.Dense(1)(a), "q": layers.Dense(1)(layers.Concatenate()([a, b]))}
    graph = Graph(keras.Model({"a": a, "b": b}, heads))
    p, q = graph.outputs
    assert len(p.inputs) == 1
    assert len(q.inputs[0].inputs) == 2


def test_other_models_have_no_graph():
    class Own(keras.Model):
        def call(self, x):
            return x

    assert Graph(Own()).values == []
    assert Graph(keras.Sequential([layers.Dense(1)])).values == []  # not built
