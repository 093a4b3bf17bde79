"""Anomaly detection: a score for each picture, a map for each pixel."""
