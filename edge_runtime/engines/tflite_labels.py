"""Names and task of a .tflite of another exporter, from the zip archive behind the model.

That is where the TFLite Metadata library puts its "associated files". YOLOv5's exporter writes the
text of a Python dictionary, the ultralytics package JSON, others a list of labels.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass

from ..class_names import MAX_TEXT, find_names

MAX_MEMBERS = 16
_TASK = re.compile(r"""["']?\btask["']?\s*:\s*["']?(\w{1,20})""")


@dataclass(frozen=True)
class OwnWords:
    """`class_names` by class id, and `task` as `detect` or `segment`; None where it is silent."""

    class_names: tuple[str, ...] | None = None
    task: str | None = None


def read_own_words(data: bytes) -> OwnWords:
    """The names and task in the archive behind the model; nothing without a sound archive."""
    for name, text in _members(data):
        names = find_names(text)
        if names is None and "label" in name.lower():
            names = tuple(line.strip() for line in text.splitlines() if line.strip())
        if names:
            task = _TASK.search(text)
            return OwnWords(names, task[1] if task else None)
    return OwnWords()


def _members(data: bytes) -> list[tuple[str, str]]:
    """Name and text of the first members, as far as they are short text."""
    found: list[tuple[str, str]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist()[:MAX_MEMBERS]:
                with archive.open(info) as member:
                    content = member.read(MAX_TEXT + 1)
                if len(content) <= MAX_TEXT:
                    found.append((info.filename, content.decode(errors="replace")))
    # A damaged archive fails in many ways; the model beside it may be sound.
    except Exception:
        return found
    return found
