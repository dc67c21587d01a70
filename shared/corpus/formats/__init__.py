"""Question/answer data in the forms that people have them."""
