from dataclasses import replace

import pytest

import fanin
from fanin.errors import FaninError
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import (
    ICNR,
    Chrono,
    Constant,
    Factor,
    Normal,
    Orthogonal,
    PerGate,
    Uniform,
    Values,
)
from fanin.schemes.plan import InitPlan, make_plan
from fanin.schemes.policy import Policy
from fanin.schemes.scheme import Scheme

KERNEL = Parameter("block.0.fc.weight", (8, 4), "kernel", ("out", "in"), layer="Linear")
HEAD = Parameter("out.weight", (2, 8), "kernel", ("out", "in"), layer="Linear", roles=("head",))
BIAS = Parameter("out.bias", (2,), "bias", kernel=HEAD, layer="Linear")
NORM = Parameter("norm.weight", (8,), "norm", layer="LayerNorm")
OTHER = Parameter("scale", (1,), layer="Mine")
TABLE = Parameter("table", (10, 4), "embedding", ("in", "out"), roles=("embedding",))
LSTM = Parameter("lstm.bias", (16,), "bias", gates=4, gate_names=("input", "forget", "cell", "output"))
ALL = (KERNEL, HEAD, BIAS, NORM, OTHER, TABLE, LSTM)


def drawn(policy, parameter):
    return Policy(policy, default="orthogonal").decide(parameter).distribution


@pytest.mark.parametrize(
    "selector",
    ["head", "kernel", "Linear", "out.*", "*.weight", fanin.role.head, lambda p: p.shape == (2, 8)],
)
def test_selectors_of_every_kind_reach_what_they_mean(selector):
    assert drawn({selector: "zeros"}, HEAD) == Constant(0.0)
    assert drawn({selector: "zeros"}, TABLE) is None


def test_the_first_rule_that_matches_decides():
    rules = {"out.*": "zeros", "Linear": "ones"}
    assert drawn(rules, HEAD) == Constant(0.0)
    assert drawn(rules, KERNEL) == Constant(1.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("normal(stddev=0.5)", Normal(0.0, 0.5)),
        (Normal(0.0, 3.0), Normal(0.0, 3.0)),
        (Scheme("mine", lambda p: Normal(0.0, 1 / p.shape[1])), Normal(0.0, 0.125)),
        (lambda p: Normal(0.0, 7.0), Normal(0.0, 7.0)),
        (fanin.keep, None),
    ],
)
def test_values_of_every_kind(value, expected):
    assert drawn({"head": value}, HEAD) == expected


def test_a_scheme_reaches_kernels_and_what_a_rule_names():
    policy = Policy({}, default="normal")
    assert policy.decide(TABLE).distribution is None
    assert policy.decide(TABLE).reason == "no rule for embedding"
    assert drawn({"embedding": "normal"}, TABLE) == Normal(0.0, 0.05)


def test_what_no_rule_reaches():
    policy = Policy({}, default="orthogonal")
    assert policy.decide(KERNEL).distribution == Orthogonal(1.0)
    assert policy.decide(BIAS).distribution == Constant(0.0)
    assert policy.decide(LSTM).distribution == PerGate(
        (Constant(0.0), Constant(1.0), Constant(0.0), Constant(0.0))
    )
    assert policy.decide(NORM).reason == "norms stay as they are"
    assert policy.decide(OTHER).reason == "unknown parameter of Mine"


@pytest.mark.parametrize("value", [3, None, object()])
def test_what_is_no_scheme_is_said_so(value):
    with pytest.raises(FaninError, match="is not a scheme"):
        Policy({"head": value})


def test_a_rule_that_returns_something_else_is_said_so():
    with pytest.raises(FaninError, match=r"returned float for out\.weight"):
        drawn({"head": lambda p: 0.1}, HEAD)


def test_a_plan_lists_everything_once():
    plan = make_plan(Inventory(ALL, (Kept("tied", (8, 4), "tied to table"),), "net"), "he_normal")
    names = [row.parameter.name for row in plan] + [kept.name for kept in plan.untouched]
    assert sorted(names) == sorted([p.name for p in ALL] + ["tied"])
    assert plan.notes == ("Parameters of unknown layers stay as they are: scale.",)


def test_a_plan_is_data():
    plan = make_plan(Inventory(ALL, (Kept("tied", (8, 4), "tied to table"),), "net"), "he_normal")
    assert InitPlan.from_json(plan.to_json()) == plan
    assert plan.replace("out.weight", Constant(0.0))["out.weight"].distribution == Constant(0.0)
    assert plan["out.weight"].distribution != Constant(0.0)


def test_a_plan_is_kept_in_a_file(tmp_path):
    plan = make_plan(Inventory(ALL), "he_normal")
    plan.to_json(tmp_path / "plan.json")
    assert InitPlan.from_json(tmp_path / "plan.json") == plan


def test_bad_plans():
    plan = make_plan(Inventory(ALL), "he_normal")
    with pytest.raises(FaninError, match=r"does not draw 'out\.weigth'") as error:
        plan["out.weigth"]
    assert "out.weight" in str(error.value)
    with pytest.raises(FaninError, match="not the record of a plan"):
        InitPlan.from_dict({"rows": 3})
    with pytest.raises(FaninError, match="is no distribution"):
        InitPlan.from_json(plan.to_json().replace('"Constant"', '"Constnat"'))
    with pytest.raises(FaninError, match="has no parameters"):
        make_plan(Inventory((), source="Identity (torch)"), "zeros")
    with pytest.raises(FaninError, match="1 parameters are of unknown layers: scale"):
        make_plan(Inventory(ALL), "zeros", strict=True)
    with pytest.raises(FaninError, match="A standard deviation is nan"):
        make_plan(Inventory((KERNEL,)), Normal(0.0, float("nan")))


def test_rules_that_reach_nothing_are_noted():
    plan = make_plan(Inventory((KERNEL,)), Policy({"hed": "zeros"}))
    assert plan.notes == ("The rule for 'hed' reaches no parameter.",)


class TestIntendedZeros:
    """Kernels that are all 0, beside others that are not, were made so: zero heads, LoRA's B, adaLN-zero."""

    def model(self):
        torch = pytest.importorskip("torch")
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        torch.nn.init.zeros_(model[1].weight)
        return model

    def test_they_stay_and_the_plan_says_so(self):
        model = self.model()
        kept = {kept.name: kept.reason for kept in fanin.plan(model, "he_normal").untouched}
        assert kept["1.weight"].startswith("all 0 on purpose")
        assert not fanin.initialize(model, "he_normal")[1].weight.any()

    @pytest.mark.parametrize("selector", ["1.weight", "head", "Linear"])
    def test_a_rule_that_means_them_draws_them(self, selector):
        assert fanin.initialize(self.model(), Policy({selector: "he_normal"}))[1].weight.any()

    def test_a_model_of_zeros_is_drawn_anew(self):
        model = fanin.initialize(self.model(), "zeros")
        fanin.initialize(model, Policy({"1.weight": "zeros"}, default="zeros"))
        assert fanin.initialize(model, "he_normal")[1].weight.any()

    def test_they_stay_in_keras_and_flax_too(self):
        import keras
        from flax import nnx

        dense = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2, kernel_initializer="zeros")]
        )
        linear = nnx.Sequential(
            nnx.Linear(3, 4, rngs=nnx.Rngs(0)),
            nnx.Linear(4, 2, kernel_init=nnx.initializers.zeros, rngs=nnx.Rngs(0)),
        )
        for model in (dense, linear):
            kept = [kept.name for kept in fanin.plan(model, "he_normal").untouched if "all 0" in kept.reason]
            assert len(kept) == 1


class TestWhatDoesNotFit:
    """Refused when a plan is made, edited or read, so that no model is filled by half."""

    CONV = Parameter("conv", (6, 4, 3, 3), "kernel", ("out", "in", "tap", "tap"))

    @pytest.mark.parametrize(
        ("parameter", "distribution", "words"),
        [
            (CONV, ICNR(Normal(0.0, 1.0), 4), "which are no 4 copies"),
            (CONV, Values((1.0, 2.0)), "2 values do not fit conv"),
            (CONV, Chrono(10.0), "no forget or update gate"),
            (CONV, PerGate((Normal(0.0, 1.0),) * 4), "does not split into 4 gates"),
            (KERNEL, Factor(True, "query_key", "attn", 3, 0.7, 0.7), "do not fit block"),
            (KERNEL, PerGate((Normal(0.0, 1.0), Chrono(10.0))), "no forget or update gate"),
            (OTHER, Orthogonal(), "is no matrix that fanin knows"),
            (replace(KERNEL, complex=True), Uniform(0.0, 1.0), "is for real numbers"),
        ],
    )
    def test_by_its_message(self, parameter, distribution, words):
        with pytest.raises(FaninError, match=words):
            make_plan(Inventory((parameter,)), distribution)

    def test_also_where_a_plan_is_edited_or_read(self):
        plan = make_plan(Inventory((self.CONV,)), "he_normal")
        with pytest.raises(FaninError, match="2 values do not fit"):
            plan.replace("conv", Values((1.0, 2.0)))
        record = plan.to_dict()
        record["rows"][0]["distribution"] = {"kind": "Values", "values": [1.0, 2.0]}
        with pytest.raises(FaninError, match="2 values do not fit"):
            InitPlan.from_dict(record)


def test_functions_of_the_catalogue_are_schemes_with_or_without_a_call():
    from fanin.schemes import he_normal, zeros

    rules = {"head": zeros, "*.norm*": fanin.keep, fanin.role.residual_out: he_normal(scale=0.5)}
    policy = Policy(rules, default="he_normal")
    assert policy.label.startswith(
        "policy(head: zeros, *.norm*: asked to keep, residual_out: he_normal(scale=0.5)"
    )
    assert policy.decide(HEAD).distribution == Constant(0.0)
    assert Policy({}, default=he_normal).decide(KERNEL) == Policy({}).decide(KERNEL)


def test_a_registered_function_of_the_users_is_one_too():
    @fanin.scheme(formula="0.1", source="test_policy")
    def tenth_for_this_test():
        """A tenth everywhere."""
        return {"kernel": lambda p: Constant(0.1)}

    assert make_plan(Inventory((KERNEL,)), tenth_for_this_test).scheme == "tenth_for_this_test"
