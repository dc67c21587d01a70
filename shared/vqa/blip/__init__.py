"""BLIP for VQA: its forward passes apart, inference, and where it looked."""
