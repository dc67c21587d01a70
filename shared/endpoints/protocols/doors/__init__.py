"""Gemini's two doors: the developer API's, which opens to keys, and Google Cloud's, to tokens."""
