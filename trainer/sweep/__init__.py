"""Trains one recipe with many settings, and says which of them mattered."""
