"""A training run at work: its steps, its checkpoints, and what is told of it."""
