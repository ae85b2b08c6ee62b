"""The recipes of docs/cluster.md, run with stand-ins for srun, ssh and the launcher: each shard is started once.

Every other block of shell and YAML in README and docs is read by its own parser.
"""

import os
import re
import subprocess

import pytest
import yaml

from tests import processes
from tests.test_docs import PAGES, ROOT

CLUSTER = ROOT / "docs" / "cluster.md"


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


SHELL = [(page, block) for page in PAGES for block in blocks(page, "bash") + blocks(page, "sh")]
YAML = [(page, block) for page in PAGES for block in blocks(page, "ya?ml")]


def the_block(language, text):
    """Returns the block of the page on clusters that holds a text."""
    (block,) = [block for block in blocks(CLUSTER, language) if text in block]
    return block


@pytest.mark.parametrize(("page", "block"), SHELL, ids=lambda value: getattr(value, "stem", ""))
def test_blocks_of_shell_can_be_parsed(page, block):
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, f"{page}: {done.stderr}"


@pytest.mark.parametrize(("page", "block"), YAML, ids=lambda value: getattr(value, "stem", ""))
def test_blocks_of_yaml_can_be_parsed(page, block):
    assert isinstance(yaml.safe_load(block), dict), page


STARTERS = {
    "srun": 'exec "$@"',
    "ssh": 'shift; exec sh -c "$*\nwait"',
    "nohup": 'exec "$@"',
    "sparseflow-scsdc": 'echo "$*" >> "$CALLS"',
    "python": 'echo "$*" >> "$CALLS"',
}
"""Stand-ins: they start what they are told to, ssh with what it leaves running, or write down their arguments."""


def started(folder, block, **environment):
    """Runs a block of shell; returns the arguments with which it has started the launcher, each time."""
    for name in ("programs", "shared/code", "shared/runs"):
        (folder / name).mkdir(parents=True)
    for name, does in STARTERS.items():
        path = folder / "programs" / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)
    calls, programs = folder / "calls", f"{folder / 'programs'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", block.replace("/shared", str(folder / "shared")) + "\nwait"],
        cwd=folder,
        env={**os.environ, **environment, "PATH": programs, "CALLS": str(calls)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [line.split() for line in calls.read_text().splitlines()]


def check_shards(calls, count):
    """Asserts that each shard is started once, with flags that the launcher takes."""
    shards = sorted(word for call in calls for word in call if word.startswith("--shard="))
    assert shards == [f"--shard={i}/{count}" for i in range(count)]
    flags = [word for word in calls[0] if word.startswith("--")]
    done = processes.run(ROOT / "launchers" / "scsdc.py", *flags, "--only_check_args", cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_slurm_array_starts_each_shard_once(tmp_path):
    block = the_block("bash", "#SBATCH")
    (array,) = re.findall(r"^#SBATCH --array=0-(\d+)$", block, re.MULTILINE)
    assert block.startswith("#!/bin/bash\n#SBATCH"), "directives stand before the first command"
    count, calls = int(array) + 1, []
    for task in range(count):
        folder = tmp_path / str(task)
        calls += started(folder, block, SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_COUNT=str(count))
    check_shards(calls, count)


def test_several_machines_over_ssh_start_each_shard_once(tmp_path):
    block = the_block("bash", "ssh ")
    (hosts,) = re.findall(r"^hosts=\((.*)\)$", block, re.MULTILINE)
    check_shards(started(tmp_path, block), len(hosts.split()))


def test_several_gpus_by_hand_start_each_shard_once(tmp_path):
    check_shards(started(tmp_path, the_block("bash", "CUDA_VISIBLE_DEVICES")), 4)


def test_a_kubernetes_job_starts_each_shard_once(tmp_path):
    job = yaml.safe_load(the_block("yaml", "kind: Job"))
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert job["apiVersion"] == "batch/v1" and spec["completionMode"] == "Indexed"
    assert pod["restartPolicy"] == "Never", "Kubernetes asks for it where `backoffLimitPerIndex` is given"
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert all(isinstance(variable["value"], str) for variable in container["env"]), "a number is refused"
    shell, option, command = container["command"]
    assert (shell, option) == ("sh", "-c")
    (mount,) = container["volumeMounts"]
    assert f"--runs_dir={mount['mountPath']}" in command
    calls = []
    for index in range(spec["completions"]):
        calls += started(tmp_path / str(index), command, JOB_COMPLETION_INDEX=str(index))
    check_shards(calls, spec["completions"])
