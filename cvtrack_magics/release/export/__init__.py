"""Models are exported, and what was written is compared with the model before it is kept."""

from cvtrack_magics.release.export.facts import Check, Export, Report, Tolerance
from cvtrack_magics.release.export.verified import export, stamped

__all__ = ["Check", "Export", "Report", "Tolerance", "export", "stamped"]
