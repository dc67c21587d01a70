"""Evaluator: answers questions with replicas of a model and scores the answers."""
