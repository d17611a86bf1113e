"""A batch on one page: what was made, with a frame of each, and what was not, with the reason."""

from __future__ import annotations

import base64
import html
import json
import os
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import cv2

from ..clip import open_clip
from ..errors import SonicError
from ..media.files import file_errors, written_beside
from ..media.pixels import as_bytes, resize_bytes
from .journal import JournalEntry
from .manifest import Fault, ManifestRow
from .work import Outcome

SIDE = 192
"""Pixels of a picture's longer side."""
MOST_PICTURES = 200
"""Rows that are shown with a picture: a page stays one that opens at once."""
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;background:#fff;color:#1b1f24}
table{border-collapse:collapse;width:100%}td,th{padding:.5rem .75rem;text-align:left;border-bottom:1px solid #d8dde3;
vertical-align:middle}img{display:block;border-radius:6px;max-width:6rem;max-height:6rem}td:nth-child(1){width:7rem}td:nth-child(4){white-space:nowrap}.bad{color:#b3261e}.soft{color:#667}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}td,th{border-color:#2c3238}.bad{color:#ff8a80}
.soft{color:#99a}}
"""


def write_reports(outcome: Outcome, faults: list[Fault], folder: Path) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html`` into the batch's folder.

    Raises:
        MediaError: They cannot be written.
    """
    rows = [{"line": row.line, "id": row.id, **asdict(entry)} for row, entry in outcome.rows]
    told = {
        "made": outcome.made, "already_there": outcome.known, "failed": len(outcome.failed) + len(faults),
        "seconds": round(outcome.seconds, 2), "rows": rows, "faults": [fault._asdict() for fault in faults],
    }  # fmt: skip
    return _written(folder / "report.json", json.dumps(told, indent=1)), _written(
        folder / "report.html", _page(outcome, faults)
    )


def _written(path: Path, text: str) -> Path:
    with written_beside(path) as part, file_errors(path):
        part.write_text(text, encoding="utf-8", errors="backslashreplace")  # names need not be UTF-8
    return path


def _page(outcome: Outcome, faults: list[Fault]) -> str:
    """What failed comes first: that is what somebody has to look at."""
    shown = [_bad(fault.place, f"not tried: {fault.text}") for fault in faults]
    shown += [_bad(row.id, entry.error, entry.took) for row, entry in outcome.failed]
    made = [(row, entry) for row, entry in outcome.rows if not entry.error]
    shown += [_row(row, entry, number < MOST_PICTURES) for number, (row, entry) in enumerate(made)]
    bad = len(outcome.failed) + len(faults)
    head = f"{outcome.made} made, {outcome.known} there already, {bad} failed, in {outcome.seconds:.0f} s"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{head}</title><style>{_STYLE}</style><h1>{head}</h1><table>"
        f"<tr><th></th><th>video</th><th>what came of it</th><th>took</th></tr>{''.join(shown)}</table></html>\n"
    )


def _bad(name: str, why: str, took: float = 0.0) -> str:
    spent = f"{took:.1f} s" if took else ""
    return f'<tr><td></td><td>{html.escape(name)}</td><td class="bad">{html.escape(why)}</td><td>{spent}</td></tr>'


def _row(row: ManifestRow, entry: JournalEntry, picture: bool) -> str:
    link = f'<a href="{html.escape(quote(os.fsencode(entry.output)))}">{html.escape(row.id)}</a>'
    remarks = "".join(f'<br><span class="soft">{html.escape(text)}</span>' for text in entry.remarks)
    said = f"{entry.seconds:.2f} s, {html.escape(entry.model)}{remarks}"
    image = _picture(row.output) if picture else ""
    return f"<tr><td>{image}</td><td>{link}</td><td>{said}</td><td>{entry.took:.1f} s</td></tr>"


def _picture(path: Path) -> str:
    """Draw a video's first frame; nothing where it cannot be read."""
    try:
        frame = next(iter(open_clip(path).frames()))
    except (SonicError, OSError, StopIteration):
        return ""
    pixels = as_bytes(frame)
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    small = resize_bytes(pixels, (max(1, round(height * scale)), max(1, round(width * scale))))
    made = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(made.tobytes()).decode()}">'
