"""The state of a training on disk, and the way back to it."""
