"""The Azure SDK for Python: azure-identity and the management clients of what keyless manages."""

import os
import sys
import unittest
from pathlib import Path

import certificate
from stage import Stage

HERE = Path(__file__).resolve().parent


def main():
    pem, public = certificate.make()
    with Stage(certificate=certificate.as_seed(public)) as stage:
        key = stage.folder / "signer.pem"
        key.write_bytes(pem)
        os.environ.update(stage.environment(), EMULATOR_SIGNER=str(key))
        tests = unittest.defaultTestLoader.discover(str(HERE))
        result = unittest.TextTestRunner(verbosity=2).run(tests)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
