import pytest

from fanin.errors import FaninError
from fanin.experiments.question import Score, Target
from fanin.experiments.scores import as_score, as_target, ask, default_score, direction

LOGGED = ["accuracy", "loss", "my_measure", "val_accuracy", "val_loss", "val_my_measure"]


@pytest.mark.parametrize(
    ("names", "way"),
    [
        (["loss", "val_loss", "mse", "val_mean_absolute_error", "kl_divergence", "false_positives"], "min"),
        (
            [
                "accuracy",
                "binary_accuracy",
                "auc_1",
                "val_precision",
                "r2_score",
                "mean_iou",
                "true_positives",
            ],
            "max",
        ),
        (["my_measure", "perplexed"], None),
    ],
)
def test_directions_come_from_the_name(names, way):
    assert [direction(name) for name in names] == [way] * len(names)


def test_the_default_prefers_held_out_metrics_whose_direction_is_known():
    assert default_score(LOGGED) == Score("val_accuracy", "max")
    assert default_score(["loss", "val_loss", "val_my_measure"]) == Score("val_loss", "min")
    assert default_score(["loss", "accuracy"]) == Score("accuracy", "max")
    assert default_score(["loss"]) == Score("loss", "min")


def test_a_name_means_the_held_out_quantity_unless_it_says_otherwise():
    assert as_score("loss", LOGGED) == Score("val_loss", "min")
    assert as_score("train_loss", LOGGED) == Score("loss", "min")
    assert as_score("val_accuracy", LOGGED) == Score("val_accuracy", "max")
    assert as_score("min:my_measure", LOGGED) == Score("val_my_measure", "min")
    assert as_target("loss=.3", LOGGED) == Target("val_loss", 0.3, "min")


@pytest.mark.parametrize("text", ["acuracy", "my_measure"])
def test_unknown_scores_are_refused(text):
    with pytest.raises(FaninError) as error:
        as_score(text, LOGGED)
    assert error.value.fix


@pytest.mark.parametrize("text", ["loss", "loss=low", "=.3", "none=1"])
def test_malformed_targets_are_refused(text):
    with pytest.raises(FaninError):
        as_target(text, LOGGED)


def test_the_control_is_glorots_or_the_first_and_must_be_compared():
    assert ask(["zeros", "glorot_normal"], (0,), LOGGED).control == "glorot_normal"
    assert ask(["zeros", "he_normal"], (0,), LOGGED).control == "zeros"
    with pytest.raises(FaninError, match="he_normal"):
        ask(["zeros"], (0,), LOGGED, control="he_normal")
