"""Bazel itself reads the BUILD file."""

import shutil
import subprocess

import pytest

from tests.test_build import ROOT, targets


@pytest.mark.skipif(shutil.which("bazel") is None, reason="Bazel is not installed; apt install bazel-bootstrap")
def test_bazel_reads_every_target_without_a_network(tmp_path):
    command = ["bazel", "--batch", f"--output_user_root={tmp_path}", "query", "//..."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {f"//:{name}" for name in [*targets(), "checkout"]}
