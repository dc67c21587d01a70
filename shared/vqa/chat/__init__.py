"""Chat models: decoders that read a picture as tokens before a question.

A picture's tokens, and all else that stands before the question, are read once. What a model can
have kept of them is found by what it is able to do, never by its name.
"""
