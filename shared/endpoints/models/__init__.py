"""What is known of models: what they can, cost and count, and until when they answer."""
