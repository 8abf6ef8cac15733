"""Results as text, HTML and charts, made from plain records (see schema)."""
