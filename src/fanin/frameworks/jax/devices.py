"""The devices that runs are spread over."""

from __future__ import annotations

import contextlib
import os

import jax


def use_all_cores() -> None:
    """Give JAX one CPU device a core, so that runs train side by side.

    It works before JAX has started its backend; afterwards the devices stay as they are. Accelerators
    are not touched.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", cores)


def is_cpu() -> bool:
    """Return whether JAX computes on CPUs."""
    return jax.default_backend() == "cpu"
