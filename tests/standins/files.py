"""Small real files of many formats, each made by hand from its specification."""

import io
import zipfile
from collections.abc import Mapping, Sequence

XML = '<?xml version="1.0" encoding="UTF-8"?>'
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def pdf(pages: Sequence[Sequence[str]], trailer: str = "") -> bytes:
    """Each page's first line is large, the others are small."""
    font = 3 + 2 * len(pages)
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
    ]
    for number, (title, *lines) in enumerate(pages):
        small = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        stream = f"BT /F1 24 Tf 72 740 Td ({title}) Tj /F1 11 Tf 0 -40 Td {small}ET".encode()
        place = f"/MediaBox [0 0 612 792] /Contents {4 + 2 * number} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R {place} /Resources << /Font << /F1 {font} 0 R >> >> >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    return pdf_of(objects, trailer)


def pdf_of(objects: Sequence[bytes], trailer: str = "") -> bytes:
    """Objects, numbered from 1; the first one is the root."""
    body, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = f"trailer << /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{len(body)}\n%%EOF".encode()
    return bytes(body) + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end


def docx(paragraphs: Sequence[tuple[str, str]], inside: Mapping[str, bytes] | None = None) -> bytes:
    """(style, text), the style being empty or Heading1, Heading2, ..."""
    body = "".join(
        f"<w:p>{f'<w:pPr><w:pStyle w:val={style!r}/></w:pPr>' if style else ''}<w:r><w:t>{text}</w:t></w:r></w:p>"
        for style, text in paragraphs
    )
    part = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return zipped({
        **_office("word/document.xml", {"/word/document.xml": part}),
        "word/document.xml": f'{XML}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        **(inside or {}),
    })  # fmt: skip


def xlsx(name: str, rows: Sequence[Sequence[str]]) -> bytes:
    """One sheet."""
    cells = "".join(
        f'<row r="{row}">'
        + "".join(
            f'<c r="{chr(65 + column)}{row}" t="inlineStr"><is><t>{text}</t></is></c>'
            for column, text in enumerate(texts)
        )
        + "</row>"
        for row, texts in enumerate(rows, 1)
    )
    book = f'<sheets><sheet name="{name}" sheetId="1" r:id="rId1"/></sheets>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {"/xl/workbook.xml": f"{kind}.sheet.main+xml", "/xl/worksheets/sheet1.xml": f"{kind}.worksheet+xml"}
    return zipped({
        **_office("xl/workbook.xml", parts),
        "xl/_rels/workbook.xml.rels": _related("worksheet", "worksheets/sheet1.xml"),
        "xl/workbook.xml": f'{XML}<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}">{book}</workbook>',
        "xl/worksheets/sheet1.xml": f'{XML}<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>',
    })  # fmt: skip


def pptx(title: str, text: str, notes: str = "") -> bytes:
    """One slide, and what its speaker is to say."""

    def shape(content: str, kind: str) -> str:
        named = f'<p:nvSpPr><p:cNvPr id="1" name="s"/><p:nvPr>{kind}</p:nvPr></p:nvSpPr>'
        return f"<p:sp>{named}<p:txBody><a:p><a:r><a:t>{content}</a:t></a:r></a:p></p:txBody></p:sp>"

    shapes = shape(title, '<p:ph type="title"/>') + shape(text, "")
    kind = "application/vnd.openxmlformats-officedocument.presentationml"
    parts = {"/ppt/presentation.xml": f"{kind}.presentation.main+xml", "/ppt/slides/slide1.xml": f"{kind}.slide+xml"}
    slides = '<p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst>'
    tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
    spoken = shape("1", '<p:ph type="sldNum"/>') + shape(notes, '<p:ph type="body"/>')
    said = f"<p:cSld><p:spTree>{spoken}</p:spTree></p:cSld>"
    noted = {
        "ppt/slides/_rels/slide1.xml.rels": _related("notesSlide", "../notesSlides/notesSlide1.xml"),
        "ppt/notesSlides/notesSlide1.xml": f'{XML}<p:notes xmlns:p="{SLIDE}" xmlns:a="{DRAWING}">{said}</p:notes>',
    }
    return zipped({
        **(noted if notes else {}),
        **_office("ppt/presentation.xml", parts),
        "ppt/_rels/presentation.xml.rels": _related("slide", "slides/slide1.xml"),
        "ppt/presentation.xml": f'{XML}<p:presentation xmlns:p="{SLIDE}" xmlns:r="{OFFICE}">{slides}</p:presentation>',
        "ppt/slides/slide1.xml": f'{XML}<p:sld xmlns:p="{SLIDE}" xmlns:a="{DRAWING}">{tree}</p:sld>',
    })  # fmt: skip


def epub(chapter: str, text: str) -> bytes:
    """One chapter."""
    book = "http://www.idpf.org/2007/opf"
    terms = "http://purl.org/dc/elements/1.1/"
    about = f'<dc:identifier xmlns:dc="{terms}" id="i">x</dc:identifier><dc:title xmlns:dc="{terms}">Book</dc:title>'
    items = '<item id="c1" href="c1.xhtml" media-type="application/xhtml+xml"/>'
    root = '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/>'
    container = "urn:oasis:names:tc:opendocument:xmlns:container"
    page = f"<head><title>c</title></head><body><h1>{chapter}</h1><p>{text}</p></body>"
    return zipped({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml":
            f'{XML}<container version="1.0" xmlns="{container}"><rootfiles>{root}</rootfiles></container>',
        "c.opf": f'{XML}<package xmlns="{book}" version="3.0" unique-identifier="i"><metadata>{about}</metadata>'
            f'<manifest>{items}</manifest><spine><itemref idref="c1"/></spine></package>',
        "c1.xhtml": f'{XML}<html xmlns="http://www.w3.org/1999/xhtml">{page}</html>',
    })  # fmt: skip


def eml(subject: str, text: str) -> bytes:
    """A mail."""
    head = f"From: ada@example.com\r\nTo: bob@example.com\r\nSubject: {subject}\r\nContent-Type: text/plain\r\n"
    return f"{head}Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\n{text}\r\n".encode()


def _office(main: str, parts: Mapping[str, str]) -> dict[str, str]:
    defaults = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    overrides = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in parts.items())
    xml = '<Default Extension="xml" ContentType="application/xml"/>'
    return {
        "[Content_Types].xml": f'{XML}<Types xmlns="{TYPES}">{defaults}{xml}{overrides}</Types>',
        "_rels/.rels": _related("officeDocument", main),
    }


def _related(kind: str, target: str) -> str:
    one = f'<Relationship Id="rId1" Type="{OFFICE}/{kind}" Target="{target}"/>'
    return f'{XML}<Relationships xmlns="{PACKAGE}">{one}</Relationships>'
