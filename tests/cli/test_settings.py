"""Settings of a project: the nearest file counts, and what is no setting is one clear error."""

import pytest

from fanin.cli.settings import Settings, settings, split
from fanin.errors import FaninError

FULL = """
[tool.fanin.check]
select = ["FWD", "BWD101"]
ignore = "OUT103, class-prior"
fail-on = "warning"
baseline = "checks/known.json"

[tool.fanin.check.per-layer-ignores]
"head" = ["OUT101"]
"blocks.*" = ["SAT", "FWD101"]
"""


def test_all_of_it(tmp_path):
    (tmp_path / "pyproject.toml").write_text(FULL)
    assert settings(tmp_path) == Settings(
        ("FWD", "BWD101"),
        ("OUT103", "class-prior"),
        {"head": ("OUT101",), "blocks.*": ("SAT", "FWD101")},
        "warning",
        tmp_path / "checks" / "known.json",
    )


def test_fanin_toml_has_no_prefix_and_comes_first(tmp_path):
    (tmp_path / "pyproject.toml").write_text(FULL)
    (tmp_path / "fanin.toml").write_text('[check]\nfail-on = "never"\n')
    assert settings(tmp_path) == Settings(fail_on="never")


def test_the_nearest_folder_that_says_something(tmp_path):
    inner = tmp_path / "src" / "models"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(FULL)
    (tmp_path / "src" / "pyproject.toml").write_text('[project]\nname = "part"\n[tool.ruff]\n')
    assert settings(inner).fail_on == "warning"
    assert settings(inner).baseline == tmp_path / "checks" / "known.json"
    (inner / "fanin.toml").write_text("")
    assert settings(inner) == Settings()


def test_nothing(tmp_path):
    assert settings(tmp_path) == Settings()
    (tmp_path / "pyproject.toml").write_text("[tool.fanin]\n")
    assert settings(tmp_path) == Settings()


@pytest.mark.parametrize(
    ("text", "words", "fix"),
    [
        (
            '[tool.fanin.check]\nslect = ["FWD"]',
            "[tool.fanin.check] has no key 'slect'",
            "did you mean select?",
        ),
        ("[tool.fanin.check]\nfail_on = 'error'", "has no key 'fail_on'", "did you mean fail-on?"),
        ("[tool.fanin.check]\nxyz = 1", "has no key 'xyz'", ""),
        ('[tool.fanin]\nselect = ["FWD"]', "no section tool.fanin.select", "[tool.fanin.check] above it"),
        ("[tool.fanin.chek]\nselect = []", "no section tool.fanin.chek", ""),
        ("[tool]\nfanin = 3", "tool.fanin is 3", ""),
        ("[tool.fanin]\ncheck = 3", "tool.fanin.check is 3", ""),
        ("[tool.fanin.check]\nselect = 3", "select is 3", ""),
        ("[tool.fanin.check]\nselect = [3]", "select is [3]", ""),
        ('[tool.fanin.check]\nselect = ["FWD999"]', "select: There is no rule FWD999", "fanin rule"),
        ('[tool.fanin.check]\nignore = ["vanishing"]', "ignore: There is no rule vanishing", "fanin rule"),
        ("[tool.fanin.check]\nfail-on = 'fatal'", "fail-on is 'fatal'", ""),
        ("[tool.fanin.check]\nfail-on = true", "fail-on is True", ""),
        ("[tool.fanin.check]\nbaseline = 3", "baseline is 3", ""),
        ("[tool.fanin.check]\nper-layer-ignores = ['FWD']", "per-layer-ignores is ['FWD']", ""),
        ("[tool.fanin.check.per-layer-ignores]\nhead = 3", "per-layer-ignores of 'head' is 3", ""),
        ("[tool.fanin.check.per-layer-ignores]\nhead = ['FW1']", "no rule FW1", "fanin rule"),
        ("[tool.fanin.check\n", "cannot be read", ""),
    ],
)
def test_what_is_no_setting(tmp_path, text, words, fix):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(FaninError) as raised:
        settings(tmp_path)
    assert words in raised.value.what
    assert str(tmp_path / "pyproject.toml") in raised.value.what
    assert raised.value.expected
    assert fix in raised.value.fix


@pytest.mark.parametrize(
    ("texts", "parts"),
    [((), ()), (["FWD"], ("FWD",)), (["FWD,BWD", " OUT101 ,"], ("FWD", "BWD", "OUT101")), ([","], ())],
)
def test_codes_are_listed_or_repeated(texts, parts):
    assert split(texts) == parts
