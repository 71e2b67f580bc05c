"""Text → objects, all errors at once; and the stages that carry a recipe out."""

from limbeck.recipes._check import check_name
from limbeck.recipes._describe import describe, recipe_summary
from limbeck.recipes._export_stage import export_run
from limbeck.recipes._folder import is_ranking, run_folders
from limbeck.recipes._load import load_plans, read_domain, shipped_recipes
from limbeck.recipes._new import write_new
from limbeck.recipes._predict import Student, load_export, load_student, predict_file, row_told, write_predictions
from limbeck.recipes._rank import RankError, rank_recipe
from limbeck.recipes._rooms import ROOMS, part_names, part_summary
from limbeck.recipes._run import STAGES, run_recipe
from limbeck.recipes._search import search_recipe

__all__ = [
    "ROOMS",
    "STAGES",
    "RankError",
    "Student",
    "check_name",
    "describe",
    "export_run",
    "is_ranking",
    "load_export",
    "load_plans",
    "load_student",
    "part_names",
    "part_summary",
    "predict_file",
    "rank_recipe",
    "read_domain",
    "recipe_summary",
    "row_told",
    "run_folders",
    "run_recipe",
    "search_recipe",
    "shipped_recipes",
    "write_new",
    "write_predictions",
]
