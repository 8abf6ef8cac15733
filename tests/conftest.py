"""Settings that must stand before Keras and JAX are imported."""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_NUM_CPU_DEVICES"] = "2"  # so that spreading over devices is tested on any machine
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
