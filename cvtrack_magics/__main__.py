"""``python -m cvtrack_magics`` is ``cvtrack``."""

import sys

from cvtrack_magics.cli import main

sys.exit(main())
