import pytest
from matplotlib.figure import Figure

from keras_sparseflow.analysis import figure_bytes, write_figures
from keras_sparseflow.analysis.figures.drawing.figure_files import file_stem


def _figure(title):
    figure = Figure(figsize=(2, 1))
    figure.suptitle(title)
    return figure


def test_each_figure_is_written_as_png_and_svg_under_its_name(tmp_path):
    figures = {"Test accuracy, 4 hidden layers": _figure("one"), "EGF (2-norm)": _figure("two")}
    paths = write_figures(figures, tmp_path / "report" / "figures", dpi=50)
    assert [path.name for path in paths] == [
        "test_accuracy_4_hidden_layers.png", "test_accuracy_4_hidden_layers.svg", "egf_2-norm.png", "egf_2-norm.svg",
    ]  # fmt: skip
    assert sorted(paths) == sorted((tmp_path / "report" / "figures").iterdir())
    for path, figure in zip(paths, [f for f in figures.values() for _ in range(2)], strict=True):
        assert path.read_bytes() == figure_bytes(figure, path.suffix[1:], dpi=50)


def test_writing_again_replaces_the_files(tmp_path):
    write_figures({"a": _figure("old")}, tmp_path)
    (_, svg) = write_figures({"a": _figure("new")}, tmp_path)
    assert svg.read_bytes() == figure_bytes(_figure("new"))
    assert len(list(tmp_path.iterdir())) == 2


def test_names_that_come_to_one_file_are_refused_before_anything_is_written(tmp_path):
    folder = tmp_path / "figures"
    with pytest.raises(ValueError, match="names that differ as file names; received 'a b' and another one"):
        write_figures({"a b": _figure("one"), "A, b": _figure("two")}, folder)
    with pytest.raises(ValueError, match=r"letters or digits in them; received '\?!'"):
        write_figures({"?!": _figure("one")}, folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c", "CON:x", ".hidden", "tab\tand\nline"])
def test_file_names_stay_in_their_folder(name):
    stem = file_stem(name)
    assert not set(stem) & set("/\\:\t\n") and not stem.startswith(".")
