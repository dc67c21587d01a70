"""Weights rounded to a few bits and packed: the grid, the bits, the layers and the folder.

Shapes, besides those of the package: O outputs, I inputs, G groups of inputs of a row.
"""
