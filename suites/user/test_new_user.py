"""Every command of README and docs/index.md succeeds, one after the other, in an empty folder.

Two studies that train for minutes are left to the benchmark itself.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONG = "sparseflow-wide-resnet,sparseflow-tost"


def test_every_command_that_a_new_user_reads_succeeds():
    command = [sys.executable, ROOT / "benchmarks" / "new_user.py", "--here", f"--without={LONG}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^│ (sparseflow-\S+).*?│ +(\d+) +│", done.stdout, re.MULTILINE)
    assert len(rows) > 6 and {status for _, status in rows} == {"0"}
