"""Reads truth and prediction of each task from the forms that people have them in."""
