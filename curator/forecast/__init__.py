"""When a campaign ends and what it costs."""
