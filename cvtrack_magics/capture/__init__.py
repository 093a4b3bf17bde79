"""Describes what surrounds a run, as records; knows neither MLflow nor IPython."""
