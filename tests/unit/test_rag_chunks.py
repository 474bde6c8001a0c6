"""Chunks: the same however the text comes, true to it, and the same again where a text was not changed."""

import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_service.domain.documents import Heading
from rag_service.policy.chunking import SEGMENT_CHARACTERS, Source, chunks, embedded_text, segments, weight

SOURCE = Source("d", "Title", {"a": 1})


def story(paragraphs: int) -> str:
    return "\n\n".join(
        " ".join(f"Sentence {k} of paragraph {n} says this and that." for k in range(12)) for n in range(paragraphs)
    )


@given(st.lists(st.sampled_from(["word", ". ", "\n\n", "\n", " ", "# head\n", "x" * 700, "é🍰", "? "]), max_size=300))
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
def test_every_chunk_is_its_place_in_the_text(parts: list[str]) -> None:
    text = "".join(parts)
    for chunk in chunks(SOURCE, segments(io.StringIO(text, newline="").read)):
        assert text[chunk.start : chunk.end] == chunk.text


def test_a_text_in_segments_has_the_chunks_of_the_whole() -> None:
    text = story(400)
    assert len(text) > 2 * SEGMENT_CHARACTERS
    assert list(chunks(SOURCE, segments(io.StringIO(text).read))) == list(chunks(SOURCE, [text]))


def test_segments_are_the_text_and_do_not_depend_on_how_it_is_read() -> None:
    text = story(300) + "z" * (3 * SEGMENT_CHARACTERS) + "\n".join(["line"] * 50_000)
    whole = list(segments(io.StringIO(text).read))
    assert "".join(whole) == text
    source = io.StringIO(text)
    assert list(segments(lambda size: "".join(source.read(1) for _ in range(size)))) == whole
    assert max(map(len, whole)) <= 2 * SEGMENT_CHARACTERS


def test_an_edit_changes_the_chunks_around_it_only() -> None:
    before = story(200)
    after = before.replace("Sentence 5 of paragraph 90 says", "Sentence 5 of paragraph 90, as was added later, says")
    old = {chunk.id for chunk in chunks(SOURCE, [before])}
    new = [chunk.id for chunk in chunks(SOURCE, [after])]
    assert 1 <= sum(one not in old for one in new) <= 3


def test_the_same_words_twice_are_two_chunks_and_metadata_makes_others() -> None:
    text = "\n\n".join(["# A\n\nThe same words."] * 3)
    ids = [chunk.id for chunk in chunks(SOURCE, [text])]
    assert len(set(ids)) == len(ids) == 3
    other = list(chunks(Source("d", "Title", {"a": 2}), [text]))
    assert not set(ids) & {chunk.id for chunk in other}
    assert {chunk.digest for chunk in other} == {chunk.digest for chunk in chunks(SOURCE, [text])}


def test_headings_stand_above_their_chunks() -> None:
    text = "# One\n\nFirst.\n\n## Two\n\nSecond.\n\n# Three\n\nThird."
    assert [chunk.heading for chunk in chunks(SOURCE, [text])] == ["One", "One > Two", "Three"]
    named = Source("d", "", {}, (0, 12), (Heading(0, "Top", 1), Heading(12, "Below", 2)))
    found = list(chunks(named, ["First part.\nSecond part."]))
    assert [(chunk.heading, chunk.page) for chunk in found] == [("Top", 1), ("Top > Below", 2)]


def test_a_chunk_is_of_one_page() -> None:
    pages = ["The first page.", "The second page ends in the middle of", "a sentence. " + story(3), "The last."]
    text = "\n\n".join(pages)
    starts = [text.index(page) for page in pages]
    found = list(chunks(Source("d", "", {}, starts), segments(io.StringIO(text).read)))
    for chunk in found:
        following = starts[chunk.page] if chunk.page < len(starts) else len(text)
        assert starts[chunk.page - 1] <= chunk.start < chunk.end <= following
    assert [chunk.page for chunk in found if "last" in chunk.text] == [4]
    assert {chunk.page for chunk in found} == {1, 2, 3, 4}


def test_chunks_are_of_a_size() -> None:
    sizes = [weight(chunk.text) for chunk in chunks(SOURCE, [story(100)])]
    assert max(sizes) <= SOURCE.chunking.tokens
    assert min(sizes[:-1]) >= SOURCE.chunking.tokens // 2
    assert embedded_text("", "", "x") == "x"
