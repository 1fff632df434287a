"""`python tests/snippet_page.py` measures every snippet and writes docs/snippets.md."""

import inspect
import time
from pathlib import Path

from snippet_cases import CHAPTERS, NOT_YET, SNIPPETS
from snippet_checks import BACKENDS, copied, differences, distance, forward, reverse, weights

import wengert as wg
from wengert.backends.source.c.machine import compiler
from wengert.tools.bench import table

INTRODUCTION = """\
# Code as it is written

Written by `python tests/snippet_page.py`. {working} of {all} snippets of plain NumPy, in the style of code that people have,
are traced as they stand: they import NumPy and the standard library and know nothing of wengert (a test looks). Each is run on
{backends}, from a file too. The value is compared with that of plain NumPy (1e-12), the gradient in reverse and in forward mode
with 5-point differences of plain NumPy (1e-7, what such differences are good for), and both modes with each other (1e-11);
all relative to the largest number of the result. `tests/test_snippets.py` asks this of every one.

*Nodes* is the size of the graph, *error* the largest difference between a gradient and 5-point differences over all backends
and both modes, *trace* how long tracing took.
"""


def measured(name):
    """Nodes, the worst error of a gradient over backends and modes, milliseconds to trace."""
    function, args = SNIPPETS[name]
    w = weights(function(*copied(args)))
    slopes = differences(function, args, w)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        graph = wg.trace(function).graph(*copied(args))
        times.append(time.perf_counter() - start)
    programs = [graph.on(backend) for backend in BACKENDS if wg.available_backends()[backend] is None]
    errors = [distance(mode(program, args, w), slopes) for program in programs for mode in (reverse, forward)]
    return str(len(graph.graph.nodes)), f"{max(errors):.0e}", f"{1e3 * min(times):.1f} ms"


def page():
    """The whole page."""
    backends = ", ".join(f"`{name}`" for name in BACKENDS)
    parts = [INTRODUCTION.format(working=len(SNIPPETS) - len(NOT_YET), all=len(SNIPPETS), backends=backends)]
    for title, chapter in CHAPTERS.items():
        rows = []
        for full in SNIPPETS:
            section, _, name = full.partition(".")
            if section == title:
                numbers = ("", "not yet", "") if full in NOT_YET else measured(full)
                rows.append((f"`{name}`", inspect.getdoc(SNIPPETS[full][0]), *numbers))
        link = f"[tests/snippets/{title}.py](../tests/snippets/{title}.py)"
        heading = f"## {title.capitalize()}\n\n{inspect.getdoc(chapter)} {link}\n\n"
        parts.append(heading + table(("snippet", "what it is", "nodes", "error", "trace"), rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    compiler.FLAGS = tuple("-O0" if flag == "-O3" else flag for flag in compiler.FLAGS)
    (Path(__file__).parent.parent / "docs" / "snippets.md").write_text(page())
