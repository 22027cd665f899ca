"""What the tests share: a laboratory for each module that asks for one, and a connection for each test. Fails early, with
what to do, where the program under test isn't there; ends servers where pytest itself is ended."""
import os
import signal

import pytest

from lab import Lab
from painda import BINARY, WebSocket


def pytest_sessionstart(session):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unwinds the tests, whose servers end with them
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is missing; scripts/build makes it", returncode=1)


@pytest.fixture(scope="module")
def lab():
    with Lab() as server:
        yield server


@pytest.fixture
def ws(lab):
    with WebSocket(lab) as socket:
        yield socket


@pytest.fixture
def real_crashes(monkeypatch):
    """A crash ends the server's process as it does without AddressSanitizer, which would report it and exit."""
    options = os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0:handle_sigbus=0:detect_leaks=0"
    monkeypatch.setenv("ASAN_OPTIONS", options)
