"""Graphs for LiteRT, whose converter lives in an environment of its own."""
