"""Metrics that need the texts alone."""
