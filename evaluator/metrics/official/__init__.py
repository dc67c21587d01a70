"""Metrics as the authors of benchmarks define them, with their own treatment of texts."""
