"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import limbeck
from limbeck.cli_device import device_commands

__all__ = ["app", "main"]

RESUMABLE = ("run", "gap", "label", "rank", "search")
"""The commands that go on where they were stopped."""


class Commands(TyperGroup):
    """Ctrl-C ends with a sentence: typer alone would end without one, and with another code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            again = ctx.invoked_subcommand in RESUMABLE
            _fail("Stopped. The same command goes on from here." if again else "Stopped.", 1)


app = typer.Typer(
    name="limbeck",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use. --debug anywhere shows the traceback of a failure.",
)
stores = typer.Typer(no_args_is_help=True)
app.add_typer(stores, name="store", help="Stored knowledge: prune.")
app.add_typer(device_commands)


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"limbeck {limbeck.__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Show it.", callback=_version, is_eager=True)] = False,
) -> None:
    """From a model that knows one domain to a small proven model in another."""


Recipe = Annotated[str, typer.Argument(help="A shipped recipe's name, or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Change one value: a.b=c.", metavar="A.B=C")]
Runs = Annotated[Path, typer.Option(help="The folder that holds all runs.")]
Name = Annotated[str | None, typer.Option(help="The run's name; the recipe's, where it is not given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the file that was written, and no table.")]
RunFolder = Annotated[Path, typer.Argument(help="A run folder, such as runs/digits.")]


@app.command()
def run(
    recipe: Recipe,
    overrides: Overrides = None,
    runs: Runs = Path("runs"),
    name: Name = None,
    stages: Annotated[str | None, typer.Option(help="A part of the path, such as teacher,knowledge.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what an earlier run left, and start anew.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Carry out a recipe, or go on where it was stopped."""
    from limbeck.recipes import run_recipe
    from limbeck.reports.terminal import print_overview, print_run

    wanted = None if stages is None else [stage.strip() for stage in stages.split(",")]
    folders = run_recipe(
        recipe, overrides=overrides or [], runs=runs, name=name, stages=wanted, fresh=fresh, quiet=quiet
    )
    for folder in folders:
        print_run(folder)
    if len(folders) > 1:
        print_overview(folders[0].parent)


@app.command()
def check(recipe: Recipe, overrides: Overrides = None) -> None:
    """Tell every error of a recipe, without running it."""
    from limbeck.recipes import load_plans

    for plan in load_plans(recipe, overrides or []):
        cell = f", {plan.cell}" if plan.cell else ""
        print(f"{plan.name}{cell}: {len(plan.names('rows'))} rows × {len(plan.seeds)} seeds, no errors")
        if plan.open_row is not None:
            minutes = plan.make("auto").budget
            print(f"  the method of {plan.open_row} is chosen by a contest of about {minutes:g} minutes")
        for foreign in plan.foreign():
            print(f"  runs code of yours: {foreign}")


@app.command()
def gap(recipe: Recipe, overrides: Overrides = None, runs: Runs = Path("runs"), name: Name = None) -> None:
    """Measure how far the two domains are apart, and where."""
    from limbeck.core.files import read_json
    from limbeck.recipes import run_recipe
    from limbeck.reports import gap_table
    from limbeck.reports.terminal import print_table

    for folder in run_recipe(recipe, overrides=overrides or [], runs=runs, name=name, stages=["gap"]):
        measured = read_json(folder / "gap.json")
        print_table(gap_table(measured))
        print(measured["sentence"])


@app.command()
def rank(
    recipe: Recipe, overrides: Overrides = None, runs: Runs = Path("runs"), name: Name = None, as_json: AsJson = False
) -> None:
    """Say from which of a recipe's `candidates` to transfer, and from which not to."""
    from limbeck.recipes import RankError, rank_recipe
    from limbeck.reports.ranking import print_ranking

    try:
        print_ranking(rank_recipe(recipe, overrides=overrides or [], runs=runs, name=name), as_json)
    except RankError as error:
        if error.ranked is not None:
            print_ranking(error.ranked, as_json)
        raise


@app.command()
def label(recipe: Recipe, overrides: Overrides = None, runs: Runs = Path("runs"), name: Name = None) -> None:
    """Train the teacher where needed, and store what it says of the target."""
    from limbeck.knowledge import find_stores
    from limbeck.recipes import run_recipe

    stages = ["teacher", "knowledge"]
    for folder in run_recipe(recipe, overrides=overrides or [], runs=runs, name=name, stages=stages):
        stores = find_stores(folder / "knowledge")
        for store in stores:
            print(store)
        if not stores:
            print(f"{folder}: nothing is stored, its teachers are asked live ('knowledge.read' in the recipe)")


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/digits, or an exported one.")],
    data: Annotated[Path, typer.Argument(help="CSV or Parquet, .npy, .npz, or images, as the run's data were.")],
    out: Annotated[Path | None, typer.Option(help="The CSV to write, not standard output.", dir_okay=False)] = None,
    row: Annotated[str | None, typer.Option(help="Another row than the selected one.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the first.")] = None,
) -> None:
    """Predict with a run's student, or an exported one, with probabilities."""
    from limbeck.recipes import predict_file, row_told, write_predictions

    if out is None:
        sys.stdout.write(predict_file(run, data, row, seed).to_csv(index=False))
    else:
        print(f"{out}: {write_predictions(out, run, data, row, seed)} predictions")
    print(f"predicted by {row_told(run, row)}", file=sys.stderr)


@app.command()
def report(run: RunFolder) -> None:
    """Write the report of a run anew, or the reports of all runs of a matrix."""
    from limbeck.recipes import run_folders
    from limbeck.reports import write_overview, write_report

    cells = run_folders(run)
    if len(cells) > 1 or cells[:1] not in ([], [run]):
        for cell in cells:
            write_report(cell)
        print(write_overview(run, [cell.name for cell in cells]))
    else:
        print(write_report(run))


@app.command("list")
def list_parts(room: Annotated[str | None, typer.Argument(help="One room, such as objectives.")] = None) -> None:
    """The shipped recipes and all parts, by room."""
    from limbeck.core import UsageError, did_you_mean
    from limbeck.recipes import ROOMS, part_names, part_summary, recipe_summary, shipped_recipes

    rooms = [known for known in ROOMS if room in (None, known.package)]
    if not rooms and room != "recipes":
        names = [known.package for known in ROOMS] + ["recipes"]
        raise UsageError(f"There is no room {room!r}. {did_you_mean(str(room), names)}")
    if room in (None, "recipes"):
        print("recipes")
        for name, path in shipped_recipes().items():
            print(f"  {name:22}{recipe_summary(path)}")
    for known in rooms:
        print(known.package)
        for name in part_names(known):
            print(f"  {name:22}{part_summary(known, name)}")


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A part, a shipped recipe, a run folder, or a store of knowledge.")],
) -> None:
    """A part's settings, a recipe's text, a run's results, or what a store holds."""
    from limbeck.knowledge import describe_store, find_stores
    from limbeck.recipes import describe, is_ranking, run_folders
    from limbeck.reports.ranking import print_ranking
    from limbeck.reports.terminal import print_overview, print_run

    if is_ranking(Path(what)):
        print_ranking(Path(what))
        return
    if Path(what).is_dir() and Path(what) in find_stores(Path(what)):
        import yaml

        print(yaml.safe_dump(describe_store(Path(what)), sort_keys=False, allow_unicode=True), end="")
        return
    folders = run_folders(Path(what))
    for folder in folders:
        print_run(folder)
    if folders not in ([], [Path(what)]):
        print_overview(Path(what))
    if not folders:
        print(describe(what))


@stores.command("prune")
def prune(
    folders: Annotated[list[Path], typer.Argument(help="Stores, or folders such as a run, with all stores below.")],
) -> None:
    """Remove stored knowledge; a run that needs it again computes it anew."""
    from limbeck.core import UsageError
    from limbeck.knowledge import find_stores, prune_store

    for folder in folders:
        found = find_stores(folder)
        if not found:
            raise UsageError(f"There is no stored knowledge in {folder}. `limbeck label` prints where it lies.")
        for store in found:
            print(f"{store}: {prune_store(store) / 1e6:.1f} MB freed")


@app.command()
def new(
    source: Annotated[Path, typer.Argument(help="The source's CSV or Parquet file.")],
    target: Annotated[Path | None, typer.Argument(help="The target's; leave out with --domain.")] = None,
    label: Annotated[str | None, typer.Option(help="The label column, or a condition such as 'num > 0'.")] = None,
    domain: Annotated[str | None, typer.Option(help="One file: COLUMN:SOURCE:TARGET.")] = None,
    out: Annotated[Path, typer.Option(help="The recipe to write.")] = Path("recipe.yaml"),
) -> None:
    """Look at a table and write a recipe for it."""
    from limbeck.recipes import write_new

    for note in write_new(source, target, label, domain, out):
        print(note)


def main() -> None:
    """The entry point: messages for users, tracebacks for those who ask."""
    # Threads that spin while they wait make small steps many times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) != len(sys.argv) - 1
    try:
        app(args=arguments, prog_name="limbeck")
    except Exception as error:
        if debug:
            traceback.print_exc()
        code = getattr(error, "exit_code", None)
        if code is None:
            hint = "" if debug else "\nThis is unexpected: --debug shows where it happened."
            _fail(f"{type(error).__name__}: {error}{hint}", 1)
        _fail(str(error), code)


def _fail(message: str, code: int) -> NoReturn:
    print(f"limbeck: {message}", file=sys.stderr)
    sys.exit(code)
