"""A comparison as text, charts and HTML."""
