"""Languages, as the rules know them: data, what follows from it, and how texts fall into words."""
