"""The metrics: what the score of an answer is."""
