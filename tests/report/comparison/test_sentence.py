from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fanin.report.comparison.sentence import Sentence, filled

WORDS = st.lists(
    st.text("ab.", min_size=1, max_size=9) | st.sampled_from(["<", "%", "重み", "="]), min_size=1
)


@given(WORDS, st.integers(1, 30))
def test_lines_hold_the_words_and_fit_but_for_a_longer_word(words, width):
    lines = filled(" ".join(words), width)
    assert " ".join(lines) == " ".join(words)
    for line in lines:
        assert cell_len(line) <= width or " " not in line or any(sign in line for sign in "<%=")


def test_signs_stay_with_their_numbers():
    for width in range(10, 40):
        for line in filled("better in 69 % of seeds (p < .001)", width):
            assert not line.startswith(("%", "<", ".001"))


def test_a_word_longer_than_a_line_goes_on_in_the_next():
    console = Console(width=10, color_system=None)
    with console.capture() as capture:
        console.print(Sentence("aaaaaaaaaaaaaaaaaaaaaaaaa [b]"))
    assert capture.get().split() == ["a" * 10, "a" * 10, "a" * 5, "[b]"]
