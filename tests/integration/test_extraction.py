"""Text out of files of every format, with its positions; and a zoo of files that are made to hurt. Real processes."""

import asyncio
import io
import json
import random
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rag_service.adapters.extraction import ExtractionLimits, ProcessExtractor
from rag_service.domain.documents import Text
from rag_service.domain.errors import ExtractionFailed
from rag_service.policy.chunking import Source, chunks, segments
from tests.promptness import PATIENCE
from tests.standins import files

LIMITS = ExtractionLimits(seconds=20, megabytes=1024, text_bytes=4 * 1024 * 1024, processes=2)
HTML = b"<html><head><title>Hours</title></head><body><h1>Opening</h1><p>We open at nine.</p></body></html>"
SENTENCE = "The motor lasts three years."
CELL = f'{{"cell_type": "markdown", "metadata": {{}}, "source": ["# Warranty\\n", "{SENTENCE}"]}}'
NOTEBOOK = f'{{"cells": [{CELL}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}'.encode()
NOISE = random.Random(1).randbytes(9000)  # noqa: S311  # the same each time
FOREIGN = {
    "shift_jis": "港の灯台は午後五時に点灯します。船長は港で待っています。",
    "euc_jp": "港の灯台は午後五時に点灯します。船長は港で待っています。",
    "iso2022_jp": "港の灯台は午後五時に点灯します。船長は港で待っています。",
    "gb18030": "灯塔在下午五点点亮。船长在港口等待。",
    "big5": "燈塔在下午五點點亮。船長在港口等待。",
    "cp949": "등대는 오후 다섯 시에 켜집니다. 선장은 항구에서 기다립니다.",
    "cp1251": "Маяк зажигается в пять часов вечера. Капитан ждет в порту.",  # Russian
    "koi8_r": "Маяк зажигается в пять часов вечера. Капитан ждет в порту.",  # Russian
    "cp1253": "Ο φάρος ανάβει στις πέντε το απόγευμα. Ο καπετάνιος περιμένει στο λιμάνι.",  # noqa: RUF001  # Greek
    "cp1255": "המגדלור נדלק בשעה חמש אחר הצהריים. רב החובל מחכה בנמל.",
    "cp1256": "المنارة تضاء في الساعة الخامسة مساء. ينتظر القبطان في الميناء.",
    "cp1250": "Latarnia zapala się o piątej. Kapitan czeka w porcie, żeglarz śpi.",
    "iso8859_2": "Latarnia zapala się o piątej. Kapitan czeka w porcie, żeglarz śpi.",
}


def extracted(
    directory: Path, name: str, content: bytes, limits: ExtractionLimits = LIMITS, media_type: str = ""
) -> Text:
    original = directory / "original"
    original.write_bytes(content)
    return asyncio.run(ProcessExtractor(limits).extract(original, name, media_type, directory))


@pytest.mark.parametrize(
    ("name", "content", "sought", "heading"),
    [
        ("a.pdf", files.pdf([["Warranty", SENTENCE, "Two."], ["Returns", "Thirty days."]]), SENTENCE, "Warranty"),
        ("a.docx", files.docx([("Heading1", "Warranty"), ("", SENTENCE)]), SENTENCE, "Warranty"),
        ("a.pptx", files.pptx("Warranty", SENTENCE), SENTENCE, "Warranty"),
        ("a.xlsx", files.xlsx("Prices", [["item", "price"], ["motor", "42"]]), "motor", "Prices"),
        ("a.html", HTML, "We open at nine.", "Opening"),
        ("a.md", f"# Warranty\n\n## Motor\n\n{SENTENCE}\n".encode(), SENTENCE, "Warranty > Motor"),
        ("a.txt", SENTENCE.encode(), SENTENCE, ""),
        ("a.csv", b"item,price\nmotor,42\n", "| motor | 42 |", ""),
        ("a.ipynb", NOTEBOOK, SENTENCE, "Warranty"),
        ("a.xml", f'<motor unit="years">{SENTENCE}</motor>'.encode(), SENTENCE, ""),
        ("a.eml", files.eml("Warranty", SENTENCE), SENTENCE, ""),
        ("a.epub", files.epub("Warranty", SENTENCE), SENTENCE, "Warranty"),
        ("a.rtf", rb"{\rtf1\ansi The motor lasts three years.\par}", SENTENCE, ""),
        ("a.json", b'{"motor": "three years"}', "three years", ""),
        ("a.zip", files.zipped({"inner.txt": SENTENCE}), SENTENCE, ""),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("a.") else "",
)  # fmt: skip
def test_every_format_gives_its_text_under_its_headings(
    tmp_path: Path, name: str, content: bytes, sought: str, heading: str
) -> None:
    text = extracted(tmp_path, name, content)
    whole = text.path.read_text(encoding="utf-8")
    assert len(whole) == text.characters
    assert sought in whole
    with text.path.open(encoding="utf-8", newline="") as file:
        found = list(chunks(Source("d", "T", {}, text.page_starts, text.headings), segments(file.read)))
    (chunk,) = [row for row in found if sought in row.text][:1]
    assert whole[chunk.start : chunk.end] == chunk.text
    assert heading in chunk.heading
    if name == "a.pdf":
        assert [row.page for row in found] == [1, 2]
        assert found[1].heading == "Returns"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Grüße\r\nzwei".encode(), "Grüße\nzwei"),
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("Grüße".encode("utf-16"), "Grüße"),
        ("Grüße".encode("utf-16-be"), "Grüße"),
        ("Grüße".encode("utf-16-le"), "Grüße"),
        ("Grüße vom Hafen: Übergabe um fünf.".encode("cp1252"), "Grüße vom Hafen: Übergabe um fünf."),
        (b"one\rtwo\r\nthree\n\r", "one\ntwo\nthree\n\n"),
        *((text.encode(encoding), text) for encoding, text in FOREIGN.items()),
        (
            b"plain text. " * 20_000 + FOREIGN["shift_jis"].encode("shift_jis"),
            "plain text. " * 20_000 + FOREIGN["shift_jis"],
        ),
        # With a byte that nobody can read.
        (FOREIGN["shift_jis"].encode("shift_jis") * 9 + b"\x81", FOREIGN["shift_jis"] * 9 + "\ufffd"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, text: str) -> None:
    assert extracted(tmp_path, "a.txt", content).path.read_text(encoding="utf-8") == text


def test_an_encoding_is_what_the_client_says_unless_it_is_unicode(tmp_path: Path) -> None:
    content, media_type = "żółw".encode("cp1250"), "text/plain; charset=windows-1250"
    assert extracted(tmp_path, "a.txt", content, media_type=media_type).path.read_text(encoding="utf-8") == "żółw"
    for charset in ("iso-8859-1", "nonsense", "hex"):
        media_type = f"text/plain; charset={charset}"
        text = extracted(tmp_path, "a.txt", "żółw".encode(), media_type=media_type)
        assert text.path.read_text(encoding="utf-8") == "żółw"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("noname", "application/octet-stream"), ("a.xyz", ""), ("a.go", "text/x-go"), ("Makefile", "text/x-makefile")],
)
def test_what_is_text_is_read_whatever_its_name(tmp_path: Path, name: str, media_type: str) -> None:
    text = extracted(tmp_path, name, b"A gull.", media_type=media_type)
    assert text.path.read_text(encoding="utf-8") == "A gull."


def test_a_pdf_without_its_name_is_one(tmp_path: Path) -> None:
    content = files.pdf([["Warranty", SENTENCE]])
    assert extracted(tmp_path, "scan 1", content, media_type="application/octet-stream").page_starts == (0,)


def nested(depth: int) -> bytes:
    content = files.zipped({"a.txt": "bottom"})
    for _ in range(depth):
        content = files.zipped({"inner.zip": content})
    return content


def overlapping_bomb() -> bytes:
    """Says little of itself, and unpacks to half a gigabyte."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as file:
        for _ in range(512):
            file.write(b"0" * (1 << 20))
    lied = bytearray(made.getvalue())
    directory = lied.rindex(b"PK\x01\x02")
    lied[directory + 24 : directory + 28] = struct.pack("<I", 1000)
    return bytes(lied)


def entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "boom">{entities}]><x>&e11;</x>'.encode()


def encrypted_pdf() -> bytes:
    code = "<" + "00" * 32 + ">"
    handler = f"/Filter /Standard /V 2 /R 3 /Length 128 /O {code} /U {code} /P -44"
    return files.pdf([["Secret", "words"]], f"/Encrypt << {handler} >> /ID [<00> <00>]")


def encrypted_zip() -> bytes:
    content = bytearray(files.docx([("", "secret")]))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (found := content.find(sign, start)) >= 0:
            content[found + place] |= 1
            start = found + 4
    return bytes(content)


def empty_pdf() -> bytes:
    return files.pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"])


def looping_pdf() -> bytes:
    return files.pdf_of([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1000000 >>",
        b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Parent 2 0 R /Count 1000000 >>",
    ])  # fmt: skip


def deep_pdf() -> bytes:
    return files.pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"[" * 200_000 + b"]" * 200_000])


def inflating_pdf() -> bytes:
    """A stream of a kilobyte for each megabyte that it unpacks to."""
    stream = zlib.compress(b"BT (x) Tj ET " * 20_000_000, 9)
    content = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << >> >>"
    return files.pdf_of(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, content]
    )


ZOO: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "encrypted PDF": ("a.pdf", encrypted_pdf, "encrypted"),
    "encrypted DOCX": ("a.docx", encrypted_zip, "encrypted"),
    "old Office file": ("a.docx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "OLE file"),
    "corrupt PDF": ("a.pdf", lambda: b"%PDF-1.4 broken", ""),
    "truncated PDF": ("a.pdf", lambda: files.pdf([["Warranty", SENTENCE]])[:300], ""),
    "corrupt DOCX": ("a.docx", lambda: files.docx([("", "x")])[:200], "damaged|not a|invalid|zip"),
    "DOCX without a document": ("a.docx", lambda: files.zipped({"nothing.xml": "<x/>"}), ""),
    "PDF of loops": ("a.pdf", looping_pdf, ""),
    "PDF of brackets": ("a.pdf", deep_pdf, ""),
    "PDF that inflates": ("a.pdf", inflating_pdf, ""),
    "scanned PDF": ("a.pdf", lambda: files.pdf([["", ""]]), "no text"),
    "ZIP bomb": ("a.docx", lambda: files.docx([], {"bomb.xml": b"0" * (600 << 20)}), "ZIP bomb"),
    "ZIP bomb that lies": ("a.docx", overlapping_bomb, ""),
    "many files": ("a.zip", lambda: files.zipped({f"{n}.txt": "x" for n in range(10_001)}), "10000 files"),
    "nested archives": ("a.zip", lambda: nested(5), "nested"),
    "path traversal": ("a.zip", lambda: files.zipped({"../../etc/cron.d/x": "* * * * * root true"}), "outside"),
    "absolute path": ("a.zip", lambda: files.zipped({"/etc/passwd": "x"}), "outside"),
    "entity bomb in DOCX": ("a.docx", lambda: files.docx([], {"word/document.xml": entity_bomb()}), ""),
    "deep HTML": ("a.html", lambda: b"<div>" * 300_000, ""),
    "PNG named PDF": ("a.pdf", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "a PNG image"),
    "PDF named DOCX": ("a.docx", lambda: files.pdf([["x", "y"]]), "a PDF"),
    "ZIP named text": ("a.txt", lambda: files.zipped({"a": "b"}), "a ZIP archive"),
    "program named text": ("a.md", lambda: b"\x7fELF" + b"\0" * 64, "a program"),
    "zeros named text": ("a.txt", lambda: b"ab\0" * 5000, "zero bytes"),
    "noise named text": ("a.txt", lambda: NOISE.replace(b"\0", b""), "Save it as UTF-8"),
    "image": ("a.png", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "no text recognition"),
    "recording": ("a.mp3", lambda: b"ID3\3\0" * 100, "transcriptions"),
    "program": ("a.exe", lambda: b"MZ" + NOISE, "not read here"),
    "unknown kind": ("a.xyz", lambda: b"\x01\x02\0\x03" * 100, "not read here"),
    "PDF without pages": ("a.pdf", empty_pdf, "no page"),
    "huge text": ("a.txt", lambda: b"word " * 1_000_000, "more than"),
    "huge text in HTML": ("a.html", lambda: b"<p>" + b"word " * 2_000_000 + b"</p>", "larger|more"),
}


@pytest.mark.parametrize("name", ZOO)
def test_a_hostile_file_fails_alone_with_a_reason(
    tmp_path: Path, name: str, record_property: Callable[..., None]
) -> None:
    file_name, make, why = ZOO[name]
    began = time.monotonic()
    with pytest.raises(ExtractionFailed, match=f"(?i){why}") as caught:
        extracted(tmp_path, file_name, make())
    record_property("reason", str(caught.value))
    assert len(str(caught.value)) > 15
    assert time.monotonic() - began < LIMITS.seconds + PATIENCE
    # And the next document goes through.
    assert extracted(tmp_path, "b.docx", files.docx([("", SENTENCE)])).characters > 10


def test_xml_is_read_as_it_is_and_its_entities_are_not_expanded(tmp_path: Path) -> None:
    """Its attributes are words, too, and what belongs together stands together."""
    assert extracted(tmp_path, "a.xml", entity_bomb()).path.read_bytes() == entity_bomb()


def test_time_and_memory_are_limited(tmp_path: Path) -> None:
    pages = [["Page", *("word " * 12 for _ in range(40))] for _ in range(800)]
    big = files.pdf(pages)
    with pytest.raises(ExtractionFailed, match=r"within 0\.3 s"):
        extracted(tmp_path, "a.pdf", big, ExtractionLimits(0.3, 1024, 1 << 30, 1))
    with pytest.raises(ExtractionFailed):
        extracted(tmp_path, "a.pdf", big, ExtractionLimits(8, 256, 1 << 30, 1))


CONFINED = """
import json, os, socket, subprocess, sys
from rag_service.adapters.sandbox import confine, refuse_calls
confine(512, 1000)
told = {"filter": refuse_calls()}
def attempt(name, work):
    try:
        work()
        told[name] = "done"
    except BaseException as error:
        told[name] = type(error).__name__
attempt("socket", lambda: socket.create_connection(("127.0.0.1", 9)))
attempt("program", lambda: subprocess.run(["/bin/true"]))
attempt("memory", lambda: bytearray(600 << 20))
signal = __import__("signal"); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def write(mode, content):
    with open(sys.argv[1], mode, buffering=0) as file:
        file.write(content)
write("wb", b"x" * 1000)
attempt("file", lambda: write("ab", b"x"))
print(json.dumps(told))
"""


def test_no_network_no_programs_no_more_memory_or_files_than_allowed(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CONFINED, str(tmp_path / "file")], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == {
        "filter": True,
        "socket": "PermissionError",
        "program": "PermissionError",
        "memory": "MemoryError",
        "file": "OSError",
    }
