"""What `wengert` can do; needs the extra `cli`."""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import rich.box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

import wengert as wg
from wengert.backends import protocol
from wengert.ir.errors import WengertError

__all__ = ["commands"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MODE = click.Choice(("value", "forward", "reverse"))


def _sentences(command: Callable[..., Any]) -> Callable[..., Any]:
    """An error of ours ends the command with its sentence, not with a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except WengertError as error:
            raise click.ClickException(str(error)) from error

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(wg.__version__, prog_name="wengert")
def commands() -> None:
    """Plain NumPy as a graph: look at files, ops and backends."""


@commands.command()
@click.option("--check", is_flag=True, help="Print only what is wrong; exit with 1 where there is a hole.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table as docs/ops.md has it.")
@click.option("--write", type=click.Path(path_type=Path), help="Write that into a file.")
@_sentences
def ops(*, check: bool, as_markdown: bool, write: Path | None) -> None:
    """Every op in every mode on every backend: built, run and compared with the reference."""
    from wengert.tools import optable

    table = optable.make(optable.own_backends() if as_markdown or write else None)
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(optable.markdown(table), encoding="utf-8")
    elif as_markdown:
        click.echo(optable.markdown(table))
    elif not check:
        _print_ops(table)
    for name, reason in table.absent.items():
        click.echo(f"{name} was not asked. {reason}", err=True)
    holes = optable.holes(table)
    for sentence in holes:
        click.echo(sentence, err=True)
    marks = sum(len(text) for row in table.rows for text in row.marks.values())
    click.echo(f"{len(table.rows)} ops, {marks} marks, {len(holes)} holes.", err=True)
    sys.exit(1 if check and holes else 0)


def _print_ops(table: Any) -> None:
    names = list(table.rows[0].marks)
    shown = Table(box=rich.box.SIMPLE_HEAD, caption="under a backend: value, forward, reverse")
    for title in ("op", "kind", "types", "derivative"):
        shown.add_column(title, overflow="fold")
    for name in names:
        shown.add_column(name, justify="center", no_wrap=True)
    for row in table.rows:
        shown.add_row(row.op, row.kind, row.types, row.derivative, *row.marks.values())
    Console().print(shown, markup=False)


@commands.command()
@click.argument("file", type=FILE)
@click.option("--backend", help="Print the program this backend generates (python or c) instead of the graph.")
@click.option("--mode", type=MODE, default="value", show_default=True, help="The program itself, or a derivative.")
@_sentences
def show(file: Path, backend: str | None, mode: str) -> None:
    """Print a saved graph, one of its derivatives, or the source generated for it."""
    program = wg.load(file)
    if backend is not None:
        _print_source(wg.source(program, backend, mode=mode), backend)
        return
    click.echo(str(_derived(program, mode)))


def _derived(program: Any, mode: str) -> Any:
    from wengert.ir import autodiff

    graph = program.graph
    if mode == "value":
        return graph
    active = tuple(i for i, v in enumerate(graph.inputs) if v.type.dtype.kind == "f")
    return (autodiff.jvp if mode == "forward" else autodiff.vjp)(graph, active)


def _print_source(text: str, language: str) -> None:
    console = Console()
    if console.is_terminal and language in ("python", "c"):
        console.print(Syntax(text, language, background_color="default"), soft_wrap=True)
    else:
        click.echo(text)


@commands.command()
@click.argument("file", type=FILE)
@click.argument("values", nargs=-1)
@click.option("--backend", help="By default the one in force.")
@click.option("--grad", "with_grad", is_flag=True, help="The gradient in the floating-point arguments, too.")
@_sentences
def run(file: Path, values: tuple[str, ...], backend: str | None, *, with_grad: bool) -> None:
    """Run a saved graph on VALUES: a number, or a .npy file, for each input."""
    import numpy as np

    program = wg.load(file)
    leaves = [np.load(v, allow_pickle=False) if v.endswith(".npy") else _number(v) for v in values]
    flat = wg.Program(program.graph.evolve(signature=None, results=None), backend)
    names = program.names()
    if len(leaves) != len(names):
        message = f"The graph takes {len(names)} values ({', '.join(names)}); {len(leaves)} were given."
        raise click.UsageError(message)
    try:
        for result in flat(*leaves):
            click.echo(result)
        if with_grad:
            real = [i for i, v in enumerate(program.graph.inputs) if v.type.dtype.kind == "f"]
            for i, g in zip(real, wg.grad(_only(flat), argnums=tuple(real))(*leaves), strict=True):
                click.echo(f"d/d {names[i]}: {g}")
    except TypeError as error:
        raise click.ClickException(str(error)) from error


def _only(flat: Any) -> Any:
    """One result instead of a tuple of one."""
    from wengert.ir.structure import LEAF

    single = len(flat.graph.outputs) == 1
    return wg.Program(flat.graph.evolve(results=LEAF), flat.backend) if single else flat


def _number(text: str) -> Any:
    for kind in (int, float, complex):
        try:
            return kind(text)
        except ValueError:
            continue
    message = f"{text!r} is neither a number nor a .npy file."
    raise click.UsageError(message)


@commands.command()
def backends() -> None:
    """Every backend, whether it works here, and why not."""
    chosen = protocol.current()
    for name, reason in wg.backends().items():
        state = "works here" + (", and is the default" if name == chosen else "") if reason is None else reason
        click.echo(f"{name:<10} " + textwrap.fill(state, 100, subsequent_indent=" " * 11))


@commands.command()
@click.option("--write", type=click.Path(path_type=Path), help="Write the tables into a file.")
def bench(write: Path | None) -> None:
    """Measure gradients, tracing, import time and wheel size."""
    from wengert.tools.bench import run_all

    run_all(write)
