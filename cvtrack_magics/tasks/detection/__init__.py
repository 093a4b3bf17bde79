"""Object detection and instance segmentation: boxes and masks with classes."""
