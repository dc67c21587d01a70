"""Ray, for the parts whose extras ask for it."""
