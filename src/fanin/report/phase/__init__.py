"""Mean field theory of an activation as text, HTML and charts."""
