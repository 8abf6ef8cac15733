"""How to initialize: the catalogue of schemes as data."""
