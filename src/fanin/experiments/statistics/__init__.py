"""Statistics of scores, (schemes, seeds) arrays in which larger is better and -inf is a failed run."""
