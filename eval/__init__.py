"""Evaluation: question sets, metrics and runs. Nothing imports this package; the command line finds it."""
