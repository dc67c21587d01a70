"""What Google's services say, word for word where that is known."""
