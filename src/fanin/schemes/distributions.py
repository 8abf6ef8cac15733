"""Distributions as data: what a parameter is drawn from, printable and comparable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """Every value the same."""

    value: float


@dataclass(frozen=True)
class Normal:
    """Normal with a mean and a standard deviation."""

    mean: float
    sd: float


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal(mean, sd) conditioned on mean + sd * [low, high]."""

    mean: float
    sd: float
    low: float = -2.0
    high: float = 2.0


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high)."""

    low: float
    high: float


@dataclass(frozen=True)
class Orthogonal:
    """gain times a Haar-uniform (semi-)orthogonal matrix of shape (everything else, last axis)."""

    gain: float = 1.0


@dataclass(frozen=True)
class Identity:
    """gain times a (partial) identity matrix."""

    gain: float = 1.0


Distribution = Constant | Normal | TruncatedNormal | Uniform | Orthogonal | Identity
