import pytest

from fanin.report.profile import depth
from profiles import blocks, broken, layer, mlp, profile, weight


def test_blocks_are_steps_where_there_are_some():
    layers, what = depth.steps(blocks(5).to_dict())
    assert [found["name"] for found in layers] == [f"h.{place}" for place in range(5)]
    assert what == "blocks"
    layers, what = depth.steps(mlp(4).to_dict())
    assert [found["name"] for found in layers] == ["0", "2", "4", "6"]
    assert what == "layers with weights"


def test_a_change_by_hand():
    change = depth.change(mlp(5, factor=0.5).to_dict(), "forward")
    assert (change.start, change.end, change.layers) == ("0", "8", 4)
    assert change.factor == pytest.approx(1 / 16)
    assert change.step == pytest.approx(0.5)


def test_gradients_go_back_and_leave_out_the_head():
    change = depth.change(mlp(5, growth=2.0).to_dict(), "backward")
    assert (change.start, change.end, change.layers) == ("6", "0", 3)
    assert change.factor == pytest.approx(8)


def test_the_largest_jump_is_found():
    made = profile([layer(name, q) for name, q in (("a", 1.0), ("b", 1.1), ("c", 0.01), ("d", 0.02))])
    change = depth.change(made.to_dict(), "forward")
    assert (change.jump, change.where) == (pytest.approx(0.01 / 1.1), "c")


def test_nothing_is_said_of_what_is_unknown():
    assert depth.change(broken().to_dict(), "backward") is None
    assert depth.chi(broken().to_dict()) is None
    assert depth.change(profile([]).to_dict(), "forward") is None


def test_chi_is_said_where_most_layers_have_it():
    assert depth.chi(mlp(4, factor=0.5).to_dict()) == (pytest.approx(0.5), 4)
    assert depth.chi(blocks().to_dict()) is None


def test_layers_that_return_what_the_one_before_does_are_not_shown():
    shown = [found["name"] for found in depth.shown(blocks(3).to_dict())]
    assert "h" not in shown
    assert {"h.0", "h.1", "h.2", "head"} <= set(shown)
    lost = depth.shown(broken().to_dict())
    assert [found["name"] for found in lost] == ["first", "lost", "last"]


def test_long_lists_are_folded_but_for_the_first_and_the_last_block():
    layers = depth.shown(blocks(12).to_dict())
    assert depth.folds(layers) == [depth.Fold(5, 45, 4)]
    assert layers[5]["name"] == "h.1.norm"
    assert layers[45]["name"] == "h.11.norm"
    assert depth.folds(depth.shown(blocks(3).to_dict())) == []


def test_layers_that_take_turns_are_folded_too():
    layers = depth.shown(mlp(40).to_dict())
    (fold,) = depth.folds(layers)
    assert (fold.start, fold.stop, fold.period) == (2, 76, 2)


def test_weights_belong_to_the_layer_that_their_path_begins_with():
    made = profile([layer("a/b", 1.0), layer("a/c", 1.0)], parameters=(weight("a/b/kernel"), weight("top")))
    assert [found["name"] for found in depth.weighted(made.to_dict())] == ["a/b"]


def test_of_blocks_and_their_parts_the_blocks_are_steps():
    names = [name for i in range(4) for name in (f"h.{i}.attn.q", f"h.{i}.attn", f"h.{i}.mlp.up", f"h.{i}")]
    layers, _ = depth.steps(profile([layer(name, 1.0 + i) for i, name in enumerate(names)]).to_dict())
    assert [found["name"] for found in layers] == ["h.0", "h.1", "h.2", "h.3"]
