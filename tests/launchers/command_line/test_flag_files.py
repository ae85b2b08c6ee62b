"""Command lines that are kept in files, and read back."""

import pytest

from keras_sparseflow.studies import run_study as run_study_module


@pytest.fixture
def trained(launch, monkeypatch, tmp_path):
    """Runs a launcher of studies with a stand-in for training and reports; returns the study."""
    studies = []
    monkeypatch.setattr(run_study_module, "run_study", lambda study, **how: studies.append((study, how)) or tmp_path)
    monkeypatch.setattr("keras_sparseflow.analysis.report.writing.write_report", lambda folder, **options: folder)

    def run(*arguments):
        done = launch("scsdc", *arguments)
        assert done.returncode == 0, done.stderr
        return studies[-1]

    return run


def test_a_command_line_that_was_kept_gives_the_same_study(trained, tmp_path):
    file = tmp_path / "kept.flags"
    given = ["demo", "--epochs=3", "--variant=NR,BN", "--nodeterministic", "--learning_rate=0.1", "--train_size=none"]
    given += ["--optimizer_options=sgd.momentum=0.9,sgd.nesterov=true", f"--runs_dir={tmp_path}", "--seeds", "0,1"]
    before = trained(*given, f"--write_flagfile={file}")
    assert file.read_text().splitlines() == [
        "demo", "--nodeterministic", "--epochs=3", "--learning_rate=0.1",
        "--optimizer_options=sgd.momentum=0.9,sgd.nesterov=true", f"--runs_dir={tmp_path}", "--seeds=0,1",
        "--train_size=none", "--variant=NR,BN",
    ]  # fmt: skip
    assert trained(f"--flagfile={file}") == before
    changed, _ = trained(f"--flagfile={file}", "--epochs=5")
    assert changed.value("epochs") == 5 and changed.seeds == (0, 1)


def test_nothing_is_kept_where_the_command_line_is_only_checked(launch, tmp_path):
    file = tmp_path / "kept.flags"
    launch("check", "--only_check_args", f"--write_flagfile={file}", str(tmp_path))
    assert not file.exists()


def test_flags_of_one_call_are_not_kept(launch, tmp_path):
    file = tmp_path / "kept.flags"
    done = launch("scsdc", "--seeds=0", "--dry_run", f"--write_flagfile={file}", f"--runs_dir={tmp_path}")
    assert done.returncode == 0 and "dry_run" not in file.read_text(), done.stderr


def test_a_file_that_cannot_be_written_is_said(launch, tmp_path):
    done = launch("check", f"--write_flagfile={tmp_path / 'file' / 'x'}", str(tmp_path))
    assert done.returncode == 1 and done.stderr.startswith("error: ")
