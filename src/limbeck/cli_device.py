"""The commands that lead to a device: search, export, serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["device_commands"]

device_commands = typer.Typer()


@device_commands.command()
def search(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe's name, or a YAML file.")],
    trials: Annotated[int | None, typer.Option(help="So many students; the recipe's, or 30.", min=2)] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change one value: a.b=c.", metavar="A.B=C")
    ] = None,
    runs: Annotated[Path, typer.Option(help="The folder that holds all runs.")] = Path("runs"),
    name: Annotated[str | None, typer.Option(help="The run's name; the recipe's, where it is not given.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what an earlier run left, and start anew.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Look for a smaller or better student under a budget, without target labels; or go on with it."""
    from limbeck.recipes import search_recipe
    from limbeck.reports.search import print_search

    changes = [*(overrides or []), *([] if trials is None else [f"search.trials={trials}"])]
    print_search(search_recipe(recipe, overrides=changes, runs=runs, name=name, fresh=fresh, quiet=quiet))


@device_commands.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/digits.")],
    row: Annotated[str | None, typer.Option(help="Another row than the selected one.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the first.")] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="May be repeated; `limbeck list export` names them.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write, not `export` in the run's.")] = None,
    samples: Annotated[Path | None, typer.Option(help="Real inputs to compare on, not the run's own.")] = None,
    step: Annotated[
        int | None, typer.Option(help="After so many steps of its compression, 0 as trained; all by default.", min=0)
    ] = None,
) -> None:
    """Write a run's student as a folder that works by itself, compared at once with the student."""
    from limbeck.export import read_manifest
    from limbeck.recipes import export_run
    from limbeck.reports.terminal import export_lines

    folder = export_run(run, row, seed, formats, out, samples, step)
    manifest = read_manifest(folder)
    for line in export_lines(manifest):
        print(line)
    print(f"limbeck predict {folder} DATA")


@device_commands.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="An exported folder, or a run folder with one.")],
    host: Annotated[str, typer.Option(help="The address to answer at; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = 8000,
    samples: Annotated[int, typer.Option(help="The most samples of one question.", min=1)] = 1024,
    megabytes: Annotated[float, typer.Option(help="The largest question.")] = 16.0,
) -> None:
    """Answer over HTTP with an exported student; at this machine alone, unless told otherwise."""
    from limbeck.serving import Limits
    from limbeck.serving import serve as answer

    answer(folder, host, port, Limits(samples, int(megabytes * 2**20)))
