"""Files: written whole or not at all, and held by one process."""
