"""The model module: BLIP for VQA, its adapters, and inference that encodes each image once.

Tensor names carry their shape: N images, B questions, C channels, H height, W width,
L image tokens (class token included), T text tokens, D hidden size, V vocabulary.
"""
