"""Canaries: the same questions asked again each quota day, to see if a model is still itself."""
