import pytest

from fanin.errors import FaninError
from fanin.experiments.loading import load


@pytest.fixture
def user_file(tmp_path):
    def write(source, name="model_file.py"):
        path = tmp_path / name
        path.write_text(source)
        return path

    return write


def test_a_file_is_loaded_once_and_its_neighbours_can_be_imported(user_file):
    user_file("VALUE = 7\n", "neighbour_of_model.py")
    path = user_file(
        "from neighbour_of_model import VALUE\ndef create(): return VALUE\ndef data(): return 1\n"
    )
    assert load(f"{path}:create", what="a builder")() == 7
    assert load(f"{path}:create", what="a builder").__globals__ is load(f"{path}:data", what="x").__globals__


def test_a_package_is_loaded_by_name():
    import json

    assert load("json:dumps", what="a builder") is json.dumps


def test_a_user_file_does_not_stand_in_for_pythons_module(user_file):
    import json

    path = user_file("def create(): return 'mine'\n", "json.py")
    assert load(f"{path}:create", what="a builder")() == "mine"
    import sys

    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("no_colon", "file.py:function"),
        ("nowhere/missing.py:create", "no file"),
        ("no_such_package:create", "no module 'no_such_package'"),
        ("json.no_such_module:create", "no module 'json.no_such_module'"),
        ("json:dump_it", "no 'dump_it'"),
    ],
)
def test_what_is_not_there_is_said(spec, words):
    with pytest.raises(FaninError, match=words.replace(".", r"\.")):
        load(spec, what="a builder")


def test_a_misspelt_function_gets_the_nearest_names(user_file):
    path = user_file("def create_model(): ...\n")
    with pytest.raises(FaninError) as error:
        load(f"{path}:creat_model", what="a builder")
    assert "create_model" in error.value.fix


@pytest.mark.parametrize("source", ["x = 1 / 0\n", "import no_such_package_at_all\n", "def broken(:\n"])
def test_a_file_that_fails_shows_its_own_line(user_file, source):
    path = user_file(source, f"fails_{abs(hash(source))}.py")
    with pytest.raises(FaninError) as error:
        load(f"{path}:create", what="a builder")
    assert path.name in str(error.value)
    if "def" not in source:
        assert f"{path.name}:1: {source.strip()}" in str(error.value)
