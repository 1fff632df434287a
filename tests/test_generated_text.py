"""The text of graphs and of generated programs, as it was last looked at; `--update-golden` after a change."""

import golden_programs
import numpy as np
import pytest

import wengert as wg

PROGRAMS = golden_programs.PROGRAMS
FORMS = [("text", "value"), ("python", "value"), ("python", "reverse"), ("c", "value"), ("c", "reverse")]


@pytest.fixture(params=PROGRAMS)
def program(request):
    function, arguments = PROGRAMS[request.param]
    return request.param, wg.trace(function).graph(*arguments)


@pytest.mark.parametrize(("form", "mode"), FORMS, ids=[f"{f}-{m}" for f, m in FORMS])
def test_text(program, form, mode, golden):
    name, graph = program
    if form == "c" and wg.available_backends()["c"]:
        pytest.skip("no C compiler, and the target is asked for through the protocol")
    if form == "c" and name == "running":
        with pytest.raises(wg.BackendError, match="sort"):
            wg.source(graph, form, mode=mode)
        return
    text = str(graph) if form == "text" else wg.source(graph, form, mode=mode)

    golden(text, f"{name}.{form}.{mode}")


def test_printed_python_runs_by_itself(program):
    name, graph = program
    function, arguments = PROGRAMS[name]
    scope = {}
    exec(wg.source(graph, "python"), scope)
    with np.errstate(all="ignore"):
        got = scope[name](*arguments)
        expected = function(*arguments)

    np.testing.assert_allclose(got[0], expected, rtol=1e-15)
