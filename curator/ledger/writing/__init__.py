"""How attempts and results get into the ledger: many in one transaction."""
