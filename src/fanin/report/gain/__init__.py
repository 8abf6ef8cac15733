"""The gain of an activation as text and HTML."""
