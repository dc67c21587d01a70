"""Fewer bits where they matter least: sensitivities, a plan under a budget, and what it keeps.

Shapes, besides those of ``shared.vqa.packed``: L parts of a model.
"""
