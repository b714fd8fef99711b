"""A bar that shows how much is done."""

from __future__ import annotations

_BLOCKS = ("█", "░")
_ASCII = ("#", ".")


def bar(done: int, total: int, encoding: str, cells: int = 20) -> str:
    """Draw a bar, rounded down, so that only what is done looks done.

    Parameters
    ----------
    done, total
        How much of how much; ``total`` is positive.
    encoding
        Of the stream that shows the bar; it is drawn with ``#`` where that has no blocks.
    cells
        Characters within the brackets.
    """
    filled = min(cells, cells * done // total)
    full, empty = _BLOCKS if _shows_blocks(encoding) else _ASCII
    return f"[{full * filled}{empty * (cells - filled)}]"


def _shows_blocks(encoding: str) -> bool:
    try:
        "".join(_BLOCKS).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
