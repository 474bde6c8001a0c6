"""How a collection's texts are cut: as long, and with as much repeated, as it says."""

from itertools import pairwise

import pytest

from rag_service.domain.documents import Chunking
from rag_service.policy.chunking import Source, chunks, sentences, weight
from rag_service.policy.markdown import cells
from rag_service.policy.terms import terms

TEXT = " ".join(f"Sentence number {place} says something of its own." for place in range(200))


@pytest.mark.parametrize("tokens", [50, 120, 400])
def test_no_chunk_is_longer_than_the_collection_says(tokens: int) -> None:
    found = list(chunks(Source("d", "t", {}, chunking=Chunking(tokens, 0)), [TEXT]))
    assert max(weight(one.text) for one in found) <= tokens
    assert min(weight(one.text) for one in found[:-1]) > tokens // 2
    assert [TEXT[one.start : one.end] for one in found] == [one.text for one in found]


def test_a_chunk_repeats_as_much_of_the_one_before_as_it_should() -> None:
    plain = list(chunks(Source("d", "t", {}, chunking=Chunking(120, 0)), [TEXT]))
    assert all(one.end <= two.start for one, two in pairwise(plain))
    lapped = list(chunks(Source("d", "t", {}, chunking=Chunking(120, 60)), [TEXT]))
    assert all(0 < weight(TEXT[two.start : one.end]) <= 60 for one, two in pairwise(lapped))


GUIDE = """# Guide

| plan | copies kept |
|---|---|
| basic | 7 |
| plus | 30. No more. |

```bash
# this comment is no heading
make run
```

It answers 503. Dr. Osei knows why.
1. First this.
"""


def test_a_block_of_code_is_whole_and_its_comments_are_no_headings() -> None:
    found = list(chunks(Source("d", "t", {}, chunking=Chunking(30, 0)), [GUIDE]))
    assert {one.heading.split(" > ")[0] for one in found} == {"Guide"}
    (code,) = (one for one in found if "make run" in one.text)
    assert "```bash\n# this comment is no heading\nmake run\n```" in code.text
    long = "```\n" + "run something\n" * 60 + "```"
    cut = list(chunks(Source("d", "t", {}, chunking=Chunking(50, 0)), [long]))
    assert len(cut) >= 2
    assert max(weight(one.text) for one in cut) <= 50


def test_rows_of_a_table_that_is_cut_stand_under_its_columns() -> None:
    table = "# Plans\n\n| plan | copies |\n|---|---|\n" + "".join(f"| plan {n} | {n} copies |\n" for n in range(60))
    found = list(chunks(Source("d", "t", {}, chunking=Chunking(60, 0)), [table + "\nBehind it."]))
    assert found[0].heading == "Plans"
    assert len(found) > 5
    assert all(one.heading == "Plans > plan, copies" for one in found[1:] if one.text.startswith("|"))
    assert not any(one.text.rstrip().endswith(("|---|---|", "| plan | copies |")) for one in found)
    assert [table[one.start : one.end] for one in found[:-1]] == [one.text for one in found[:-1]]


def test_a_sentence_ends_behind_a_number_but_not_behind_an_abbreviation() -> None:
    told = [GUIDE[start:end] for start, end in sentences(GUIDE)]
    assert "It answers 503." in told
    assert "Dr. Osei knows why." in told
    assert "1. First this." in told
    assert "| plus | 30. No more. |" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("塔は333です。「はい。」次です\uff01次", ["塔は333です。", "「はい。」", "次です\uff01", "次"]),
        ("Bis zum 15. März. Am 3. des Monats.", ["Bis zum 15. März.", "Am 3. des Monats."]),
        ("It has 12. The next one.", ["It has 12.", "The next one."]),
    ],
)  # fmt: skip
def test_a_sentence_ends_where_its_language_ends_it(text: str, told: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == told


def test_a_row_that_is_longer_than_a_piece_stays_in_its_table() -> None:
    rows = "".join(f"| {n} | {'word ' * 200}|\n" for n in range(6))
    found = list(chunks(Source("d", "t", {}, chunking=Chunking(300, 0)), ["| part | note |\n|---|---|\n" + rows]))
    assert len(found) > 5
    assert all(one.heading == "part, note" for one in found[1:])


def test_a_bar_within_a_cell_divides_no_cells() -> None:
    assert cells("| a \\| b | `c` |") == ["a | b", "c"]
    assert cells("| a | \\|") == ["a", "|"]


def test_what_is_written_without_spaces_is_found_by_pairs() -> None:
    assert terms("東京タワーは333m、猫 Köln") == ["東京", "京タ", "タワ", "ワー", "ーは", "333m", "猫", "köln"]
    assert set(terms("서울")) <= set(terms("서울의 인구"))
