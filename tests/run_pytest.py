"""Runs the test files that are named, alone in this process: what Bazel's `py_test` starts."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-n0", *sys.argv[1:]]))
