"""What of an adapter or a model goes to a hub, and its card as it stands there."""
