"""Pairs to be judged on other people's pages, Label Studio's and Argilla's, and what comes back."""
