"""Healthy models of all families with their own first weights: what a check says of them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

FAMILIES = Path(__file__).with_name("families.txt").read_text(encoding="utf-8").split()
"""A small member of each family, after the library that has it."""

_SMALL = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4}
_WORDS = {**_SMALL, "vocab_size": 500}
TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "GPT-2": (
        "GPT2Config",
        "GPT2LMHeadModel",
        {"n_embd": 128, "n_layer": 4, "n_head": 4, "vocab_size": 500, "n_positions": 64}
        | {"bos_token_id": 0, "eos_token_id": 0},
    ),
    "BERT": ("BertConfig", "BertForMaskedLM", _WORDS),
    "Llama": ("LlamaConfig", "LlamaForCausalLM", {**_WORDS, "num_key_value_heads": 2}),
    "Mistral": ("MistralConfig", "MistralForCausalLM", {**_WORDS, "num_key_value_heads": 2}),
    "Qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {**_WORDS, "num_key_value_heads": 2}),
    "GPT-NeoX": ("GPTNeoXConfig", "GPTNeoXForCausalLM", _WORDS),
    "T5": (
        "T5Config",
        "T5ForConditionalGeneration",
        {"d_model": 128, "d_kv": 32, "d_ff": 256, "num_layers": 3, "num_heads": 4, "vocab_size": 500}
        | {"decoder_start_token_id": 0},
    ),
    "ViT": ("ViTConfig", "ViTForImageClassification", {**_SMALL, "image_size": 64, "num_labels": 100}),
    "Mamba": (
        "MambaConfig",
        "MambaForCausalLM",
        {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 500},
    ),
}


def measure() -> dict[str, Any]:
    """Look at every model, two processes of one thread each."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        return dict(zip(FAMILIES, pool.map(look, FAMILIES), strict=True))


def _one_thread() -> None:
    os.environ["KERAS_BACKEND"] = "jax"
    import torch

    torch.set_num_threads(1)


def look(path: str) -> dict[str, Any]:
    """Return what a check says of a model, such as "timm/resnet26d"."""
    import fanin
    from benchmarks.torchvision_on_cpu import allow_torchvision

    allow_torchvision()
    family, _, name = path.partition("/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model, x, y, loss = MAKERS[family](name)
            found = fanin.diagnose(model, x, y, loss=loss)
        except Exception as error:  # whatever stops it is the result
            return {"fails": f"{type(error).__name__}: {error}"[:200]}
    return {
        "worst": found.worst,
        "findings": [(one.code, one.severity, one.where) for one in found.findings],
        "seconds": found.seconds,
    }


def _pictures(size: int, examples: int = 4) -> tuple[Any, Any]:
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(examples, 3, 64, 64, generator=generator) / 2
    x = x + torch.randn(examples, 3, 1, 1, generator=generator) / 2
    return torch.nn.functional.interpolate(x, size), torch.randint(0, 100, (examples,), generator=generator)


def _torchvision(name: str) -> tuple[Any, Any, Any, Any]:
    import torch
    import torchvision

    torch.manual_seed(0)
    more = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    size = {"vit_b_16": 224, "maxvit_t": 224, "inception_v3": 96, "alexnet": 96}.get(name, 64)
    return getattr(torchvision.models, name)(num_classes=100, **more), *_pictures(size), "cross_entropy"


def _timm(name: str) -> tuple[Any, Any, Any, Any]:
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=100)
    return model, *_pictures(model.default_cfg["input_size"][-1], 2), "cross_entropy"


def _transformers(name: str) -> tuple[Any, Any, Any, Any]:
    import torch
    import transformers

    torch.manual_seed(0)
    config, kind, options = TRANSFORMERS[name]
    model = getattr(transformers, kind)(getattr(transformers, config)(**options))
    x, y = _pictures(64)
    ids = torch.randint(0, 500, (4, 32))
    batch = {"pixel_values": x, "labels": y} if name == "ViT" else {"input_ids": ids, "labels": ids}
    return model, batch, None, None


def _keras(name: str) -> tuple[Any, Any, Any, Any]:
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    size = 224 if name == "NASNetMobile" else 96
    model = getattr(keras.applications, name)(weights=None, classes=100, input_shape=(size, size, 3))
    random = np.random.default_rng(0)
    x = random.normal(0.5, 0.25, (4, size, size, 3)).astype("float32")
    x = 255 * x if name.startswith(("MobileNetV3", "Efficient", "ConvNeXt")) else x
    return model, x, random.integers(0, 100, 4), "sparse_categorical_crossentropy"


MAKERS: dict[str, Callable[[str], tuple[Any, Any, Any, Any]]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
    "keras": _keras,
}


def lines(result: dict[str, Any]) -> list[str]:
    """Return what was found as lines of RESULTS.md."""
    counts = [sum(one.get("worst") == kind for one in result.values()) for kind in ("error", "warning")]
    fails = [name for name, one in result.items() if "fails" in one]
    return [
        "### Healthy models",
        "",
        f"{len(result)} families of torchvision, timm, transformers and keras.applications with their own first "
        f"weights, one batch each: {counts[0]} with an error (goal 0), {counts[1]} with a warning "
        f"({counts[1] / len(result):.1%}; goal 5%), {len(fails)} that could not be looked at.",
        "",
        *_told(result),
    ]


def _told(result: dict[str, Any]) -> Iterator[str]:
    for name, one in result.items():
        if "fails" in one:
            yield f"- {name}: {one['fails']}"
        elif one["worst"] in ("error", "warning"):
            found = ", ".join(f"{code} at {where}" for code, kind, where in one["findings"] if kind != "info")
            yield f"- {name}: {found}"
