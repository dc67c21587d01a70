"""Answers without references: single questions, files of them, and files for benchmarks."""
