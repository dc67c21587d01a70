"""Who can be asked: one file for each protocol, behind one interface."""
