from __future__ import annotations

import pytest

from tests.unit.tablecopy.control.stream.scene import Scene
from tests.unit.tablecopy.fakes import FakeClock


@pytest.fixture
def scene(clock: FakeClock) -> Scene:
    return Scene(clock)
