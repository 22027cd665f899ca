"""A program in a terminal of its own, typed to and read as a person would.

    with Terminal("console", env=env) as terminal:
        terminal.expect("> ")
        terminal.type("1 + 1\\n")
        terminal.expect("2")
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from painda import BINARY, PATIENCE

PIECES = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[=>]|(.)", re.S)


class Screen:
    """What a terminal without end at the bottom shows; it knows what libedit uses of a vt100."""

    def __init__(self):
        self.rows, self.row, self.column = [""], 0, 0

    def write(self, text):
        for parameters, command, character in PIECES.findall(text):
            count = int(parameters) if parameters.isdigit() else 1
            if character:
                self._put(character)
            elif command == "C":
                self.column += count
            elif command == "D":
                self.column = max(0, self.column - count)
            elif command == "A":
                self.row = max(0, self.row - count)
            elif command == "H":
                self.row, self.column = 0, 0
            elif command == "K":
                self.rows[self.row] = self.rows[self.row][: self.column]
            elif command == "J":
                del self.rows[self.row + 1 :]
                self.rows[self.row] = self.rows[self.row][: self.column]

    def _put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append("")
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character >= " ":
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
            self.column += 1


class Terminal:
    def __init__(self, *args, env, columns=100, rows=30):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BINARY, [BINARY, *map(str, args)], {**env, "TERM": "vt100"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = Screen()
        self.decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self.passed = (0, 0)  # row and column up to where expect() has come
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def type(self, text):
        os.write(self.fd, text.encode())

    def interrupt(self):
        self.type("\x03")

    def expect(self, text):
        """Waits until `text` is on the screen, behind what was expected before; returns what was in between."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.ahead():
            shown = "\n".join(self.screen.rows[-40:])
            assert time.monotonic() < deadline, f"no {text!r} in\n{shown}"
            assert self._read(deadline - time.monotonic()), f"it ended without {text!r}:\n{shown}"
        before = self.ahead().partition(text)[0]
        lines = (before + text).split("\n")
        row, column = self.passed
        self.passed = (row + len(lines) - 1, len(lines[-1]) + (column if len(lines) == 1 else 0))
        return before

    def ahead(self):
        """What is on the screen and was not passed yet."""
        row, column = self.passed
        return "\n".join([self.screen.rows[row][column:], *self.screen.rows[row + 1 :]])

    def _read(self, patience):
        if not select.select([self.fd], [], [], max(patience, 0))[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.screen.write(self.decoder.decode(data))
        return bool(data)

    def wait(self):
        """Waits for the end; returns the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline - time.monotonic()):
            assert time.monotonic() < deadline, f"it does not end: {self.ahead()}"
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status
