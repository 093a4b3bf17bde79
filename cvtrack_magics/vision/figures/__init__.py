"""Drawing the figures of an evaluation with Matplotlib."""

from cvtrack_magics.moved import names_of

__getattr__ = names_of(__name__)
