"""Fails early, with what to do, where the program under test isn't there; ends servers where pytest itself is ended."""
import os
import signal

import pytest

from painda import BINARY


def pytest_sessionstart(session):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unwinds the tests, whose servers end with them
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is missing; scripts/build makes it", returncode=1)
