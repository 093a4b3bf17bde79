"""Oriented object detection: boxes that are turned, compared by their common area."""
