"""What a campaign asks about, and in which order."""
