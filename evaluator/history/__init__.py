"""All runs of a folder: which there are, what changed from one to the next, and who leads."""
