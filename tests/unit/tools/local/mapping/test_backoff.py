from __future__ import annotations

import random

from tools.local.mapping.mapping import Backoff


def test_waits_grow_to_the_cap_with_jitter() -> None:
    backoff = Backoff(cap=5.0, random=random.Random(1))
    for failures, longest in [(1, 0.1), (2, 0.2), (5, 1.6), (7, 5.0), (1000, 5.0)]:
        waits = [backoff.seconds(failures) for _ in range(100)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
