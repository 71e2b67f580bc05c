import pytest

from limbeck.evaluation import advised_against, chosen_row, verdict


def _summary(mean, std=0.01):
    return {"mean": mean, "std": std}


def _row(
    name,
    kind,
    mean,
    validator,
    versus=None,
    *,
    std=0.01,
    labelled=0,
    seeds=3,
    metric="accuracy",
    by_seed=None,
    size=100,
):
    validators = {} if validator is None else {"information_maximisation": validator}
    reached = by_seed or [mean + std * place for place in (-1, 0, 1)[:seeds]]
    return {
        "name": name,
        "title": name,
        "kind": kind,
        "labelled_per_class": labelled,
        "target": {metric: _summary(mean, std)},
        "source": {metric: _summary(0.95)},
        "versus_baseline": versus,
        "parameters": size,
        "seeds": [
            {"seed": i, "validators": validators, "target": {metric: value}, "collapse": None}
            for i, value in enumerate(reached)
        ],
    }


def _versus(difference, half=0.02, p_value=0.0002):
    return {"difference": difference, "low": difference - half, "high": difference + half, "p_value": p_value}


def _results(*rows, metric="accuracy", known=True):
    return {
        "rows": list(rows),
        "metric": metric,
        "higher_is_better": metric != "rmse",
        "target_labels_known": known,
        "baseline": "alone",
        "validator": "information_maximisation",
        "source": "scan",
        "target": "photo",
    }


TEACHER = _row("teacher", "teacher", 0.7, 9.0)
ALONE = _row("alone", "student", 0.80, 0.5)
DISTILLED = _row("distilled", "student", 0.88, 0.9, _versus(0.08))
ADAPTED = _row("adapted", "student", 0.89, 0.7, _versus(0.09))
BOUND = _row("supervised", "upper_bound", 0.90, 9.0, _versus(0.10))


def test_the_row_is_chosen_by_the_validator_and_not_by_the_test():
    assert chosen_row(_results(TEACHER, ALONE, ADAPTED, DISTILLED, BOUND)) == "distilled"
    assert chosen_row(_results(TEACHER, ALONE, BOUND)) is None


def test_a_gain_is_told_with_its_interval_and_the_gap_it_closes():
    assert verdict(_results(TEACHER, ALONE, DISTILLED, ADAPTED, BOUND)) == (
        "distilled reaches 88.0 ± 1.0 % accuracy on photo, alone 80.0 ± 1.0 %: a significant gain (+8.0 points; "
        "95 % interval +6.0 points to +10.0 points, p = 0.0002). That closes 80 % of the gap to the upper bound "
        "(90.0 ± 1.0 %). distilled was chosen without target labels, by information maximisation; "
        "on the test split adapted scored best (89.0 ± 1.0 %)."
    )


def test_chance_is_called_chance():
    row = _row("distilled", "student", 0.805, 0.9, _versus(0.005, p_value=0.4))
    text = verdict(_results(ALONE, row))
    assert "a difference of +0.5 points may be chance" in text
    assert "−1.5 points to +2.5 points, p = 0.4). No gain is shown." in text
    assert "significant" not in text and "chosen" not in text


def test_harm_is_called_harm():
    text = verdict(_results(ALONE, _row("distilled", "student", 0.7, 0.9, _versus(-0.1)), ADAPTED, BOUND))
    assert "a significant loss (−10.0 points" in text
    assert "does not help: keep the baseline" in text
    assert "gap" not in text


def test_a_gain_within_the_spread_of_seeds_is_doubted():
    row = _row("distilled", "student", 0.83, 0.9, _versus(0.03), by_seed=[0.80, 0.81, 0.88])
    assert "though not above the spread between training seeds" in verdict(_results(ALONE, row))
    assert "spread" not in verdict(_results(ALONE, DISTILLED))


def test_seeds_that_disagree_are_counted_of_gains_and_of_losses():
    mixed = _row("distilled", "student", 0.83, 0.9, _versus(0.03), by_seed=[0.86, 0.85, 0.78])
    assert "+5.0 points, p = 0.0002), though 1 of 3 training seeds loses." in verdict(_results(ALONE, mixed))
    worse = _row("distilled", "student", 0.77, 0.9, _versus(-0.03), by_seed=[0.80, 0.82, 0.69])
    assert "though 2 of 3 training seeds gain. It does not help" in verdict(_results(ALONE, worse))
    one = verdict(_results(ALONE, _row("distilled", "student", 0.7, 0.9, _versus(-0.1), seeds=1)))
    assert "p = 0.0002), though of one training seed. It does not help: keep the baseline." in one


@pytest.mark.parametrize(("size", "told"), [(105_962, True), (40, True), (None, False), (110, False)])
def test_another_size_of_network_is_told(size, told):
    row = _row("shot", "student", 0.88, 0.9, _versus(0.08), size=size)
    assert ("Their networks differ: " in verdict(_results(ALONE, row))) is told
    if size == 105_962:
        assert "105,962 parameters, those of alone 100." in verdict(_results(ALONE, row))


def test_a_collapse_is_told_beside_a_gain():
    row = _row("distilled", "student", 0.88, 0.9, _versus(0.08))
    row["seeds"][1]["collapse"] = "distilled has collapsed: in epoch 3 it says a of all."
    said = verdict(_results(ALONE, row))
    assert "a significant gain" in said and "In 1 of 3 trainings it collapsed: distilled has collapsed" in said


def test_what_a_contest_left_out_is_not_called_absent():
    assert "The contest chose no other row, so nothing is compared" in verdict(
        _results(ALONE) | {"choice": {"row": None}}
    )


@pytest.mark.parametrize(
    ("difference", "p_value", "expected"), [(-0.1, 0.001, "distilled"), (-0.1, 0.2, None), (0.1, 0.001, None)]
)
def test_a_row_is_advised_against_where_it_is_shown_to_be_worse(difference, p_value, expected):
    row = _row("distilled", "student", 0.8 + difference, 0.9, _versus(difference, p_value=p_value))
    assert advised_against(_results(ALONE, row)) == expected
    assert advised_against(_results(ALONE)) is None


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (-0.01, "no gap to close"),
        (0.05, "more than the upper bound reaches"),
        (0.08, "as much as the upper bound"),
        (0.16, "closes 50 % of the gap"),
    ],
)
def test_the_upper_bound_is_put_in_its_place(difference, words):
    bound = _row("supervised", "upper_bound", 0.8 + difference, None, _versus(difference))
    assert words in verdict(_results(ALONE, DISTILLED, bound))


def test_used_target_labels_and_single_seeds_are_shown():
    row = _row("tuned", "student", 0.88, 0.9, _versus(0.08), labelled=5, seeds=1)
    text = verdict(_results(ALONE, row))
    assert text.startswith("tuned (with 5 target labels a class) reaches 88.0 % accuracy")
    assert "a significant gain" in text and "though of one training seed." in text
    errors = _row("tuned", "student", 3.0, 0.9, _versus(-1.0), labelled=5, metric="rmse")
    alone = _row("alone", "student", 4.0, 0.1, metric="rmse")
    assert verdict(_results(alone, errors, metric="rmse")).startswith("tuned (with 5 target labels) reaches 3 ± 0.01")


def test_of_regression_errors_lower_is_a_gain():
    alone = _row("alone", "student", 4.0, 0.1, std=0.1, metric="rmse")
    distilled = _row("distilled", "student", 3.0, 0.9, _versus(-1.0, 0.5), std=0.1, metric="rmse")
    other = _row("other", "student", 3.5, 0.2, _versus(-0.5, 0.2), std=0.1, metric="rmse")
    bound = _row("supervised", "upper_bound", 2.0, None, _versus(-2.0), std=0.1, metric="rmse")
    assert verdict(_results(alone, distilled, other, bound, metric="rmse")) == (
        "distilled reaches 3 ± 0.1 RMSE on photo, alone 4 ± 0.1: a significant gain (−1; 95 % interval −1.5 to −0.5, "
        "p = 0.0002). That closes 50 % of the gap to the upper bound (2 ± 0.1). distilled was chosen "
        "without target labels, by information maximisation; on the test split it scored best too."
    )


@pytest.mark.parametrize(("below", "p_value", "told"), [(-0.2, 0.001, True), (-0.2, 0.3, False), (0.2, 0.001, False)])
def test_an_upper_bound_that_is_none_is_told(below: float, p_value: float, told: bool):
    one = _row("one", "student", 0.8, 0.9, _versus(0.0, p_value=0.9))
    bound = _row("supervised", "upper_bound", 0.8 + below, None, _versus(below, p_value=p_value))
    said = verdict(_results(ALONE, one, bound))
    assert ("The upper bound (60.0 ± 1.0 %) lies below the baseline: the target has too few" in said) is told


def test_of_equals_the_chosen_one_is_as_good_as_any():
    one = _row("one", "student", 0.9, 0.1, _versus(0.1))
    two = _row("two", "student", 0.9, 0.9, _versus(0.1))
    assert verdict(_results(ALONE, one, two)).endswith("; on the test split it scored best too.")


def test_without_labels_nothing_is_proven():
    assert verdict(_results(TEACHER, ALONE, DISTILLED, ADAPTED, known=False)) == (
        "Whether distilled works on photo cannot be proven: the target has no labels. It was chosen by information "
        "maximisation (higher is better: distilled 0.9, alone 0.5). It reaches 95.0 ± 1.0 % accuracy on scan."
    )


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (0.9, "the only row beside the baseline, and information maximisation (higher is better: distilled 0.9, "),
        (0.4, "the only row beside the baseline, which information maximisation (higher is better: distilled 0.4, "),
    ],
)
def test_a_single_row_was_not_chosen(score: float, said: str):
    """Such as the one of a contest, whose own choice may be against the validator."""
    text = verdict(_results(TEACHER, ALONE, _row("distilled", "student", 0.9, score, _versus(0.1)), known=False))
    assert said in text and "was chosen" not in text
    assert ("would prefer" in text) == (score < 0.5)


@pytest.mark.parametrize("known", [True, False])
def test_a_lone_baseline_is_compared_with_nothing(known):
    text = verdict(_results(TEACHER, ALONE, known=known))
    assert text.startswith("There is no other student row to be scored by information maximisation, so nothing is")
    assert ("80.0 ± 1.0 % accuracy on photo" in text) == known
    unscored = _row("distilled", "student", 0.9, None, _versus(0.1))
    assert verdict(_results(ALONE, unscored)).startswith("No other row was scored by information maximisation")
