"""The targets of the Makefile."""

from __future__ import annotations

import re

from tools.docs_tables.__main__ import REPOSITORY

TARGETS = frozenset(re.findall(r"^([a-z][\w-]*):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
