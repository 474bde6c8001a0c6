"""What speakers are to say: the notes of a presentation, which the extraction library reads and drops."""

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
SLIDE = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
TITLES = ("title", "ctrTitle")


def notes(path: Path) -> str:
    """Each slide's notes under a heading of their own, in the order of the slides; empty without any."""
    with zipfile.ZipFile(path) as archive:
        return "".join(f"\n\n## {heading}\n\n{text}" for heading, text in _notes(archive))


def _notes(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    whole = "ppt/presentation.xml"
    targets = {name: target for name, _, target in _related(archive, whole)}
    for number, entry in enumerate(_parsed(archive, whole).iter(f"{SLIDE}sldId"), 1):
        slide = targets[entry.attrib[f"{OFFICE}id"]]
        for _, kind, target in _related(archive, slide):
            if kind.endswith("/notesSlide") and (text := _said(archive, target, ("body",))):
                title = " ".join(_said(archive, slide, TITLES).split())
                yield f"Notes to slide {number}" + (f": {title}" if title else ""), text


def _related(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str, str]]:
    """(id, kind, part) of what a part refers to inside of the file."""
    folder, name = posixpath.split(part)
    described = f"{folder}/_rels/{name}.rels"
    if described not in archive.namelist():
        return []
    return [
        (
            one.attrib["Id"],
            one.attrib["Type"],
            posixpath.normpath(posixpath.join("/", folder, one.attrib["Target"]))[1:],
        )
        for one in _parsed(archive, described)
        if one.attrib.get("TargetMode") != "External"
    ]


def _said(archive: zipfile.ZipFile, part: str, kinds: tuple[str, ...]) -> str:
    """The paragraphs of a part's shapes that are placeholders of these kinds."""
    paragraphs = [
        "".join(run.text or "" for run in paragraph.iter(f"{DRAWING}t"))
        for shape in _parsed(archive, part).iter(f"{SLIDE}sp")
        if any(holder.attrib.get("type") in kinds for holder in shape.iter(f"{SLIDE}ph"))
        for paragraph in shape.iter(f"{DRAWING}p")
    ]
    return "\n\n".join(filter(None, map(str.strip, paragraphs)))


def _parsed(archive: zipfile.ZipFile, part: str) -> ET.Element:
    return ET.fromstring(archive.read(part))  # noqa: S314  # in a process that is confined already
