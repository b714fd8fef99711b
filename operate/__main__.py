"""``python -m operate`` is ``tablecopy``."""

import sys

from operate.cli import main

sys.exit(main())
