"""Numbers as a function of (seed, name, index): named, independent streams."""
