import json

from commands import invoke


def test_the_critical_line_of_an_activation():
    result = invoke("phase gelu")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for part in ("2.1937", "unstable", "Half-stable", "3.5615528128"):
        assert part in result.stdout


def test_one_pair_of_variances():
    from fanin import mean_field

    result = invoke("phase tanh --weight-variance 1.76 --bias-variance .05")
    for part in ("0.569463", "4912", "Ordered"):
        assert part in result.stdout
    record = json.loads(invoke("phase tanh --weight-variance 1.76 --bias-variance .05 --json").stdout)
    assert record == mean_field("tanh", 1.76, 0.05).to_dict()


def test_the_diagram_as_json_and_as_a_page(folder):
    result = invoke("phase relu --json --html phases.html")
    record = json.loads(result.stdout)
    assert record["schema"] == "fanin.phase_diagram/1"
    assert "Page: phases.html" in result.stderr
    assert "Order and chaos with relu" in (folder / "phases.html").read_text(encoding="utf-8")
    invoke("phase relu --weight-variance 2 --html maps.html")
    assert "Critical" in (folder / "maps.html").read_text(encoding="utf-8")
