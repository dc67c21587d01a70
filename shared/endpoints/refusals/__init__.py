"""What a server answers in place of a reply: whose fault it is, and what follows; pure."""
