"""Fails early, with what to do, where the program under test isn't there."""
import os

import pytest

from painda import BINARY


def pytest_sessionstart(session):
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is missing; scripts/build makes it", returncode=1)
