"""The signals of a model as text, HTML and charts, and predicted ones beside measured ones."""
