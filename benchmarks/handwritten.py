"""The same study as a specialist would write it by hand for this one model; prints its times.

Keras' stateless API, vmapped in chunks of four by `lax.map`, scanned over epochs and steps, spread over
the CPU's devices by `shard_map`, the order of the batches precomputed. It checks nothing and keeps nothing.
"""

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "jax"

import jax

jax.config.update("jax_num_cpu_devices", 2)

import jax.numpy as jnp
import keras
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from fanin.experiments.tasks import load_task
from fanin.frameworks.keras.mlp import mlp

EPOCHS, BATCH, CHUNK = 10, 32, 4
SCHEMES = ("zeros", "random_normal", "glorot_normal", "he_normal")

data = load_task("seed").data
seeds = int(sys.argv[1])
began = time.perf_counter()

model = mlp(20, 1, "sigmoid")("zeros")
optimizer = keras.optimizers.Adam()
optimizer.build(model.trainable_variables)
loss_of, accuracy_of = keras.losses.BinaryCrossentropy(), keras.metrics.binary_accuracy
x, y, x_test, y_test = (jnp.asarray(a) for a in (data.x_train, data.y_train, data.x_test, data.y_test))
y, y_test = y[:, None], y_test[:, None]


def loss(weights, rows):
    return loss_of(y[rows], model.stateless_call(weights, [], x[rows], training=True)[0])


def step(state, rows):
    weights, slots = state
    value, gradients = jax.value_and_grad(loss)(weights, rows)
    return optimizer.stateless_apply(slots, gradients, weights), value


def epoch(state, order):
    state, losses = jax.lax.scan(step, state, order)
    predicted = model.stateless_call(state[0], [], x_test, training=False)[0]
    return state, (losses.mean(), loss_of(y_test, predicted), accuracy_of(y_test, predicted).mean())


def train(run):
    weights, order = run
    slots = [v.value for v in optimizer.variables]
    return jax.lax.scan(epoch, (weights, slots), order)[1]


def many(runs):
    return jax.lax.map(train, runs, batch_size=CHUNK)


spread = PartitionSpec("runs")
mesh = jax.make_mesh((2,), ("runs",), axis_types=(AxisType.Auto,))
program = jax.jit(jax.shard_map(many, mesh=mesh, in_specs=spread, out_specs=spread, check_vma=False))


def first_weights(scheme, seed):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        sd = {
            "zeros": 0.0,
            "random_normal": 0.05,
            "glorot_normal": (2 / sum(shape)) ** 0.5,
            "he_normal": (2 / shape[0]) ** 0.5,
        }[scheme]
        yield np.float32(sd if len(shape) > 1 else 0.0) * rng.standard_normal(shape, np.float32)


def order_of(seed):
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(len(x)) for _ in range(EPOCHS)]).reshape(EPOCHS, -1, BATCH)


grid = [(scheme, seed) for seed in range(seeds) for scheme in SCHEMES]
weights = [np.stack(column) for column in zip(*(first_weights(*run) for run in grid), strict=True)]
runs = (weights, np.stack([order_of(seed) for _, seed in grid]))
compiled = program.lower(runs).compile()
ready = time.perf_counter()
jax.block_until_ready(compiled(runs))
done = time.perf_counter()
numbers = {"runs": len(grid), "seconds": done - began, "compiled": (done - ready) / len(grid)}
print(json.dumps(numbers))
