import json

import pytest

from commands import invoke

MINE = """
import numpy as np
print("a file that prints")
def bent(x): return np.maximum(x, 0.1 * x)
def needs(x, alpha): return alpha * x
number = 3
"""


@pytest.fixture
def mine(folder):
    (folder / "mine.py").write_text(MINE)
    return folder


def test_it_prints_a_table_and_whether_it_is_stable():
    result = invoke("gain gelu")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for part in ("1.53353", "Unstable", "After 50 layers of width 1024"):
        assert part in result.stdout


def test_json_is_what_to_dict_says():
    from fanin import gain

    result = invoke("gain 'leaky_relu(0.2)' --depth 3 --width 7 --json")
    assert json.loads(result.stdout) == gain("leaky_relu(0.2)", depth=3, width=7).to_dict()


def test_a_function_of_the_users_and_nothing_else_on_stdout(mine):
    result = invoke("gain mine.py:bent --json")
    record = json.loads(result.stdout)
    assert "a file that prints" in result.stderr
    assert (record["name"], record["source"], record["kinks"]) == ("bent", "numerical", [0.0])
    assert record["gain"] == pytest.approx((2 / 1.01) ** 0.5, rel=1e-10)


def test_a_function_of_an_installed_package():
    assert json.loads(invoke("gain torch.nn.functional:hardswish --json").stdout)["source"] == "torch"


def test_width_0_is_infinitely_wide():
    result = invoke("gain silu --width 0 --depth 5")
    assert "5 layers of infinite width" in result.stdout
    assert json.loads(invoke("gain silu --width 0 --json").stdout)["drift"]["width"] is None
