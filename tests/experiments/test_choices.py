import keras
import pytest

from fanin.errors import FaninError
from fanin.experiments.choices import as_choices
from fanin.schemes.distributions import Normal
from fanin.schemes.parse import get_scheme
from fanin.schemes.scheme import Scheme


def test_names_keep_the_users_spelling_and_share_keys_with_their_aliases():
    (mine,) = as_choices([" xavier_normal "])
    (canonical,) = as_choices(["glorot_normal"])
    assert (mine.label, mine.key) == ("xavier_normal", "glorot_normal")
    assert canonical.key == mine.key  # so that its runs are found again


@pytest.mark.parametrize("single", ["zeros", get_scheme("zeros"), keras.initializers.Zeros()])
def test_one_scheme_needs_no_list(single):
    assert len(as_choices(single)) == 1


def test_a_mapping_gives_labels():
    choices = as_choices({"small": "normal(stddev=0.01)", 2: keras.initializers.HeNormal()})
    assert [choice.label for choice in choices] == ["small", "2"]
    assert choices[0].key == "normal(stddev=0.01)"


def test_objects_are_told_apart_by_what_they_are():
    def custom(shape, dtype=None):
        return 0.5

    def other(shape, dtype=None):
        return 0.25

    objects = [
        keras.initializers.RandomNormal(stddev=0.1),
        keras.initializers.RandomNormal(stddev=0.2),
        custom,
        other,
        Scheme("mine", lambda parameter: Normal(0.0, 0.1)),
        Scheme("mine", lambda parameter: Normal(0.0, 0.2)),
    ]
    keys = [choice.key for choice in as_choices({str(i): item for i, item in enumerate(objects)})]
    again = [choice.key for choice in as_choices({str(i): item for i, item in enumerate(objects)})]
    assert len(set(keys)) == len(keys)
    assert keys == again
    assert as_choices([custom])[0].label == "custom"


@pytest.mark.parametrize(
    ("schemes", "words"),
    [
        ([], "no schemes"),
        ({}, "no schemes"),
        (["zeros", "zeros"], "Two schemes are called 'zeros'"),
        (["he_normal", "kaiming_normal"], "he_normal and kaiming_normal are the same"),
        (["normal", "normal(stddev=0.05)"], "are the same"),
        ({"a": "zeros", "b": "Zeros"}, "a and b are the same"),
        ([3], "3 is not a scheme"),
        (None, "None is not a scheme"),
        ([keras.initializers.HeNormal], "HeNormal is a class"),
    ],
)
def test_what_cannot_be_compared_is_refused(schemes, words):
    with pytest.raises(FaninError, match=words):
        as_choices(schemes)
