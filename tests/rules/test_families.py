"""Healthy families, a sample of those that `python -m benchmarks checking` looks at."""

import importlib.util

import pytest
from benchmarks.checking.sweep import TRANSFORMERS, look

FAMILIES = [
    *(f"transformers/{name}" for name in TRANSFORMERS),
    "keras/MobileNetV2",
    "torchvision/vit_b_16",
    "torchvision/resnet18",
    "timm/cait_xxs24_224",
    "timm/convnext_atto",
]


@pytest.mark.parametrize("path", FAMILIES)
def test_a_healthy_family_is_not_told_of(path):
    library = path.partition("/")[0]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"without {library}")
    found = look(path)
    assert "fails" not in found, found
    assert found["worst"] in (None, "info"), found["findings"]
