"""What of each family of models becomes graphs, and what a bundle says for answering with them."""
