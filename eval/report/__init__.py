"""A run as one HTML page that needs nothing but itself: figures, plots, and every question with what came of it."""

from eval.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
