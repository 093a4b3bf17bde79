"""The hot path: log(), the sender, and the series that plots read."""
