"""Two runs or more: what differs between them, and how sure that is."""
