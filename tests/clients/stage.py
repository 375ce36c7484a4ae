"""One emulator for one suite: started on free ports with the suite's seed, stopped in any case."""

import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Seconds until it must be listening.
PATIENCE = 30

# Of seed.yaml.
SUBSCRIPTION = "5c1e0f00-0000-4000-8000-00000000ab01"
GROUP = "harbour-rg"
SERVICE = "harbour"
SERVER = "quay"
SERVICE_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.ApiManagement/service/{SERVICE}"
)
# The operator and the group of administrators by object id, the reader by client id.
OPERATOR = "5c1e0f00-0000-4000-8000-0000000000a1"
ADMINS = "5c1e0f00-0000-4000-8000-0000000000a5"
READER = "5c1e0f00-0000-4000-8000-0000000000c2"


def binary():
    named = os.environ.get("KEYLESS")
    candidates = [Path(named)] if named else [ROOT / "target/release/keyless", ROOT / "target/debug/keyless"]
    for candidate in candidates:
        if candidate.exists():
            return str(candidate)
    if named:
        raise SystemExit(f"KEYLESS names {named}, which is not there")
    raise SystemExit("build keyless first (cargo build), or say where it is with KEYLESS")


class Stage:
    """A running emulator and how clients reach it; a context manager."""

    def __init__(self, seed=HERE / "seed.yaml", **values):
        executable = binary()
        # A suite that is asked to end unwinds as after Ctrl-C, and so leaves nothing behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self.kept = tempfile.TemporaryDirectory(prefix="keyless-clients-", ignore_cleanup_errors=True)
        self.folder = Path(self.kept.name)
        seed_file = self.folder / "seed.yaml"
        values = {"retryAfter": "0", "certificate": "", **values}
        seed_file.write_text(Template(seed.read_text()).substitute(values))
        command = [executable, "emulator", "--seed", str(seed_file), "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self):
        """Reads what the emulator prints until it says that it runs."""
        lines = queue.Queue()

        def read():
            for line in self.process.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        said = ""
        while "running;" not in said:
            try:
                line = lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise SystemExit(f"the emulator does not start:\n{said}") from None
            if line is None:
                raise SystemExit(f"the emulator ended:\n{said}")
            said += line
        exported = dict(re.findall(r"export (\w+)=(.*)", said))
        self.tenant = exported["AZURE_TENANT_ID"]
        self.client_id = exported["AZURE_CLIENT_ID"]
        self.secret = exported["AZURE_CLIENT_SECRET"]
        self.control_url = re.search(r"(http://127\.0\.0\.1:\d+)/_emulator", said).group(1)
        self.cloud = json.loads((self.folder / "cloud.json").read_text())
        self.ca = str(self.folder / "ca.pem")
        self.arm = self.cloud["resourceManager"]
        self.authority = self.cloud["authority"]

    def environment(self):
        """What a client's process needs: the CA, and names that lead to loopback."""
        return {
            **os.environ,
            "PYTHONPATH": f"{HERE}:{HERE / 'names'}",
            "NODE_OPTIONS": f"--require {HERE / 'names' / 'names.cjs'}",
            "REQUESTS_CA_BUNDLE": self.ca,
            "SSL_CERT_FILE": self.ca,
            "NODE_EXTRA_CA_CERTS": self.ca,
            "EMULATOR_ARM": self.arm,
            "EMULATOR_AUTHORITY": self.authority,
            "EMULATOR_CONTROL": self.control_url,
            "AZURE_AUTHORITY_HOST": self.authority,
            "AZURE_TENANT_ID": self.tenant,
            "AZURE_CLIENT_ID": self.client_id,
            "AZURE_CLIENT_SECRET": self.secret,
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        }

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.kept.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
