"""Training of chat models: several questions of an image in one row, or one in each.

Tensor names beside those of ``shared.vqa``: R rows, S places of a row, P places of what stands
before the question, X axes of a position (1, or 3 with M-RoPE), A answer tokens.
"""
