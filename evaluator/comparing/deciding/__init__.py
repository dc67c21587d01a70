"""What a comparison decides: whether a change may go out, and how many pictures tell."""
