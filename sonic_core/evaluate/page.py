"""One page about evaluated videos: a table, curves and a few frames, in one file that needs no network."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..media.files import check_writable, file_errors, written_beside
from .charts import Chart, Series, draw, legend
from .report import NOTHING, ClipReport
from .scores.sets import SetScore
from .statistics import usual
from .summary import Table, tabulate

TURNS = ("yaw", "pitch", "roll")
BETTER = {"": "", "high": "↑", "low": "↓", "near 0": "→ 0", "near 1": "→ 1"}
"""What is written beside a measure that has a good side."""
SHOWN = 24
"""Videos whose curves and frames a page shows; the table has all."""
STYLE = """
:root{--paper:#f7f6f3;--card:#fff;--ink:#1d2026;--soft:#6a6f7b;--rule:#e5e3dd;--a:#2f6fde;--b:#d9663a;--c:#2c9a72;
--p:#b9853b;--r:#a3a8b3;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1c1f25;--ink:#e6e8ec;--soft:#959ba8;--rule:#2d313a;
--a:#7aa7ff;--b:#ff9d73;--c:#63cfa5;--p:#dcb06a;--r:#70768a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1180px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:27px;font-weight:650;letter-spacing:-.015em;margin:0 0 4px}
h2{font-size:19px;font-weight:620;letter-spacing:-.01em;margin:44px 0 2px}
p{margin:0;color:var(--soft)}
.card{background:var(--card);border:1px solid var(--rule);border-radius:12px;margin-top:18px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 16px;text-align:right;white-space:nowrap;font-weight:400}
th:first-child{text-align:left;width:32%}
thead th{color:var(--soft);font-size:13px;padding-top:14px;padding-bottom:8px;border-bottom:1px solid var(--rule)}
tr.group th{padding-top:16px;font-size:12px;font-weight:620;letter-spacing:.06em;text-transform:uppercase;
color:var(--soft)}
tbody tr:last-child>*{padding-bottom:14px}
td.none{color:var(--soft)}
small{color:var(--soft);font-size:12px;font-weight:400;margin-left:7px}
ul{margin:14px 0 0;padding-left:18px;color:var(--soft);font-size:13px}
.frames{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:8px;margin-top:16px}
figure{margin:0}
.frames img{width:100%;display:block;border-radius:8px}
figcaption{color:var(--soft);font-size:12px;padding-top:3px;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:14px;margin-top:14px}
.charts .card{margin:0;padding:12px 14px 6px}
.head{display:flex;flex-wrap:wrap;gap:2px 14px;justify-content:space-between;font-size:14px;font-weight:560}
.keys{font-size:12px;font-weight:400;color:var(--soft)}
.key{margin-left:12px}
.key::before{content:"";display:inline-block;width:14px;height:0;border-top:2.5px solid;border-radius:2px;
vertical-align:middle;margin-right:5px}
.key.a::before{border-color:var(--a)}.key.b::before{border-color:var(--b)}.key.c::before{border-color:var(--c)}
.key.p::before{border-color:var(--p)}.key.r::before{border-color:var(--r)}
svg{width:100%;height:auto;display:block}
.line{fill:none;stroke-width:1.5;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.c{stroke:var(--c)}.line.p{stroke:var(--p)}.line.r{stroke:var(--r)}
.grid{stroke:var(--rule)}
.tick{fill:var(--soft);font-size:11px}
"""
FOOT = (
    "Lengths in a face are in I, the distance between the middles of the eyes. ↑ ↓ → say which side of a measure is "
    "good, where one is; but the goal is a real clip's own score, not the highest: give one as the reference."
)


def write_report(
    path: str | os.PathLike[str],
    reports: Sequence[ClipReport],
    others: Sequence[ClipReport] = (),
    sets: Sequence[Mapping[str, SetScore]] = (),
) -> Path:
    """Write a page about some videos, and those that they are compared with.

    Args:
        path: Ends in ``.html``; an existing file is replaced when the new one is whole.
        reports: Of every video.
        others: Of the same inputs made by another model.
        sets: How far the first, and the second, are as sets from the references.

    Raises:
        MediaError: The file cannot be written.
        InputError: The two cannot be put together in pairs.
    """
    target, text = check_writable(path, ".html"), page(reports, others, sets)
    with written_beside(target) as part, file_errors(target):
        part.write_text(text, encoding="utf-8", errors="backslashreplace")  # names need not be UTF-8
    return target


def page(
    reports: Sequence[ClipReport], others: Sequence[ClipReport] = (), sets: Sequence[Mapping[str, SetScore]] = ()
) -> str:
    """Lay the page out."""
    frames, seconds = sum(one.length for one in reports), sum(one.length / one.fps for one in reports)
    videos = "1 video" if len(reports) == 1 else f"{len(reports)} videos"
    title = reports[0].name if len(reports) == 1 else videos
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Sonic report: {escape(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1><p>{videos}, {frames} frames, {seconds:.1f} s</p>",
        table(tabulate(reports, others, sets)),
        *(section(report) for report in [*reports, *others][:SHOWN]),
        f'<p style="margin-top:44px;font-size:13px">{FOOT}</p></main></body></html>\n',
    ]
    return "\n".join(parts)


def table(told: Table) -> str:
    """Lay the table out, under the headings of its groups."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in told.titles)
    rows, group = [], ""
    for row in told.rows:
        if row.measure.group != group:
            group = row.measure.group
            rows.append(f'<tr class="group"><th colspan="{len(told.titles) + 1}">{escape(group)}</th></tr>')
        unit = escape(" ".join(filter(None, (row.measure.unit, BETTER[row.measure.better]))))
        unit = f"<small>{unit}</small>" if unit else ""
        cells = "".join(
            f"<td>{cell}</td>" if cell != NOTHING else f'<td class="none">{NOTHING}</td>'
            for cell in map(escape, row.cells)
        )
        rows.append(f'<tr><th scope="row">{escape(row.measure.title)}{unit}</th>{cells}</tr>')
    notes = "".join(f"<li>{escape(note)}</li>" for note in told.notes)
    return (
        f'<div class="card wide"><table><thead><tr><th></th>{titles}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        f"</div>{f'<ul>{notes}</ul>' if notes else ''}"
    )


def signed(cell: str) -> str:
    """Write a cell with the minus sign that is as wide as a plus."""
    return escape(cell).replace("-", "−")


def section(report: ClipReport) -> str:
    """Show one video: what it is, a few of its frames, and what moves in it."""
    height, width = report.size
    told = f"{width}×{height}, {report.fps:g} frames a second, {report.length / report.fps:.1f} s"
    seen = f"; a face was read in {report.seen:.0%} of the frames"
    frames = "".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{base64.b64encode(one.picture).decode()}">'
        f"<figcaption>{one.time:.2f} s</figcaption></figure>"
        for one in report.moments
    )
    drawn = []
    for chart in charts(report):
        svg = draw(chart, report.fps)
        unit = f"<small>{escape(chart.unit)}</small>" if chart.unit else ""
        head = f'<div class="head"><span>{escape(chart.title)}{unit}</span>{legend(chart.lines)}</div>'
        drawn += [f'<div class="card">{head}{svg}</div>'] if svg else []
    return (
        f'<h2>{escape(report.name)}</h2><p>{told}{seen}</p><div class="frames">{frames}</div>'
        f'<div class="charts">{"".join(drawn)}</div>'
    )


def charts(report: ClipReport) -> list[Chart]:
    """Choose what is drawn of a video."""
    curve = report.curves
    opening = [Series("lips", curve["opening"]), Series("what the sound predicts", curve["predicted"], "p")]
    brows = [Series("brows", curve["brows"])]
    if report.reference is not None:
        opening.insert(0, Series("reference", beside(report, "opening"), "r"))
        brows.insert(0, Series("reference", beside(report, "brows"), "r"))
    head = [Series(name, curve[name] - usual(curve[name]), style) for name, style in zip(TURNS, "abc", strict=True)]
    gaze = [
        Series(title, curve[key], style) for key, title, style in (("gaze_x", "right", "a"), ("gaze_y", "down", "b"))
    ]
    open_eyes = np.where(curve["lids"] > 0, curve["lids"], 0.0) / max(usual(curve["lids"]), 1e-6)
    return [
        Chart("Opening of the lips", "I", tuple(opening), low=0.0),
        Chart("Head, from where it usually is", "°", tuple(head)),
        Chart("Eyes open", "of their usual height", (Series("eyes", open_eyes),), low=0.0),
        Chart("Gaze", "°", tuple(gaze)),
        Chart("Height of the brows", "I", tuple(brows)),
        Chart("Warping error", "1/255", (Series("warping error", curve["warping"]),)),
    ]


def beside(report: ClipReport, name: str) -> NDArray[np.float64]:
    """Read a curve of the reference at a video's own moments: (n,), not a number after its end."""
    if report.reference is None:
        return np.full(report.length, np.nan)
    values = report.reference.curves[name]
    places = np.round(np.arange(report.length) * report.reference.fps / report.fps).astype(int)
    return np.where(places < len(values), values[np.minimum(places, len(values) - 1)], np.nan)
