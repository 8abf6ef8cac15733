"""What trains imports torchvision where it is installed, which may be one for CUDA."""

import importlib.util

from benchmarks.torchvision_on_cpu import allow_torchvision

if importlib.util.find_spec("torchvision"):
    allow_torchvision()
