"""What the curator does with those whom it asks: which models, which keys, and batch jobs."""
