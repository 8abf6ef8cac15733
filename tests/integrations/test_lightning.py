import random
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.nn import functional as f
from torchmetrics.classification import MulticlassAccuracy

from fanin.errors import FaninError
from fanin.integrations.check import HealthWarning
from fanin.integrations.lightning import HealthCheck, inputs_of
from fanin.rules.diagnosis import UnhealthyError
from integrations.states import contents, random_state, seed_all

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*does not have many workers")


class Classifier(pl.LightningModule):
    """A module that draws random numbers, logs, and keeps metrics, statistics and lists while it trains."""

    def __init__(self, constant=None):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(64, 10)
        self.accuracy, self.losses, self.steps = MulticlassAccuracy(10), [], 0
        if constant is not None:
            for parameter in self.parameters():
                nn.init.constant_(parameter, constant)

    def forward(self, x):
        return self.head(self.body(x))

    def training_step(self, batch, batch_idx):
        x, y = batch
        x += 0.1 * torch.randn_like(x) * random.random() * np.random.rand()  # noqa: NPY002
        logits = self(x)
        loss = f.cross_entropy(logits, y)
        self.accuracy(logits, y)
        self.log("accuracy", self.accuracy)
        self.log(f"draw{torch.randint(1000, ()).item()}", 1.0)
        self.log_dict({"loss": loss, "step": float(self.steps)}, prog_bar=True)
        if self.logger is not None:
            self.logger.log_metrics({"mine": float(self.steps)}, step=self.steps)
        self.steps += 1
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), 1e-2)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


class Pair(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


def loader(collate=None):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(96, 20, generator=generator), torch.randint(0, 10, (96,), generator=generator)
    data = torch.utils.data.TensorDataset(x, y)
    return torch.utils.data.DataLoader(data, 32, shuffle=True, collate_fn=collate)


def fitted(model, *callbacks, collate=None, **options):
    options = {"logger": False, "max_epochs": 2} | options
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(model, loader(collate))
    return trainer


def all_of(trainer, model):
    """Return everything that a run leaves behind."""
    return {
        "losses": model.losses,
        "steps": model.steps,
        "parameters and buffers": contents(model.state_dict()),
        "optimizer": contents(trainer.optimizers[0].state_dict()),
        "metrics": contents(dict(trainer.callback_metrics)),
        "accuracy": contents(vars(model.accuracy)["_update_count"]),
        "random": random_state(),
    }


def run(*callbacks, model=Classifier, **options):
    seed_all()
    module = model()
    return all_of(fitted(module, *callbacks, **options), module)


@pytest.mark.parametrize("options", [{}, {"accumulate_grad_batches": 2}, {"precision": "bf16-mixed"}])
def test_a_run_is_the_same_with_it(options):
    callback = HealthCheck()
    assert run(callback, **options) == run(**options)
    assert callback.diagnosis is not None
    assert callback.diagnosis.ok


class Plain(Classifier):
    """A module that does nothing besides; its loss is not what its outputs alone would give."""

    def training_step(self, batch, batch_idx):
        return 1.5 * f.cross_entropy(self(batch[0]), batch[1])


def test_a_compiled_module_is_the_same_with_it():
    def compiled_run(*callbacks):
        seed_all()
        trainer = fitted(torch.compile(Plain(), backend="eager"), *callbacks)
        return all_of(trainer, trainer.lightning_module)

    callback = HealthCheck(fail_on="error")
    assert compiled_run(callback) == compiled_run()
    assert callback.diagnosis is not None
    assert [one.name for one in callback.diagnosis.vitals.layers] == ["body.0", "body.1", "body.2", "head"]


def test_what_is_logged_is_the_same_with_it(tmp_path):
    for name, callbacks in (("with", [HealthCheck()]), ("without", [])):
        run(*callbacks, logger=CSVLogger(tmp_path, name=name, version=0, flush_logs_every_n_steps=1))
    lines = {name: (tmp_path / name / "version_0/metrics.csv").read_text() for name in ("with", "without")}
    assert lines["with"] == lines["without"]
    assert "mine" in lines["with"]


def test_it_sees_the_loss_of_the_training_step_and_the_layers_of_the_module():
    class First(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if batch_idx == trainer.current_epoch == 0:
                self.x, logits = batch[0], module.head(module.body[:3](batch[0]))  # without dropout
                self.loss = 1.5 * f.cross_entropy(logits, batch[1]).item()

    seed_all()
    model, callback, first = Plain(), HealthCheck(), First()
    fitted(model, callback, first)
    assert callback.diagnosis is not None
    vitals = callback.diagnosis.vitals
    assert vitals.model == "Plain"
    assert [layer.name for layer in vitals.layers] == ["body.0", "body.1", "body.2", "head"]
    assert vitals.output.kind == "cross_entropy"
    assert vitals.output.shape == (32, 10)
    assert vitals.output.loss == pytest.approx(first.loss, rel=1e-5)
    assert [one.shape for one in vitals.inputs] == [(32, 20)]
    assert vitals.inputs[0].values.sd == pytest.approx(first.x.std(correction=0).item(), rel=1e-5)


def test_it_warns_of_what_is_wrong_and_training_goes_on():
    model, callback = Classifier(constant=0.01), HealthCheck()
    with pytest.warns(
        HealthWarning, match=r"(?s)Classifier is not healthy.*error SYM101 .* at body\.0.*fix: "
    ):
        fitted(model, callback)
    assert model.steps == 6


def test_it_ends_a_run_before_the_first_step():
    model = Classifier(constant=0.01)
    with pytest.raises(UnhealthyError, match="SYM101"):
        fitted(model, HealthCheck(fail_on="error"))
    assert model.steps == 0
    assert all((parameter == 0.01).all() for parameter in model.parameters())


def test_rules_are_left_out():
    callback = HealthCheck(fail_on="info", ignore=["ALL"])
    fitted(Classifier(constant=0.01), callback)
    assert callback.diagnosis is not None
    assert callback.diagnosis.findings == ()


def as_mapping(rows):
    x, y = (torch.stack(column) for column in zip(*rows, strict=True))
    return {"x": x, "labels": y, "scale": torch.ones(3)}


def as_pair(rows):
    return Pair(*(torch.stack(column) for column in zip(*rows, strict=True)))


@dataclass
class Example:
    x: torch.Tensor
    labels: torch.Tensor
    scale: torch.Tensor


def as_object(rows):
    return Example(**as_mapping(rows))


@pytest.mark.parametrize("collate", [as_mapping, as_pair, as_object])
def test_batches_keep_their_type(collate):
    seen: set[type] = set()

    class Typed(Classifier):
        def training_step(self, batch):  # batch_idx is optional
            seen.add(type(batch))
            x, y, *scale = batch.values() if isinstance(batch, dict) else vars_of(batch)
            for one in scale:
                x *= one.mul_(1.1).mean()
            return {"loss": super().training_step((x, y), 0), "more": 1}

    callback = HealthCheck(fail_on="error")
    assert run(callback, model=Typed, collate=collate) == run(model=Typed, collate=collate)
    assert callback.diagnosis is not None
    assert callback.diagnosis.vitals.output.kind == "cross_entropy"
    assert seen == {type(collate([(torch.zeros(20), torch.tensor(0))]))}


def vars_of(batch):
    return batch if isinstance(batch, tuple) else (batch.x, batch.labels, batch.scale)


def test_inputs_of_a_batch():
    x, y = torch.zeros(1), torch.ones(1)
    assert inputs_of(x) is x
    assert inputs_of([x, y]) is x
    assert inputs_of(({"ids": x, "mask": y}, y)) == {"ids": x, "mask": y}
    assert inputs_of({"ids": x, "labels": y}) == {"ids": x}
    assert inputs_of({"labels": y}) == {"labels": y}


def test_what_an_unknown_loss_takes_is_what_the_module_returns_last():
    class Hinge(Classifier):
        def training_step(self, batch, batch_idx):
            return f.relu(1 - self(batch[0])).square().mean()

    callback = HealthCheck()
    fitted(Hinge(), callback)
    assert callback.diagnosis is not None
    assert callback.diagnosis.vitals.output.kind == "other"
    assert callback.diagnosis.vitals.output.shape == (32, 10)


def test_a_batch_is_cut_where_memory_is_short():
    class Large(Classifier):
        def training_step(self, batch, batch_idx):
            if self.trainer.callbacks[0].diagnosis is None and len(batch[0]) > 8:
                raise torch.OutOfMemoryError("out of memory")
            assert len(batch[0]) == len(batch[1])
            return super().training_step(batch, batch_idx)

    callback = HealthCheck(fail_on="error")
    fitted(Large(), callback)
    assert callback.diagnosis is not None
    assert callback.diagnosis.vitals.examples == 8


class ByHand(Classifier):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        optimizer.step()


class Skips(Classifier):
    def training_step(self, batch, batch_idx):
        return None


@pytest.mark.parametrize(("model", "why"), [(ByHand, "optimizes by itself"), (Skips, "returns no loss")])
def test_what_cannot_be_checked_is_said(model, why):
    seed_all()
    with pytest.warns(HealthWarning, match=f"not checked at step 0. .*{why}"):
        fitted(model(), HealthCheck())
    with pytest.raises(FaninError, match=why):
        fitted(model(), HealthCheck(fail_on="error"))


def test_it_looks_once_a_run_and_not_at_one_that_is_resumed(tmp_path):
    class Counts(Classifier):
        def training_step(self, batch, batch_idx):
            calls.append(self.trainer.global_step)
            return super().training_step(batch, batch_idx)

    calls: list[int] = []
    callback = HealthCheck()
    trainer = fitted(Counts(), callback)
    assert len(calls) == 6 + 1
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    calls.clear()
    trainer.fit_loop.max_epochs = 3
    with warnings.catch_warnings():
        warnings.simplefilter("error", HealthWarning)
        trainer.fit(Counts(constant=0.01), loader(), ckpt_path=tmp_path / "run.ckpt")
    assert len(calls) == 3
    assert callback.diagnosis is None


@pytest.mark.parametrize(
    "wrong", [{"fail_on": "bad"}, {"warn_on": "bad"}, {"select": ["NOT"]}, {"ignore": ["NOT"]}]
)
def test_wrong_options_are_told_at_once(wrong):
    with pytest.raises(FaninError):
        HealthCheck(**wrong)
