"""Why runs differ, and whether one is better: what was recorded of them, side by side."""
