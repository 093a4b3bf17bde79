"""The package is one of small files: each has one idea, and is read at one sitting."""

from __future__ import annotations

from pathlib import Path

import cvtrack_magics

PACKAGE = Path(cvtrack_magics.__file__).parent
FRONT_END = PACKAGE / "display" / "frontend"  # with what npm put there
MOST = 350


def test_no_file_is_over_its_measure() -> None:
    """A longer one is cut by what it owns: see docs/architecture.md."""
    files = [path for path in PACKAGE.rglob("*.py") if FRONT_END not in path.parents]
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in files}
    assert len(lines) > 100
    assert not {str(p.relative_to(PACKAGE)): n for p, n in lines.items() if n > MOST}
