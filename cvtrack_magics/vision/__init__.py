"""Arrays in; tiles, figures, task metrics and explanations out. Neither MLflow nor IPython."""
