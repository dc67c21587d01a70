"""Metrics that ask a model what answers mean or what is in the picture."""
