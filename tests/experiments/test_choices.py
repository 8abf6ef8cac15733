import keras
import pytest

from fanin.errors import FaninError
from fanin.experiments.choices import as_choices, check_passable
from fanin.frameworks.training import Factory
from fanin.graph.inventory import Inventory
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import Constant, Normal
from fanin.schemes.parse import get_scheme
from fanin.schemes.plan import InitPlan, make_plan
from fanin.schemes.policy import Policy
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


def rule(parameter):
    return Normal(0.0, 0.1) if parameter.kind == "kernel" else None


KERNEL = Parameter("fc", (8, 4), "kernel", ("out", "in"))
PLAN = make_plan(Inventory((KERNEL,)), "he_normal")


@pytest.mark.parametrize(
    ("one", "other", "kind", "label"),
    [
        (
            Policy({"head": "zeros"}, default="he_normal"),
            Policy({"head": "ones"}, default="he_normal"),
            Policy,
            "policy(head: zeros, default: he_normal)",
        ),
        (
            Policy({lambda p: p.shape[0] > 3: "zeros"}),
            Policy({lambda p: p.shape[0] > 5: "zeros"}),
            Policy,
            "policy(<lambda>: zeros, default: he_normal)",
        ),
        (rule, lambda parameter: Normal(0.0, 0.2), Policy, "rule"),
        (Normal(0.0, 0.1), Normal(0.0, 0.2), Policy, "Normal(mean=0.0, sd=0.1)"),
        (PLAN, PLAN.replace("fc", Constant(1.0)), InitPlan, "he_normal"),
    ],
    ids=["policy", "selector", "rule", "distribution", "plan"],
)
def test_what_a_plan_is_made_of_can_be_compared(one, other, kind, label):
    (choice,) = as_choices(one)
    assert isinstance(choice.scheme, kind)
    assert choice.label == label
    (again,) = as_choices([one])
    assert choice.key == again.key
    mine, theirs = as_choices({"a": one, "b": other})
    assert mine.key == choice.key != theirs.key


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("gpt2", "gpt2 has rules for residual_out"),
        ("t5", "t5 has rules for query"),
        ("auto", "auto has rules for"),
        ("siren", "siren has a rule that asks what is around a layer"),
        (Policy({"head": "zeros"}), "has rules by parameter"),
        ("chrono(longest=9)", "has no rule for kernels"),
        (rule, "rule has rules by parameter"),
        (PLAN, "he_normal has rules by parameter"),
    ],
)
def test_a_builder_that_takes_the_initializer_cannot_be_given_rules(scheme, words):
    choices = as_choices(["zeros", scheme])
    check_passable(choices, Factory(print, takes_initializer=False, name="create_model"))
    with pytest.raises(FaninError, match=words) as error:
        check_passable(choices, Factory(print, takes_initializer=True, name="create_model"))
    assert "create_model could be given" in str(error.value)
    assert "leave the initializer out of the builder" in str(error.value)


def test_what_can_be_passed_is_passed():
    choices = as_choices(["he_normal", "torch_default", "icnr", keras.initializers.HeNormal()])
    check_passable(choices, Factory(print, takes_initializer=True, name="create_model"))
