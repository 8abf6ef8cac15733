"""Mimetic initialization: products of projections, not single ones, are what the paper prescribes."""

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError

D, HEADS = 96, 3


class Separate(nn.Module):
    """Attention with a layer for each projection, as the common code has it."""

    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(D, D) for _ in range(4))
        self.num_heads = HEADS


class Block(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attn, self.fc1 = attention(), nn.Linear(D, 4 * D)


class Model(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.blocks = nn.ModuleList(Block(attention) for _ in range(2))


def projections(attention):
    if isinstance(attention, nn.MultiheadAttention):
        return [*attention.in_proj_weight.detach().chunk(3), attention.out_proj.weight.detach()]
    return [
        layer.weight.detach()
        for layer in (attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj)
    ]


ATTENTIONS = {"packed": lambda: nn.MultiheadAttention(D, HEADS), "separate": Separate}


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_products_are_noise_and_identity(kind):
    model = fanin.initialize(Model(ATTENTIONS[kind]), "he_normal + mimetic(heads=3)", seed=2)
    for block in model.blocks:
        query, key, value, out = projections(block.attn)
        for q, k in zip(query.chunk(HEADS), key.chunk(HEADS), strict=True):
            product = (q.T @ k).numpy()  # x -> x W_q W_k^T x, of rank 32
            s = np.linalg.svd(product, compute_uv=False)
            assert s[D // HEADS] < 1e-4
            assert product.trace() / D > 0.2
            assert s[0] < 0.7 * (1 + 2) + 0.2
        whole = (out @ value).numpy()  # of full rank: .4 Z - .4 I
        assert whole.trace() / D == pytest.approx(-0.4, abs=0.1)
        noise = whole + 0.4 * np.eye(D)
        assert noise.std() == pytest.approx(0.4 / np.sqrt(D), rel=0.05)


def test_each_layer_and_head_has_its_own_noise_and_seeds_differ():
    packed = [
        fanin.initialize(Model(ATTENTIONS["packed"]), "he_normal + mimetic(heads=3)", seed=s)
        for s in (0, 0, 1)
    ]
    weights = [projections(model.blocks[0].attn)[0] for model in packed]
    assert torch.equal(weights[0], weights[1])
    assert not torch.allclose(weights[0], weights[2])
    assert not torch.allclose(weights[0], projections(packed[0].blocks[1].attn)[0])
    one, other, _ = weights[0].chunk(HEADS)
    assert not torch.allclose(one, other)


def test_packed_and_separate_projections_are_the_same_factors():
    """The name of the attention is what both are drawn under."""
    both = [fanin.initialize(Model(make), "he_normal + mimetic(heads=3)") for make in ATTENTIONS.values()]
    for one, other in zip(*(projections(model.blocks[0].attn) for model in both), strict=True):
        torch.testing.assert_close(one, other)


def test_the_plan_has_the_second_moments():
    model, scheme = Model(ATTENTIONS["separate"]), "he_normal + mimetic(heads=3)"
    plan = fanin.plan(model, scheme)
    fanin.apply(plan, model, seed=1)
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        measured = getattr(model.blocks[0].attn, name).weight.detach().pow(2).mean()
        assert float(measured) == pytest.approx(plan[f"blocks.0.attn.{name}.weight"].sd ** 2, rel=0.05)
    assert plan["blocks.0.fc1.weight"].reason.startswith("he_normal")
    assert fanin.InitPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("he_normal + mimetic", "How many heads"),
        ("he_normal + mimetic(heads=5)", "5 heads and a width of 96 do not fit"),
    ],
)
def test_heads_must_be_known_and_fit(scheme, words):
    class Anonymous(Separate):
        def __init__(self):
            super().__init__()
            del self.num_heads

    with pytest.raises(FaninError) as error:
        fanin.initialize(Model(Anonymous), scheme)
    assert words in str(error.value)
