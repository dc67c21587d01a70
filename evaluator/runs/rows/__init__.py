"""Which rows a run scores, and what of them the model has seen before."""
