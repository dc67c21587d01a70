"""Options that several commands have: of data and models, of an address, of a judge."""
