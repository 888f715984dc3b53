"""Evaluation sets: our own form of question sets, and the public forms that are read."""
