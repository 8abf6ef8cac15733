"""All random states that a check could disturb."""

import random

import numpy as np
import torch


def seed_all():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


def random_state():
    """Return the states of Python, NumPy and PyTorch as one comparable value."""
    numpy = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpy[1].tolist(), numpy[2:], torch.get_rng_state().tolist()


def contents(state):
    """Return a nested state, such as an optimizer's, as plain data."""
    if isinstance(state, torch.Tensor):
        return state.tolist()
    if isinstance(state, dict):
        return {key: contents(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [contents(value) for value in state]
    return state
