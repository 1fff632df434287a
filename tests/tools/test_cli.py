"""The `wengert` command."""

import subprocess
import sys

import numpy as np
import pytest

import wengert as wg


def run(*words, **options):
    command = [sys.executable, "-m", "wengert.tools.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("graphs") / "f.wg"
    wg.trace(lambda a, b: (a + b) * (b + 1)).graph(2.0, 1.0).save(path)
    return path


def test_show_prints_the_graph_its_derivatives_and_their_source(file):
    assert run("show", file).stdout.rstrip() == str(wg.load(file))
    assert "_vjp(" in run("show", file, "--mode", "reverse").stdout
    assert "_jvp(" in run("show", file, "--mode", "forward").stdout
    assert "import numpy as np" in run("show", file, "--backend", "python", "--mode", "reverse").stdout


def test_run_prints_results_and_gradients(file, tmp_path):
    assert run("run", file, 2, 1, "--grad").stdout.split() == ["6.0", "d/d", "a:", "2.0", "d/d", "b:", "5.0"]
    assert run("run", file, 2, 1, "--backend", "reference").stdout.split() == ["6.0"]
    wg.trace(lambda x: x * 2).graph(np.arange(3.0)).save(tmp_path / "g.wg")
    np.save(tmp_path / "x.npy", np.arange(3.0))
    assert run("run", tmp_path / "g.wg", tmp_path / "x.npy").stdout.split() == ["[0.", "2.", "4.]"]


def test_conventions_are_printed_and_written(tmp_path):
    assert run("conventions", "--write", tmp_path / "docs" / "c.md").returncode == 0
    written = (tmp_path / "docs" / "c.md").read_text(encoding="utf-8")
    assert "| 1 | `np.abs(x)` | `x = 0` | 1 | 0 | 0 | choice | The middle" in written
    assert run("conventions").stdout.rstrip() == written.rstrip()


def test_backends_lists_every_one():
    lines = run("backends").stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(wg.available_backends())
    assert "is the default" in lines[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "FILE", "2"], "takes 2 values (a, b); 1 were given"),
        (["run", "FILE", "2", "x"], "neither a number nor a .npy file"),
        (["show", "FILE", "--backend", "fortran"], "no backend called 'fortran'"),
        (["show", "FILE", "--backend", "numpy"], "generates no source"),
        (["show", __file__], "not a wengert graph"),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(file, words, sentence):
    done = run(*[file if word == "FILE" else word for word in words])
    assert done.returncode in (1, 2)
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_without_its_extra_the_command_says_what_to_install(tmp_path):
    (tmp_path / "click.py").write_text("raise ImportError('no', name='click')\n")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from wengert.tools.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "wengert[cli]"' in done.stderr
    assert "Traceback" not in done.stderr
