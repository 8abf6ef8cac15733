import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
)
from transformers import TrainingArguments as Arguments
from transformers.modeling_outputs import SequenceClassifierOutput

from fanin.errors import FaninError
from fanin.integrations.check import HealthWarning
from fanin.integrations.transformers import HealthCheck
from fanin.rules.diagnosis import UnhealthyError
from integrations.states import contents, random_state, seed_all

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Classifier(PreTrainedModel):
    """A model that draws random numbers, and keeps statistics and counts, while it trains."""

    config_class = PreTrainedConfig

    def __init__(self, config=None, constant=None):
        super().__init__(config or PreTrainedConfig())
        self.body = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(64, 10)
        self.steps = 0
        if constant is not None:
            for parameter in self.parameters():
                nn.init.constant_(parameter, constant)

    def forward(self, x, labels=None):
        self.steps += 1
        x += 0.1 * torch.randn_like(x) * random.random() * np.random.rand()  # noqa: NPY002
        logits = self.head(self.body(x))
        loss = None if labels is None else f.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


class Losses(TrainerCallback):
    def __init__(self):
        self.logged = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in (logs or {}):
            self.logged.append((logs["loss"], logs["grad_norm"], logs["learning_rate"]))


def rows():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 20, generator=generator), torch.randint(0, 10, (64,), generator=generator)
    return [{"x": a.clone(), "labels": b} for a, b in zip(x, y, strict=True)]


class Stream(torch.utils.data.IterableDataset):
    """Rows that come once, with random numbers of their own."""

    def __init__(self):
        self.rows, self.random = iter(rows()), np.random.default_rng(0)

    def __iter__(self):
        return self

    def __next__(self):
        row = next(self.rows)
        return row | {"x": row["x"] + float(self.random.normal())}


def trained(tmp_path, model, *callbacks, data=None, resume=None, kind=Trainer, **options):
    arguments = Arguments(
        str(tmp_path),
        per_device_train_batch_size=8,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        **({"max_steps": 4, "save_strategy": "no"} | options),
    )
    losses = Losses()
    trainer = kind(model, arguments, train_dataset=data or rows(), callbacks=[losses, *callbacks])
    trainer.train(resume_from_checkpoint=resume)
    return trainer, losses.logged


def run(tmp_path, *callbacks, model=Classifier, data=rows, **options):
    """Return everything that a run leaves behind."""
    seed_all()
    module = model()
    trainer, logged = trained(tmp_path, module, *callbacks, data=data(), **options)
    return {
        "losses": logged,
        "steps": getattr(module, "steps", None),
        "parameters and buffers": contents(module.state_dict()),
        "optimizer": contents(trainer.optimizer.state_dict()),
        "random": random_state(),
    }


def gpt2():
    config = GPT2Config(
        vocab_size=50, n_positions=16, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    return GPT2LMHeadModel(config)


def sentences():
    tokens = torch.randint(0, 50, (64, 16), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": one, "labels": one} for one in tokens]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data": Stream},
        {"model": gpt2, "data": sentences, "gradient_accumulation_steps": 2},
        {"bf16": True},
        {"model": gpt2, "data": sentences, "torch_compile": True, "torch_compile_backend": "eager"},
    ],
    ids=["rows", "stream", "gpt2", "bf16", "compiled"],
)
def test_a_run_is_the_same_with_it(tmp_path, options):
    callback = HealthCheck(fail_on="error")
    assert run(tmp_path, callback, **options) == run(tmp_path, **options)
    assert callback.diagnosis is not None
    assert callback.diagnosis.ok


def test_it_sees_the_batch_and_the_loss_of_the_model(tmp_path):
    seen = []

    class Sees(Classifier):
        def forward(self, x, labels=None):
            if callback.diagnosis is not None and not seen:
                with torch.no_grad():
                    logits = self.head(self.body[:3](x))  # without dropout
                seen.append((tuple(x.shape), f.cross_entropy(logits, labels).item()))
            logits = self.head(self.body(x))
            return {"loss": f.cross_entropy(logits, labels), "logits": logits}

    callback = HealthCheck()
    trained(tmp_path, Sees(), callback)
    assert callback.diagnosis is not None
    vitals = callback.diagnosis.vitals
    assert vitals.output.kind == "cross_entropy"
    assert (vitals.inputs[0].shape, vitals.output.loss) == (seen[0][0], pytest.approx(seen[0][1], rel=1e-5))
    assert [layer.name for layer in vitals.layers] == ["body.0", "body.1", "body.2", "head"]


def test_the_share_of_a_batch_in_several_is_no_part_of_the_loss(tmp_path):
    callback = HealthCheck()
    trained(tmp_path, gpt2(), callback, data=sentences(), gradient_accumulation_steps=8)
    assert callback.diagnosis is not None
    assert callback.diagnosis.vitals.output.loss == pytest.approx(np.log(50), abs=0.3)


def test_labels_that_the_trainer_keeps_leave_the_outputs(tmp_path):
    callback = HealthCheck()
    trained(tmp_path, gpt2(), callback, data=sentences(), label_smoothing_factor=0.1)
    assert callback.diagnosis is not None
    assert callback.diagnosis.vitals.output.kind == "none"
    assert all(one.gradient is not None for one in callback.diagnosis.vitals.parameters)


def test_it_warns_of_what_is_wrong_and_training_goes_on(tmp_path):
    model = Classifier(constant=0.01)
    with pytest.warns(
        HealthWarning, match=r"(?s)Classifier is not healthy.*error SYM101 .* at body\.0.*fix: "
    ):
        trainer, _ = trained(tmp_path, model, HealthCheck())
    assert trainer.state.global_step == 4


def test_it_ends_a_run_before_the_first_step(tmp_path):
    model = Classifier(constant=0.01)
    with pytest.raises(UnhealthyError, match="SYM101"):
        trained(tmp_path, model, HealthCheck(fail_on="error"))
    assert all((parameter == 0.01).all() for parameter in model.parameters())
    assert model.steps == 0


class Elsewhere(Trainer):
    """Computes the loss without calling the model."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        return f.cross_entropy(model.head(model.body(inputs["x"])), inputs["labels"])


def test_what_cannot_be_checked_is_said(tmp_path):
    with pytest.warns(HealthWarning, match="not checked at step 0. The first step did not call it"):
        trained(tmp_path, Classifier(), HealthCheck(), kind=Elsewhere)
    with pytest.raises(FaninError, match="did not call it"):
        trained(tmp_path, Classifier(), HealthCheck(fail_on="error"), kind=Elsewhere)


class Generates(Trainer):
    """Runs the model for other ends before it trains."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        with torch.no_grad():
            model(inputs["x"].clone())
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)


def test_a_call_that_does_not_train_is_not_the_first(tmp_path):
    callback = HealthCheck()
    trained(tmp_path, Classifier(), callback, kind=Generates)
    assert callback.diagnosis is not None
    assert callback.diagnosis.vitals.output.kind == "cross_entropy"


def test_a_run_that_is_resumed_is_not_checked(tmp_path):
    callback, model = HealthCheck(), Classifier()
    trained(tmp_path, model, callback, max_steps=2, save_strategy="steps", save_steps=2)
    assert callback.diagnosis is not None
    trained(tmp_path, Classifier(), callback, max_steps=3, resume=str(tmp_path / "checkpoint-2"))
    assert callback.diagnosis is None


def test_wrong_options_are_told_at_once():
    with pytest.raises(FaninError):
        HealthCheck(select=["NOT"])
