"""The `fanin` command in tests: in this process or in one of its own, in a folder with a user's files."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from fanin.cli import main

FANIN = str(Path(sys.executable).with_name("fanin"))

USER = """
import functools
import sys

import keras
import numpy as np
from keras import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
CLASSES = np.arange(40) % 10


def net(initializer, units=1, activation="sigmoid", inputs=5):
    hidden = layers.Dense(4, activation="relu", kernel_initializer=initializer)
    head = layers.Dense(units, activation=activation, kernel_initializer=initializer)
    return keras.Sequential([keras.Input((inputs,)), hidden, head])


def create_model(initializer):
    print("a builder that prints")
    return net(initializer)


def load_data():
    return X, Y, X[:10], Y[:10]
"""

SHORT = {
    "MINE": "compare user.py:create_model SMALL",
    "SMALL": "--data user.py:load_data --schemes zeros,he_normal --seeds 2 --epochs 1 "
    "--loss binary_crossentropy",
    "SPARSE": "--loss sparse_categorical_crossentropy",
}
"""What commands in tests have in common; an option that stands later overrides it."""


def words(command):
    """Return a command line as arguments."""
    for short, long in SHORT.items():
        command = command.replace(short, long)
    return shlex.split(command)


def invoke(command):
    """Run a command in this process, where Keras is loaded already."""
    return CliRunner().invoke(main, words(command), prog_name="fanin")


def start(command, folder, **environment):
    """Start the real command; its output is text in pipes."""
    return subprocess.Popen(
        [FANIN, *words(command)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "", "COLUMNS": "80", **environment},
    )


def run(command, folder, **environment):
    """Run the real command to its end; return its exit code, stdout and stderr."""
    process = start(command, folder, **environment)
    stdout, stderr = process.communicate(timeout=120)
    return process.returncode, stdout, stderr
