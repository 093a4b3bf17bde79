"""From run to production: model, export, latency, card, gate. Neither MLflow nor IPython."""
