"""Flax Linen: what a model consists of shows when it is called, abstractly: nothing is computed."""
