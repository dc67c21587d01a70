"""A model as the judge of answers: asked by a rubric, each case once, and held against people."""
