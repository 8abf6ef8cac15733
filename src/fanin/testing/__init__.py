"""Contract suites that every store, executor and framework must pass."""
