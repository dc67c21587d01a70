"""What is read of a ledger page by page."""
