"""What `wengert` can do: a function for each command, and one place that makes them a command line."""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wengert as wg
from wengert.backends import protocol
from wengert.ir.errors import WengertError

__all__ = ["commands"]

MODES = ("value", "forward", "reverse")


class MisuseError(Exception):
    """The command was given what it cannot take."""


def ops(*, check: bool, as_markdown: bool, write: Path | None) -> None:
    """Every op in every mode on every backend.

    Each is built, run and compared with the reference.
    """
    from wengert.tools import optable

    table = optable.make(optable.own_backends() if as_markdown or write else None)
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(optable.markdown(table), encoding="utf-8")
    elif as_markdown:
        print(optable.markdown(table))
    elif not check:
        _print_ops(table)
    holes = optable.holes(table)
    absent = [f"{name} was not asked. {reason}" for name, reason in table.absent.items()]
    marks = sum(len(text) for row in table.rows for text in row.marks.values())
    print(*absent, *holes, f"{len(table.rows)} ops, {marks} marks, {len(holes)} holes.", sep="\n", file=sys.stderr)
    sys.exit(1 if check and holes else 0)


def _print_ops(table: Any) -> None:
    import rich.box
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=rich.box.SIMPLE_HEAD, caption="under a backend: value, forward, reverse")
    for title in ("op", "kind", "types", "derivative"):
        shown.add_column(title, overflow="fold")
    for name in table.rows[0].marks:
        shown.add_column(name, justify="center", no_wrap=True)
    for row in table.rows:
        shown.add_row(row.op, row.kind, row.types, row.derivative, *row.marks.values())
    Console().print(shown, markup=False)


def matrix(*, write: Path | None) -> None:
    """Every op, transformed in every way, on every backend.

    Forward, reverse, one over the other, lanes, Taylor, sparsity, sizes, files: built, run and compared.
    """
    from wengert.tools import matrix as completeness

    found = completeness.make()
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(completeness.markdown(found), encoding="utf-8")
    else:
        print(completeness.markdown(found))
    print(*completeness.holes(found), f"{len(found.complaints)} holes.", sep="\n", file=sys.stderr)
    sys.exit(1 if found.complaints else 0)


def numpy(*, name: str | None, check: bool, write: Path | None) -> None:
    """What of NumPy can be traced and differentiated.

    With a NAME: its row in full. Each name has a sample call, traced, run, differentiated and compared.
    """
    from wengert.tools.coverage import pages, table as coverage

    if name is not None:
        try:
            found = coverage.one(name)
        except KeyError as error:
            message = f"{name} is no public name of the NumPy (or SciPy) that is installed."
            raise MisuseError(message) from error
        for row in found:
            print("\n    ".join(filter(None, (f"{row.name}: {row.kind}", pages.arguments(row), row.said, *row.faults))))
        return
    table = coverage.make()
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(pages.markdown(table), encoding="utf-8")
    elif not check:
        print(pages.markdown(table))
    print(*pages.counts(table), *table.faults, f"{len(table.faults)} faults.", sep="\n", file=sys.stderr)
    sys.exit(1 if check and table.faults else 0)


def conventions(*, write: Path | None) -> None:
    """What the derivative is at kinks, poles, ties, infinities and NaN.

    The table that the tests hold every backend to.
    """
    from wengert.tools.conventions import page

    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(page(), encoding="utf-8")
    else:
        print(page())


def show(*, file: Path, backend: str | None, mode: str) -> None:
    """Print a saved graph, or source generated for it.

    With a mode: the graph, or the source, of a derivative.
    """
    program = wg.load(file)
    if backend is not None:
        _print_source(wg.source(program, backend, mode=mode), backend)
    else:
        print(_derived(program.graph, mode))


def _derived(graph: Any, mode: str) -> Any:
    from wengert.ir import autodiff
    from wengert.tracer.symbolic import lifted

    if mode == "value":
        return graph
    active = tuple(i for i, v in enumerate(graph.inputs) if v.type.dtype.kind in "fc")
    derive = autodiff.jvp if mode == "forward" else autodiff.vjp
    return lifted(lambda g: derive(g, active), graph)


def _print_source(text: str, language: str) -> None:
    from rich.console import Console
    from rich.syntax import Syntax

    console = Console()
    if console.is_terminal and language in ("python", "c"):
        console.print(Syntax(text, language, background_color="default"), soft_wrap=True)
    else:
        print(text)


def run(*, file: Path, values: tuple[str, ...], backend: str | None, with_grad: bool) -> None:
    """Run a saved graph on VALUES.

    A number, or a .npy file, for each input.
    """
    program = wg.load(file)
    flat, leaves = _flat(program, values, backend)
    try:
        for result in flat(*leaves):
            print(result)
        if with_grad:
            real = [i for i, v in enumerate(program.graph.inputs) if v.type.dtype.kind in "fc"]
            gradients = wg.grad(_only(flat), argnums=tuple(real))(*leaves)
            for i, gradient in zip(real, gradients, strict=True):
                print(f"d/d {program.names()[i]}: {gradient}")
    except TypeError as error:
        raise MisuseError(str(error)) from error


def check(*, file: Path, values: tuple[str, ...], backend: tuple[str, ...]) -> None:
    """Check the derivatives of a saved graph at VALUES.

    A number, or a .npy file, for each input. Forward mode, reverse mode and differences of the values are compared; the
    exit code is 1 where something is wrong.
    """
    flat, leaves = _flat(wg.load(file), values)
    for name in backend:
        protocol.get(name)
    try:
        report = wg.check(flat, backend or None)(*leaves)
    except TypeError as error:
        raise MisuseError(str(error)) from error
    print(report)
    sys.exit(0 if report else 1)


def _flat(program: wg.Program, values: tuple[str, ...], backend: str | None = None) -> tuple[wg.Program, list[Any]]:
    """The program as one of flat arguments, and the arguments."""
    names = program.names()
    if len(values) != len(names):
        message = f"The graph takes {len(names)} values ({', '.join(names)}); {len(values)} were given."
        raise MisuseError(message)
    leaves = [_leaf(text) for text in values]
    return wg.Program(program.graph.evolve(signature=None, results=None), backend), leaves


def _only(flat: wg.Program) -> wg.Program:
    """With its one result bare, not in a tuple."""
    from wengert.ir.structure import LEAF

    single = len(flat.graph.outputs) == 1
    return wg.Program(flat.graph.evolve(results=LEAF), flat.backend) if single else flat


def _leaf(text: str) -> Any:
    """A number, or the array in a .npy file."""
    import numpy as np

    if text.endswith(".npy"):
        try:
            return np.load(text, allow_pickle=False)
        except (OSError, ValueError) as error:
            message = f"{text} cannot be read as an array: {error}"
            raise MisuseError(message) from error
    for kind in (int, float, complex):
        try:
            return kind(text)
        except ValueError:
            continue
    message = f"{text!r} is neither a number nor a .npy file."
    raise MisuseError(message)


def backends() -> None:
    """Every backend, and whether it works here."""
    chosen = protocol.current()
    for name, reason in wg.available_backends().items():
        state = "works here" + (", and is the default" if name == chosen else "") if reason is None else reason
        print(f"{name:<10} " + textwrap.fill(state, 100, subsequent_indent=" " * 11))


def bench(*, which: str | None, write: Path | None, options: tuple[str, ...]) -> None:
    """What gradients cost here, beside those of the peers that are installed and of hand-written C and NumPy.

    With "rows", that alone; with "bundle", what the sparse Jacobian of bundle adjustment costs; with "loops", what long
    loops keep in memory, and a recurrent network trained; with "scale", cost against size. Further options, after --,
    are those of python -m wengert.tools.bench.
    """
    if not Path(__file__).with_name("bench").exists():
        message = "The benchmarks are not installed with wengert: clone its repository, and say `make bench` there."
        raise MisuseError(message)
    if which == "scale":
        from wengert.tools.bench import scale

        scale.run_all(write=write)
        return
    if which in ("bundle", "loops"):
        from wengert.tools.bench.bundle import bundle
        from wengert.tools.bench.loops import loops

        text = bundle() if which == "bundle" else loops()
        print(text)
        if write is not None:
            write.write_text(text + "\n", encoding="utf-8")
        return
    from wengert.tools.bench.command import main

    main([which or "all", *options, *([] if write is None else ["--write", str(write)])])


# -- the command line -----------------------------------------------------------------------------


def _in_sentences(click: Any, command: Callable[..., Any]) -> Callable[..., Any]:
    """An error of ours ends the command with its sentence, not with a traceback."""

    @functools.wraps(command)
    def guarded(**options: Any) -> None:
        try:
            command(**options)
        except MisuseError as error:
            raise click.UsageError(str(error)) from error
        except WengertError as error:
            raise click.ClickException(str(error)) from error

    return guarded


def commands() -> Any:
    """The click group; ImportError where click or rich is not installed."""
    import click
    import rich  # noqa: F401 (asked for now: half a command is worse than none)

    argument, option, path = click.Argument, click.Option, click.Path(path_type=Path)
    file = argument(["file"], type=click.Path(exists=True, dir_okay=False, path_type=Path))
    backend = option(["--backend"], help="A backend's name.")
    mode = option(["--mode"], type=click.Choice(MODES), default="value", show_default=True)
    write = option(["--write"], type=path, help="Write it into a file as markdown.")
    parameters: dict[Callable[..., Any], list[Any]] = {
        ops: [
            option(["--check"], is_flag=True, help="Print what is wrong alone; exit with 1 where there is a hole."),
            option(["--markdown", "as_markdown"], is_flag=True, help="Print it as docs/ops.md has it."),
            write,
        ],
        matrix: [write],
        numpy: [
            argument(["name"], required=False),
            option(["--check"], is_flag=True, help="Print what is wrong alone; exit with 1 where a row is."),
            write,
        ],
        conventions: [write],
        show: [file, backend, mode],
        run: [
            file, argument(["values"], nargs=-1), backend,
            option(["--grad", "with_grad"], is_flag=True, help="The gradient in each real input, too."),
        ],
        check: [
            file, argument(["values"], nargs=-1),
            option(["--backend"], multiple=True, help="A backend to ask; may be given more than once."),
        ],
        backends: [],
        bench: [argument(["which"], required=False, type=click.Choice(["rows", "scale", "bundle", "loops"])), write,
                argument(["options"], nargs=-1)],
    }  # fmt: skip
    group = click.Group(help="Plain NumPy as a graph: look at files, ops and backends.",
                        params=[], context_settings={"help_option_names": ["-h", "--help"]})  # fmt: skip
    for function, its in parameters.items():
        group.add_command(click.Command(function.__name__, params=its, callback=_in_sentences(click, function),
                                        help=function.__doc__))  # fmt: skip
    version: Any = click.version_option(wg.__version__, prog_name="wengert")
    return version(group)
