"""What is told about a campaign: on a terminal, as JSON, on a page."""
