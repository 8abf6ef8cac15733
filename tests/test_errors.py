import pytest

from fanin.errors import FaninError, missing_extra, nearest, users_code
from fanin.sources import first_line, installed, own_line

WHERE = "Exception encountered when calling Dense.call()."


def test_an_error_says_what_then_what_was_expected_then_the_fix():
    assert str(FaninError("A.", expected="b", fix="c")) == "A.\n  expected: b\n  fix: c"
    assert str(FaninError("A.")) == "A."
    assert FaninError("A.").exit_code == 2


def test_an_error_survives_pickling():
    import pickle

    error = FaninError("A.", expected="b", fix="c")
    assert str(pickle.loads(pickle.dumps(error))) == "A.\n  expected: b\n  fix: c"


def test_a_missing_extra_is_one_pip_command_away():
    assert missing_extra("torch", "torch").fix == "pip install 'fanin[torch]'"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("he_norml", "he_normal or he_uniform"),
        ("normal", "normal or he_normal"),
        ("zeroes", "zeros"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_nearest_names_read_as_a_phrase(name, near):
    assert nearest(name, ["he_normal", "he_uniform", "normal", "zeros"], count=2) == near


def test_many_near_names_are_listed_with_an_or():
    assert nearest("aab", ["aaa", "aac", "aad"]) in ("aad, aac or aaa", "aaa, aac or aad")


def test_the_users_line_is_shown_and_the_cause_is_kept():
    with pytest.raises(FaninError) as error, users_code("The builder fails"):
        {}["width"]
    assert error.value.what.startswith("The builder fails: KeyError: 'width'\n")
    assert '{}["width"]' in error.value.what
    assert isinstance(error.value.__cause__, KeyError)


def test_leaving_by_sys_exit_is_a_failure_too_but_ctrl_c_is_not():
    with pytest.raises(FaninError, match="SystemExit: 3"), users_code("It fails"):
        raise SystemExit(3)
    with pytest.raises(KeyboardInterrupt), users_code("It fails"):
        raise KeyboardInterrupt


def test_a_syntax_error_shows_its_own_line():
    with pytest.raises(SyntaxError) as error:
        compile("x = 1\ny = (]\n", "model.py", "exec")
    assert own_line(error.value).endswith("model.py:2: y = (]")


def test_a_failure_outside_the_users_code_has_no_line():
    error = ValueError("never raised")
    assert own_line(error) == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n\n  one  \n"), "one"),
        (ValueError(""), "ValueError"),
        (
            ValueError("Exception encountered when calling Dense.call().\n\n\x1b[1mToo big.\x1b[0m"),
            "Too big.",
        ),
        (ValueError("Exception encountered when calling Dense.call()."), "ValueError"),
    ],
)
def test_the_first_line_says_what_not_where(error, line):
    assert first_line(error) == line


def test_pythons_and_installed_files_are_not_the_users():
    import json

    import numpy as np

    assert installed(json.__file__)
    assert installed(np.__file__)
    assert installed("<string>")
    assert not installed(__file__)
