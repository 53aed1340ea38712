"""Packing: bounded texts that cut no line that fits."""

from ingestkit_excel.processors.packing import Line, pack_lines, split_text


def test_a_line_that_fits_is_never_cut() -> None:
    """Lines go to the next text whole."""
    lines = [Line(number, "x" * 40) for number in range(1, 8)]
    packed = list(pack_lines(lines, 100))
    assert [(found.top, found.bottom, found.line_count) for found in packed] == [
        (1, 2, 2),
        (3, 4, 2),
        (5, 6, 2),
        (7, 7, 1),
    ]
    assert all(len(found.text) <= 100 for found in packed)


def test_a_line_too_long_is_cut_at_whitespace_and_loses_nothing() -> None:
    """The parts joined are the line."""
    text = "word another " * 50
    packed = [found.text for found in pack_lines([Line(1, "first"), Line(2, text)], 100)]
    assert packed[0] == "first"
    assert "".join(packed[1:]) == text
    assert all(part.endswith(" ") and len(part) <= 100 for part in packed[1:])


def test_a_word_too_long_is_cut_where_it_must_be() -> None:
    """A text without whitespace still gives parts that fit."""
    assert [len(part) for part in split_text("y" * 250, 100)] == [100, 100, 50]
