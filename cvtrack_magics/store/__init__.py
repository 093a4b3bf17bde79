"""The one place that speaks MLflow: turns records into calls and hides its versions."""
