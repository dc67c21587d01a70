"""Keeping what the questions about a picture have in common, and answering them from it."""
