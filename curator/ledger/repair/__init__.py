"""What can be saved of a damaged ledger: from its pages, and from the log beside it."""
