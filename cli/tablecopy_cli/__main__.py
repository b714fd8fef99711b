"""``python -m operate`` is ``tablecopy``."""

import sys

from tablecopy_cli.run.cli import main

sys.exit(main())
