#!/usr/bin/env python3
"""Runs clients that other people wrote against the emulator, each as its own makers ship it.

Usage: run.py [--full] [SUITE…]

A suite is a folder here: what it installs (`requirements.txt` or `package.json`, exact versions)
and `suite.py`, which starts an emulator of its own and ends with 0 when the client was content,
with 77 when it was and something could not be had.
Without names every suite runs that is not long; `--full` runs the long ones too. A client that
the registry does not give is skipped, loudly, and does not fail the run. The binary is `KEYLESS`,
else target/release/keyless, else target/debug/keyless.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
# The tree stays as it is.
sys.dont_write_bytecode = True

import packages  # noqa: E402

# Suites that are too long for every change.
LONG = {"cli"}
# Seconds; a suite that hangs is a failure.
LIMIT = {"cli": 1500}
# Seconds that a suite has to end when it is asked to.
PATIENCE = 20


def main(arguments):
    # Asked to end, it ends what it has started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    full = "--full" in arguments
    names = [one for one in arguments if one != "--full"]
    known = sorted(path.parent.name for path in HERE.glob("*/suite.py"))
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no such suite: {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = names or [name for name in known if full or name not in LONG]
    outcomes = [(name, *run(name)) for name in chosen]
    print("\nclients:")
    for name, outcome, seconds in outcomes:
        print(f"  {name:12} {outcome} ({seconds:.0f} s)")
    for name in known:
        if name not in chosen and not names:
            print(f"  {name:12} not run; it is long (--full)")
    return 1 if any(outcome == "FAILED" for _, outcome, _ in outcomes) else 0


def run(name):
    begun = time.monotonic()
    print(f"\n==> clients: {name}", flush=True)
    try:
        interpreter, environment = packages.install(HERE / name)
    except packages.Missing as missing:
        print("!" * 78)
        print(f"!! SKIPPED: {name}. {missing}")
        print("!" * 78, flush=True)
        return "SKIPPED", time.monotonic() - begun
    environment = {
        **os.environ,
        **environment,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{HERE}:{HERE / 'names'}",
    }
    status = ended([interpreter, str(HERE / name / "suite.py")], environment, LIMIT.get(name, 240))
    outcome = {0: "held", packages.SKIPPED: "held in part; the rest was SKIPPED"}.get(status, "FAILED")
    return outcome, time.monotonic() - begun


def ended(command, environment, limit):
    """The status of a command; whatever it has started ends with it, also when it is too slow."""
    # A session of its own, so that its whole group can be ended.
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"it took longer than {limit} s", flush=True)
        return 1
    finally:
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=PATIENCE)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
