import subprocess
import sys

import pytest

from fanin.errors import FaninError
from fanin.frameworks.keras.backend import use_backend


def printed(code, **environment):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_the_backend_that_keras_runs_on_is_kept():
    import keras

    assert use_backend() == use_backend("jax") == keras.backend.backend() == "jax"


def test_keras_cannot_change_its_backend():
    with pytest.raises(FaninError, match="already runs on jax") as error:
        use_backend("torch")
    assert "KERAS_BACKEND=torch" in error.value.fix


def test_an_unknown_backend_is_refused():
    with pytest.raises(FaninError, match="There is no backend 'mxnet'"):
        use_backend("mxnet")


def test_keras_on_torch_is_kept_with_a_warning_that_names_the_callers_line():
    said = printed(
        "import os; os.environ['KERAS_BACKEND'] = 'torch'\n"
        "import keras, fanin\n"
        "c = fanin.compare(schemes=['zeros', 'he_normal'], seeds=1, epochs=1)\n"
        "print(c.study['backend'], *c.notes)"
    )
    assert "<string>:3: UserWarning: Keras already runs on torch" in said
    assert "torch Trained one run after the other with Keras' own fit: Keras runs on torch." in said
