"""Metrics of longer answers, from image captioning."""
