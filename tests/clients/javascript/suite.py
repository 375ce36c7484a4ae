"""The JavaScript SDK: @azure/arm-apimanagement with @azure/identity, under node's own test runner."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stage import Stage

HERE = Path(__file__).resolve().parent


def main():
    # Modules are found from where a file lies, so the tests go to where the packages are.
    modules = Path(os.environ["CLIENT_MODULES"])
    tests = [shutil.copy(test, modules) for test in sorted(HERE.glob("*.test.mjs"))]
    with Stage() as stage:
        command = ["node", "--test", "--test-reporter", "spec", *tests]
        return subprocess.run(command, env=stage.environment(), cwd=modules).returncode


if __name__ == "__main__":
    sys.exit(main())
