"""Studies with a known truth, and how often what is claimed about them holds."""
