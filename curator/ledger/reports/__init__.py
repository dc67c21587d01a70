"""What is asked of a ledger as a whole."""
