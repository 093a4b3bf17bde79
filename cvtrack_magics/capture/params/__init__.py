"""Parameters, configurations and seeds, as they are recorded."""

from cvtrack_magics.moved import names_of

__getattr__ = names_of(__name__)
