"""Mails with attachments, archives, presentations with notes, tables of text. Real processes."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from rag_service.domain.errors import ExtractionFailed
from rag_service.policy.chunking import Source, chunks, segments
from tests.integration.test_extraction import SENTENCE, encrypted_pdf, extracted
from tests.standins import files

MARCH = "Das Angebot über 4.200 € gilt bis zum 15. März."
NOTE = "The fallback supplier is Sundvik."


def read(directory: Path, name: str, content: bytes) -> str:
    return extracted(directory, name, content).path.read_text(encoding="utf-8")


def mail(text: str, subtype: str = "plain") -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = "Angebot für März", "Ada <ada@example.com>", "bob@example.com"
    made.set_content(text, subtype=subtype, cte="quoted-printable")
    return made


def attach(made: EmailMessage, name: str, content: bytes, media_type: str = "application/octet-stream") -> None:
    kind, _, subtype = media_type.partition("/")
    made.add_attachment(content, maintype=kind, subtype=subtype, filename=name)


def test_a_mail_is_read_with_all_that_is_attached(tmp_path: Path) -> None:
    made = mail(f"{MARCH}\n\nGrüße")
    made.add_attachment("Hafenstraße 12", charset="cp1252", filename="address.txt")
    attach(made, "policy.docx", files.docx([("Heading1", "Warranty"), ("", SENTENCE)]))
    attach(made, "photo.png", b"\x89PNG\r\n\x1a\n", "image/png")
    attach(made, "secret.pdf", encrypted_pdf())
    made.add_attachment(mail(NOTE))
    text = read(tmp_path, "a.eml", made.as_bytes())
    assert text.startswith("Subject: Angebot für März\n\nFrom: Ada <ada@example.com>\n\nTo: bob@example.com\n")
    assert "Attachments: address.txt, policy.docx, photo.png, secret.pdf, Angebot für März.eml" in text
    assert f"{MARCH}\n\nGrüße" in text
    assert "# address.txt\n\nHafenstraße 12" in text
    assert f"# policy.docx\n\n## Warranty\n\n{SENTENCE}" in text
    assert "# secret.pdf\n\n(not read: it is encrypted. Upload it without a password.)" in text
    assert text.endswith(NOTE)
    assert "# photo.png" not in text


def test_words_of_a_mail_in_html_stay_apart(tmp_path: Path) -> None:
    page = (
        "<h1>Hi</h1><p>We &amp; you<br>two</p><table><tr><th>a</th><th>b</th></tr><tr><td>c</td><td>d</td></tr></table>"
    )
    text = read(tmp_path, "a.eml", mail(page, "html").as_bytes())
    assert "# Hi\n\nWe & you\ntwo" in text
    assert "| c | d |" in text


def test_a_mail_in_a_mail_in_a_mail_is_read_but_not_without_end(tmp_path: Path) -> None:
    made = mail("innermost")
    for depth in range(8):
        outer = mail(f"depth {depth}")
        outer.add_attachment(made)
        made = outer
    text = read(tmp_path, "a.eml", made.as_bytes())
    assert "depth 5" in text
    assert "innermost" not in text
    assert "(not read: it is nested more than 3 deep.)" in text


def test_files_of_every_kind_in_an_archive_are_read(tmp_path: Path) -> None:
    inside: dict[str, str | bytes] = {
        "d/policy.docx": files.docx([("", SENTENCE)]),
        "prices.csv": "item;price\nmotor;42\n",
        "inner.zip": files.zipped({"a.txt": NOTE}),
        "__MACOSX/d/._policy.docx": b"\0\1",
        "program.exe": b"MZ\0",
    }
    text = read(tmp_path, "a.zip", files.zipped(inside))
    assert f"# d/policy.docx\n\n{SENTENCE}" in text
    assert "# prices.csv\n\n| item | price |\n| --- | --- |\n| motor | 42 |" in text
    assert f"# inner.zip\n\n# a.txt\n\n{NOTE}" in text
    assert "# program.exe\n\n(not read: " in text
    assert "MACOSX" not in text


def test_an_archive_of_which_nothing_can_be_read_fails(tmp_path: Path) -> None:
    with pytest.raises(ExtractionFailed, match=r"nothing in it can be read: .*encrypted"):
        extracted(tmp_path, "a.zip", files.zipped({"secret.pdf": encrypted_pdf()}))


def test_what_a_speaker_is_to_say_is_read(tmp_path: Path) -> None:
    text = read(tmp_path, "a.pptx", files.pptx("Warranty", SENTENCE, NOTE))
    assert text.rstrip().endswith(f"## Notes to slide 1: Warranty\n\n{NOTE}")
    assert "Notes to slide" not in read(tmp_path, "a.pptx", files.pptx("Warranty", SENTENCE))


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("comma.csv", 'name,note\n"Berg, A","likes ""tea"""\n', ["name | note", "--- | ---", 'Berg, A | likes "tea"']),
        ("german.csv", "Teil;Preis\nSchraube;0,12\n", ["Teil | Preis", "--- | ---", "Schraube | 0,12"]),
        ("bars.csv", 'a,b\n"x|y","two\nlines"\n', ["a | b", "--- | ---", "x\\|y | two lines"]),
        ("tabs.tsv", "a\tb\n1, 2\t3\n", ["a | b", "--- | ---", "1, 2 | 3"]),
        ("gaps.csv", "a,b,c\n1,,3\n\n4,5\n", ["a | b | c", "--- | --- | ---", "1 |  | 3", "4 | 5"]),
    ],
)  # fmt: skip
def test_a_table_of_text_is_read_in_its_dialect(tmp_path: Path, name: str, content: str, rows: list[str]) -> None:
    if name == "gaps.csv":
        content += "6,7,8\n" * 9
        rows = rows + ["6 | 7 | 8"] * 9
    text = extracted(tmp_path, name, content.encode())
    assert text.path.read_text(encoding="utf-8") == "".join(f"| {row} |\n" for row in rows)
    assert text.characters == len(text.path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "content", ["one\ntwo\nthree\n", "a,b\n" + '1,"' + "x" * 200_000, "just a line, with a comma\nanother\nlines\n"]
)
def test_what_is_no_table_stays_as_it_is(tmp_path: Path, content: str) -> None:
    text = extracted(tmp_path, "a.csv", content.encode())
    assert text.path.read_text(encoding="utf-8") == content
    assert [one.title for one in text.headings] == [content.split("\n", maxsplit=1)[0]]


def test_a_changed_row_changes_the_chunks_around_it_alone(tmp_path: Path) -> None:
    rows = [f"part {number},{number * 7}" for number in range(2000)]

    def cut(lines: list[str]) -> set[str]:
        text = extracted(tmp_path, "a.csv", "\n".join(["part,price", *lines]).encode())
        with text.path.open(encoding="utf-8", newline="") as file:
            return {one.digest for one in chunks(Source("d", "t", {}), segments(file.read))}

    before, after = cut(rows), cut([*rows[:900], "a new part,1", *rows[900:]])
    assert len(before) > 20
    assert len(after - before) <= 3
