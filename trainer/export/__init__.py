"""``trainer export``: a BLIP as ONNX graphs, checked against the original."""
