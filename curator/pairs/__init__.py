"""What becomes of pairs that are kept: files of them, a second look, a second opinion."""
