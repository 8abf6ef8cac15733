"""Equinox: modules are pytrees, and a layer's static fields say what its arrays mean."""
