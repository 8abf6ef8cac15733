"""A diagnosis as text, HTML, SARIF and annotations, made from its record."""
