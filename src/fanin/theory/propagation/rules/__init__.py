"""What each op does to signals, and how gradients go back through it: one small file an op."""
