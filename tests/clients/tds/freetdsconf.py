"""The configuration that FreeTDS reads, for its own `tsql` and for pymssql."""

import os
import pathlib
import tempfile

FOLDER = tempfile.TemporaryDirectory()
FILE = pathlib.Path(FOLDER.name) / "freetds.conf"
SECTION = """
[{name}]
    host = localhost
    port = {port}
    tds version = {version}
    encryption = {encryption}
    ca file = {ca}
    check certificate hostname = yes
    client charset = UTF-8
    text size = 10000000
"""
SERVERS = ("orders-sql", "fenced-sql", "entra-sql", "none")


def write(version="7.4", encryption="require"):
    settings = dict(port=os.environ["SQL_PORT"], ca=os.environ["CA"], version=version, encryption=encryption)
    FILE.write_text("".join(SECTION.format(name=name, **settings) for name in SERVERS))
