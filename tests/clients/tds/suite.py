"""TDS clients: FreeTDS' tsql, pymssql, python-tds and tedious, with what `cases.txt` says and each
with what only it can do.

Usage: suite.py [freetds | pymssql | python-tds | tedious]…

`requirements.txt` has the Python clients, `package.json` tedious; tsql comes from Debian's
`freetds-bin`. A client that cannot be had is skipped, loudly. Each gets an emulator of its own, so
that none sees what another has left.
"""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import packages  # noqa: E402
from stage import Stage  # noqa: E402

TENANT = "0c0ffee0-0000-4000-8000-0000000000ff"
# Applications of estate.seed, and the variables that their tokens go into.
APPLICATIONS = {
    "ADMIN_TOKEN": ("0c0ffee0-0000-4000-8000-0000000000b1", "made-up-platform-secret"),
    "API_TOKEN": ("00112233-4455-6677-8899-aabbccddeeff", "made-up-api-secret"),
    "STRANGER_TOKEN": ("0c0ffee0-0000-4000-8000-0000000000d1", "made-up-stranger-secret"),
}
# Seconds; a client that hangs has failed.
LIMIT = 120


def freetds():
    if shutil.which("tsql") is None:
        if shutil.which("apt-get") is None:
            raise packages.Missing("tsql is not installed and there is no apt-get to get it.")
        root = [] if os.getuid() == 0 else ["sudo", "-n"]
        packages.ask([*root, "apt-get", "update", "-qq"], "the list of packages")
        install = ["install", "-y", "-qq", "--no-install-recommends", "freetds-bin"]
        packages.ask([*root, "apt-get", *install], "freetds-bin")
    return [sys.executable, HERE / "with_freetds.py"], {}


def python(script):
    interpreter = packages.python(HERE / "requirements.txt", packages.ROOT / "target" / "clients" / "tds")
    return [interpreter, HERE / script], {}


def tedious():
    folder = packages.node(HERE / "package.json", packages.ROOT / "target" / "clients" / "tds-node")
    return ["node", HERE / "with_tedious.js"], {"NODE_PATH": str(folder / "node_modules")}


CLIENTS = {
    "freetds": freetds,
    "pymssql": lambda: python("with_pymssql.py"),
    "python-tds": lambda: python("with_pytds.py"),
    "tedious": tedious,
}


def token(stage, client, secret):
    """A token by client secret, from a host name that need not resolve."""
    where = urllib.parse.urlsplit(stage.authority)
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
        "scope": "https://database.windows.net/.default",
    }
    context = ssl.create_default_context(cafile=stage.ca)
    connection = http.client.HTTPSConnection(where.hostname, where.port, context=context)
    plain = socket.create_connection(("127.0.0.1", where.port))
    connection.sock = context.wrap_socket(plain, server_hostname=where.hostname)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", f"/{TENANT}/oauth2/v2.0/token", urllib.parse.urlencode(form), headers)
    return json.loads(connection.getresponse().read())["access_token"]


def run(client):
    command, environment = CLIENTS[client]()
    with Stage(HERE / "estate.seed") as stage:
        environment = {**os.environ, **environment, "CA": stage.ca, "SQL_PORT": str(stage.cloud["sqlPort"])}
        for name, (application, secret) in APPLICATIONS.items():
            environment[name] = token(stage, application, secret)
        return subprocess.run(command, env=environment, timeout=LIMIT).returncode == 0


def main(names):
    unknown = [name for name in names if name not in CLIENTS]
    if unknown:
        sys.exit(f"no such client: {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    failed, skipped = [], False
    for client in names or CLIENTS:
        print(f"== {client}", flush=True)
        try:
            held = run(client)
        except packages.Missing as missing:
            print(f"!!!! SKIPPED: {client}; NOTHING of it was tested. {missing}", flush=True)
            skipped = True
            continue
        except subprocess.TimeoutExpired:
            print(f"  {client} took longer than it may", flush=True)
            held = False
        if not held:
            failed.append(client)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    sys.exit(packages.SKIPPED if skipped else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
