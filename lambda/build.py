"""Builds lambda/dist/tablecopy.zip: the same bytes from the same sources, on every machine and Python.

Entries are stored (no compressor's version can show), sorted, and carry a fixed date and mode.

    python lambda/build.py           write the zip
    python lambda/build.py --check   exit 1 if the zip does not match the sources
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

LAMBDA = Path(__file__).resolve().parent
ARCHIVE = LAMBDA / "dist" / "tablecopy.zip"

# The earliest moment that a zip can express.
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_UNIX = 3


def build(root: Path = LAMBDA) -> bytes:
    """The archive of the package below ``root``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted((root / "tablecopy").rglob("*.py"), key=lambda path: path.as_posix()):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _DATE)
            entry.create_system = _UNIX
            entry.external_attr = _MODE
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def main(arguments: list[str]) -> int:
    """Write the archive, or check it."""
    content = build()
    if "--check" in arguments:
        if ARCHIVE.exists() and ARCHIVE.read_bytes() == content:
            return 0
        print(f"{ARCHIVE.name} does not match lambda/tablecopy; run: python lambda/build.py", file=sys.stderr)
        return 1
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    ARCHIVE.write_bytes(content)
    print(f"{ARCHIVE.relative_to(Path.cwd()) if ARCHIVE.is_relative_to(Path.cwd()) else ARCHIVE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
