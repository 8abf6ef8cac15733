"""One folder a framework, each with the same files; imported only when its framework is used."""
