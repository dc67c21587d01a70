"""One campaign at work, from the queue to settled items."""
