"""Whether an answer agrees with what the listing says; pure."""
