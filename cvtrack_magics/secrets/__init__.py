"""Finds secrets in text and masks them, before anything is recorded."""

from cvtrack_magics.secrets.escape import printable
from cvtrack_magics.secrets.masker import Masked, Masker
from cvtrack_magics.secrets.names import looks_secret

__all__ = ["Masked", "Masker", "looks_secret", "printable"]
