"""Installs what a suite asks for into target/clients/, once for each list of versions."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Seconds that a registry may take.
PATIENCE = 600
# The status of a suite that held, but left out what could not be had.
SKIPPED = 77


class Missing(Exception):
    """A client that cannot be had here; the suite is skipped."""


def install(suite):
    """The interpreter for suite.py, and the variables by which the client is found."""
    folder = ROOT / "target" / "clients" / suite.name
    if (suite / "requirements.txt").exists():
        return python(suite / "requirements.txt", folder), {}
    if (suite / "package.json").exists():
        return sys.executable, {"CLIENT_MODULES": str(node(suite / "package.json", folder))}
    return sys.executable, {}


def python(requirements, folder):
    interpreter = folder / "bin" / "python"
    if not is_installed(requirements, folder):
        fresh(folder)
        ask([sys.executable, "-m", "venv", folder], "an environment for Python packages")
        ask([interpreter, "-m", "pip", "install", "--quiet", "-r", requirements], named(requirements))
        note_installed(requirements, folder)
    return str(interpreter)


def node(manifest, folder):
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed.")
    if not is_installed(manifest, folder):
        fresh(folder)
        shutil.copy(manifest, folder / "package.json")
        quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel", "error"]
        ask(["npm", "install", "--prefix", folder, *quiet], named(manifest))
        note_installed(manifest, folder)
    return folder


def named(wanted):
    return f"what {wanted.parent.name}/{wanted.name} names"


def ask(command, wanted):
    """Runs an installer; the last that it says goes to the reader, and only when it fails."""
    try:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"Not to be had within {PATIENCE} s: {wanted}.") from None
    except OSError as error:
        raise Missing(f"{command[0]} cannot be run: {error}.") from None
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"Not to be had: {wanted}. {' '.join(last)}")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def is_installed(wanted, folder):
    stamp = folder / "installed"
    return stamp.exists() and stamp.read_text() == digest(wanted)


def note_installed(wanted, folder):
    (folder / "installed").write_text(digest(wanted))


def digest(wanted):
    return hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()
