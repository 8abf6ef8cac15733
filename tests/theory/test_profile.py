import json
import math

import pytest

from fanin import FaninError, SignalProfile
from fanin.theory.profile import Estimate
from profiles import blocks, broken, layer, mlp, profile

ALL = [mlp(), blocks(), broken(), profile([])]


def test_a_profile_is_a_mapping_of_layers():
    found = mlp(3)
    assert list(found) == ["0", "1", "2", "3", "4"]
    assert len(found) == 5
    assert found["2"].forward.q.value == 0.5
    assert "9" not in found
    with pytest.raises(KeyError):
        found["9"]


def test_chi_1_is_the_geometric_mean():
    assert profile([layer("a", 1, chi=0.5), layer("b", 1, chi=8.0), layer("c", 1)]).chi_1 == pytest.approx(2)
    assert profile([layer("a", 1)]).chi_1 is None
    inside = [layer("a.fc", 1, chi=0.5), layer("a", 1, chi=0.5), layer("b", 2, chi=8.0)]  # a ends in a.fc
    assert profile(inside).chi_1 == pytest.approx(2)


@pytest.mark.parametrize("made", ALL)
def test_json_gives_the_profile_back(made, tmp_path):
    text = made.to_json(tmp_path / "profile.json")
    for source in (text, tmp_path / "profile.json", str(tmp_path / "profile.json")):
        back = SignalProfile.from_json(source)
        assert back.layers == made.layers
        assert back.parameters == made.parameters
        assert back.to_dict() == made.to_dict()


def test_what_is_not_finite_is_null():
    made = profile([layer("a", math.inf, math.nan)])
    record = json.loads(made.to_json())
    assert record["layers"][0]["forward"]["q"]["value"] is None
    assert math.isnan(SignalProfile.from_json(made.to_json())["a"].forward.q.value)
    assert "inf" not in str(made)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "This is no JSON"),
        ('{"schema": "fanin.plan/1"}', "This is no profile: its schema is 'fanin.plan/1'"),
        ('{"schema": "fanin.profile/1"}', "The profile is damaged: KeyError: 'layers'"),
        ("nowhere.json", "nowhere.json cannot be read"),
    ],
)
def test_what_is_no_profile_is_refused(text, words):
    with pytest.raises(FaninError) as caught:
        SignalProfile.from_json(text)
    assert words in str(caught.value)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(FaninError, match="cannot be written"):
        mlp().to_html(tmp_path / "no" / "page.html")
    with pytest.raises(FaninError, match="cannot be written"):
        mlp().to_json(tmp_path / "no" / "page.json")


def test_a_bar_has_both_deviations():
    assert Estimate(1.0, 0.3, 0.4).bar() == pytest.approx(1.0)
