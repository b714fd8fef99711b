"""``python -m tablecopy_cli`` is ``tablecopy``."""

import sys

from tablecopy_cli.app import main

sys.exit(main())
