from functools import cache

import records
from fanin.report.comparison.sections import sections
from fanin.report.numbers import percent

FIRST = records.comparison(4, 20)


@cache
def first():
    return by_name(FIRST)


def by_name(record):
    return {section.name: section for section in sections(record)}


def test_the_page_has_every_panel_in_order():
    names = ["scores", "curves", "improvement", "time-to-target", "failures"]
    assert list(first()) == names
    panels = [panel.name for section in first().values() for panel in section.panels]
    assert len(set(panels)) == len(panels) == 8


def test_sections_without_data_are_left_out():
    alone = by_name(records.comparison(1, 20, target=None))
    assert alone.keys() == {"scores", "curves", "failures"}


def test_the_curves_of_the_score_come_first_and_test_data_before_training_data():
    titles = [panel.title for panel in first()["curves"].panels]
    assert titles == ["val_accuracy", "val_loss", "accuracy", "loss"]


def test_a_logarithmic_axis_is_named():
    record = records.comparison(2, 4)
    record["curves"]["zeros"]["loss"]["low"][-1] = 1e-4
    assert "loss, logarithmic" in [panel.title for panel in by_name(record)["curves"].panels]


def test_captions_say_what_is_there_to_see():
    failing = by_name(records.comparison(4, 20, diverging={"he_normal": 0.5}))
    assert "A cross is a run that failed." in failing["scores"].caption
    assert failing["failures"].caption.startswith("10 of 80 runs diverged")
    assert "cross" not in first()["scores"].caption
    assert first()["failures"].caption.startswith(
        "No run diverged; the data still allow a rate of up to 16 %"
    )
    assert "val_loss ≤ 0.3" in first()["time-to-target"].caption


def test_the_switch_is_there_when_there_is_a_close_up():
    assert first()["scores"].close_up
    assert not by_name(records.comparison(["he_normal", "glorot_normal"], 20))["scores"].close_up


def test_with_many_schemes_bands_wait_until_they_are_asked_for():
    assert "pick schemes" in by_name(records.comparison(9, 5))["curves"].caption
    assert "pick schemes" not in by_name(records.comparison(8, 5))["curves"].caption


def test_the_table_of_times_tells_a_test_from_none():
    assert first()["time-to-target"].table["heads"][-1] == "Log-rank p"
    few = by_name(records.comparison(4, 3))["time-to-target"].table
    assert few["heads"] == ["Scheme", "Reached", "Median"]
    assert all(len(row) == 3 for row in few["rows"])


def test_the_table_of_improvements_holds_both_ways_of_every_pair():
    record = FIRST
    pair = record["improvement"][0]
    names = [row["scheme"] for row in record["ranking"]]
    table = first()["improvement"].table
    assert table["heads"] == ["Better than", *names]
    cells = {row[0]: dict(zip(names, row[1:], strict=True)) for row in table["rows"]}
    assert cells[pair["a"]][pair["b"]] == percent(pair["probability"])
    assert all(cells[name][name] == "" for name in names)
    one_way = [pair for pair in record["improvement"] if names.index(pair["a"]) < names.index(pair["b"])]
    assert by_name({**record, "improvement": one_way})["improvement"].table == table
