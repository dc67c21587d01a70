"""What a process does beside its work, and what it costs: turns of its loop, garbage, memory."""
