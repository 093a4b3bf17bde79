"""Training code of other libraries with one line on top, beside the same code without it."""
