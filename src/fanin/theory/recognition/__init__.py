"""Attention, norms, softmax, pools and activations that a graph has in pieces, found again."""

from fanin.theory.recognition.recognize import recognize

__all__ = ["recognize"]
