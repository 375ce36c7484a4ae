"""Reads cases.txt and runs it with a client.

A client gives `connect(who)`, which answers an object with `batch(text)` and `close()`. A batch
gives a list of result sets, each a list of rows of texts (None for NULL), or raises `SqlError`.
"""

import datetime
import pathlib
import sys
import traceback
import uuid

# Database, user and password of whoever cases.txt names.
LOGINS = {
    "admin": ("orders", "sqladmin", "Made-up-admin-1"),
    "master": ("master", "sqladmin", "Made-up-admin-1"),
    "app": ("orders", "orders_app", "Made-up-app-1"),
}


class SqlError(Exception):
    """What the server said. `line` is None where the client does not tell."""

    def __init__(self, number, state=None, severity=None, line=None, message=""):
        super().__init__(f"error {number}, state {state}, severity {severity}, line {line}: {message}")
        self.number, self.state, self.severity, self.line = number, state, severity, line


class Step:
    def __init__(self, who, start):
        self.who, self.start = who, start
        self.batches, self.sets, self.error = [[]], [], None

    def take(self, line):
        if line.startswith("-> "):
            if not self.sets:
                self.sets.append([])
            self.sets[-1].append([cell.strip() for cell in line[3:].split(" | ")])
        elif line == "=>":
            self.sets = self.sets or [[]]
            self.sets.append([])
        elif line.startswith("!! "):
            self.error = [int(word) for word in line[3:].split()]
        elif line == "GO":
            self.batches.append([])
        else:
            self.batches[-1].append(line)


def read():
    cases = []
    step = None
    lines = (pathlib.Path(__file__).parent / "cases.txt").read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("== "):
            cases.append((line[3:], []))
            step = None
        elif line.startswith("as ") and cases:
            step = Step(line[3:], number)
            cases[-1][1].append(step)
        elif step:
            step.take(line)
    return cases


def text(cell):
    """A value as cases.txt writes it."""
    if cell is None:
        return "NULL"
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, (bytes, bytearray)):
        return "0x" + bytes(cell).hex().upper()
    if isinstance(cell, uuid.UUID):
        return str(cell).upper()
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)


def same(found, wanted):
    return len(found) == len(wanted) and all(w in ("?", text(f)) for f, w in zip(found, wanted))


def run_step(connect, step):
    connection = connect(step.who)
    try:
        for batch in step.batches[:-1]:
            connection.batch("\n".join(batch))
        try:
            sets = connection.batch("\n".join(step.batches[-1]).rstrip("\n"))
        except SqlError as error:
            if step.error is None or error.number != step.error[0]:
                raise
            if len(step.error) > 1 and error.line is not None:
                assert error.line == step.error[1], f"{error} is not in line {step.error[1]}"
            return
    finally:
        connection.close()
    assert step.error is None, f"error {step.error} did not come; got {sets}"
    # A client may leave out results without columns; nothing here has empty columns.
    assert len(sets) == len(step.sets), f"{len(sets)} result sets: {sets}"
    for found, wanted in zip(sets, step.sets):
        right = len(found) == len(wanted) and all(map(same, found, wanted))
        assert right, f"\n    wanted {wanted}\n    found  {[[text(c) for c in row] for row in found]}"


class Report:
    def __init__(self):
        self.failed = self.passed = 0

    def check(self, title, work):
        try:
            work()
            self.passed += 1
        except Exception as error:
            self.failed += 1
            print(f"  not ok: {title}: {type(error).__name__}: {error}", flush=True)
            if not isinstance(error, (AssertionError, SqlError)):
                print("    " + traceback.format_exc().strip().split("\n")[-3].strip(), flush=True)

    def shared(self, connect):
        self.shared_by(lambda step: run_step(connect, step))

    def shared_by(self, run):
        for title, steps in read():
            for step in steps:
                self.check(f"{title} (cases.txt:{step.start})", lambda step=step: run(step))

    def end(self, what):
        print(f"  {what}: {self.passed} ok, {self.failed} not ok", flush=True)
        sys.exit(1 if self.failed else 0)


def refused(work, *numbers):
    """Work must end in an error with one of these numbers, and with state 1."""
    try:
        work()
    except SqlError as error:
        assert error.number in numbers, f"{error}, not {numbers}"
        assert error.state in (None, 1), f"state {error.state}, not 1"
        return
    raise AssertionError(f"{numbers} did not come")
