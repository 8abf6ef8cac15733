"""Scales that are unusual, forget gates, and ties that are lost."""

import copy

import pytest
import torch
from benchmarks.torchvision_on_cpu import allow_torchvision
from torch import nn

import fanin
from fanin.frameworks.torch.checking.ties import lost
from rules.faulty import CE, chain

allow_torchvision()  # before transformers is imported


def codes(model, *batch, **options):
    return {one.code: one for one in fanin.diagnose(model, *batch, select=("SET", "SYM"), **options).findings}


@pytest.mark.parametrize(("factor", "told"), [(1.0, False), (40.0, False), (60.0, True), (1 / 60, True)])
def test_an_unusual_scale(factor, told):
    torch.manual_seed(0)
    model = chain(64, 64, 64, 10)
    nn.init.normal_(model[2].weight, std=factor / 8)  # 1 / sqrt(64) is 1 / 8
    found = codes(model, torch.randn(32, 64), torch.arange(32) % 10, loss=CE)
    assert ("SET104" in found) == told
    if told:
        assert found["SET104"].where == "2.weight"
        assert found["SET104"].severity == "info"
        assert found["SET104"].observed == pytest.approx(factor, rel=0.1)


def test_an_embedding_has_no_usual_scale():
    model = nn.Sequential(nn.Embedding(10, 10000), nn.Linear(10000, 4))
    assert not codes(model, torch.arange(8).reshape(8, 1))


class Reader(nn.Module):
    def __init__(self, layers=1):
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, 16, layers, batch_first=True), nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def read(model, steps):
    return codes(model, torch.randn(8, steps, 8), torch.arange(8) % 4, loss=CE)


def test_forget_gates_that_forget():
    model = Reader()
    told = read(model, 30)["SET106"]
    bias = (model.lstm.bias_ih_l0 + model.lstm.bias_hh_l0)[16:32].mean().item()
    assert told.where == "lstm.bias_ih_l0"
    assert told.observed == pytest.approx(bias, abs=1e-6)
    assert told.evidence["steps"] == 30
    assert told.severity == "info"
    # sigmoid(0)^7 is .8 %, and sigmoid(0)^6 is 1.6 %
    nn.init.zeros_(model.lstm.bias_ih_l0), nn.init.zeros_(model.lstm.bias_hh_l0)
    assert "SET106" in read(model, 7)
    assert "SET106" not in read(model, 6)


@pytest.mark.parametrize(("bias", "severity"), [(-3.0, "info"), (-4.0, "warning")])
def test_forget_gates_that_are_closed(bias, severity):
    model = Reader()
    nn.init.constant_(model.lstm.bias_ih_l0, bias), nn.init.zeros_(model.lstm.bias_hh_l0)
    assert read(model, 30)["SET106"].severity == severity


@pytest.mark.parametrize("name", ["bias_ih_l0", "bias_hh_l0"])
def test_forget_gates_that_begin_open(name):
    model = Reader()
    with torch.no_grad():
        getattr(model.lstm, name)[16:32] = 1
    assert "SET106" not in read(model, 30)


def test_fanin_opens_forget_gates():
    assert "SET106" not in read(fanin.initialize(Reader(), "auto"), 30)


def test_a_loop_of_cells_is_counted():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(8, 16)

        def forward(self, x):
            state = None
            for step in x.unbind(0):
                state = self.cell(step, state)
            return state[0]

    told = codes(Loop(), torch.randn(12, 4, 8))["SET106"]
    assert told.evidence["steps"] == 12


def of_tokens(logits, ids):
    return nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())


class Speaker(nn.Module):
    def __init__(self, tied):
        super().__init__()
        self.table, self.head = nn.Embedding(50, 16), nn.Linear(16, 50, bias=False)
        nn.init.normal_(self.table.weight, std=0.02)
        self.head.weight = self.table.weight if tied else copy.deepcopy(self.table.weight)

    def forward(self, ids):
        return self.head(self.table(ids))


def test_a_copy_of_an_embedding():
    ids = torch.arange(48).reshape(8, 6)
    assert not codes(Speaker(tied=True), ids, ids, loss=of_tokens)
    found = codes(Speaker(tied=False), ids, ids, loss=of_tokens)
    assert list(found) == ["SET107"]
    assert (found["SET107"].where, found["SET107"].severity) == ("head.weight", "warning")


def test_a_tie_that_a_configuration_declares():
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=50, tie_word_embeddings=True, **sizes))
    assert not list(lost(model))
    model.lm_head.weight = nn.Parameter(0.02 * torch.randn(50, 32))
    assert list(lost(model)) == [("lm_head.weight", "model.embed_tokens.weight")]
    found = codes(model, {"input_ids": torch.arange(20).reshape(2, 10)})
    assert "SET107" in found
    model.config.tie_word_embeddings = False
    assert not list(lost(model))


@pytest.mark.parametrize(
    ("mean", "sd", "found"), [(0.0, 0.02, True), (1.0, 0.02, False), (0.1, 0.1, False), (0.0, 0.0, False)]
)
def test_scales_of_norms_that_are_drawn_around_nothing(mean, sd, found):
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 4)
    )
    torch.manual_seed(0)
    nn.init.normal_(model[1].weight, mean, sd)
    told = codes(model, torch.randn(16, 3, 8, 8), torch.arange(16) % 4, loss=CE)
    assert ("SET109" in told) == found
    if found:
        assert (told["SET109"].where, told["SET109"].severity) == ("1.weight", "warning")
