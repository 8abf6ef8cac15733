"""Does it train: studies, runs, the store, statistics."""
