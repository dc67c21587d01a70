"""The model module: loading, adapters, preprocessing, and inference that encodes images once.

Each family of models has its own subpackage or module. Tensor names carry their shape: N images,
B questions, C channels, H height, W width, L image tokens (class token included), T text tokens,
D hidden size, V vocabulary.
"""
