"""What the host saves of our video plays in Chromium, in the colours that it was made in."""

from __future__ import annotations

import urllib.parse
from typing import Any

import pytest

from tests.host.harness import Comfy
from tests.host.prompts import short_sound
from tests.host.saving import HDR, OURS, combine, node, save, savings, small_video, told

LOOK = """async (url) => {
    const video = document.createElement('video')
    video.muted = true
    document.body.replaceChildren(video)
    const shown = new Promise((good, bad) => {
        video.onloadeddata = good
        video.onerror = () => bad(video.error.message)
    })
    video.src = url
    await shown
    const canvas = document.createElement('canvas')
    canvas.width = video.videoWidth
    canvas.height = video.videoHeight
    const context = canvas.getContext('2d')
    context.drawImage(video, 0, 0)
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data
    const ended = new Promise((good, bad) => { video.onended = good; video.onerror = () => bad(video.error.message) })
    video.play().catch(() => 0)
    await ended
    return [0, 1, 2].map(channel => {
        let sum = 0
        for (let place = channel; place < pixels.length; place += 4) sum += pixels[place]
        return sum / (pixels.length / 4)
    })
}"""
"""Show a video's first frame, play it to its end, and tell the frame's mean red, green and blue."""
NEAR = 2.0
"""Levels of 255 by which a mean colour may be off; in the wrong range and matrix red is off by 8."""


@pytest.mark.parametrize("start", [None, 0.4], ids=["whole", "trimmed"])
def test_what_save_video_writes_of_ours_plays_in_its_colours(comfy: Comfy, browser: Any, start: float | None) -> None:
    if start is not None and "Video Slice" not in comfy.read("/object_info"):
        pytest.skip("this host trims no videos")
    short_sound(comfy.home / "input")
    prompt, video = small_video(), OURS
    if start is not None:
        prompt["20"] = node("Video Slice", video=list(OURS), start_time=start, duration=0.4, strict_duration=True)
        video = ("20", 0)
    unwanted = HDR if start is None else HDR | {"re-encode"}
    ways = {f"SaveVideo {told(way)}": way for way in savings(comfy) if not unwanted & set(way.values())}
    prompt |= {name: save(video, **way) for name, way in ways.items()}
    prompt["ours"] = combine(video)
    run = comfy.run(prompt)
    page = browser.new_page()
    try:
        page.goto(f"{comfy.url}/system_stats")
        seen = {
            name: page.evaluate(LOOK, f"{comfy.url}/view?{urllib.parse.urlencode(run.file(name))}")
            for name in ("ours", *ways)
        }
    finally:
        page.context.close()
    wrong = {name: colour for name, colour in seen.items() if colour != pytest.approx(seen["ours"], abs=NEAR)}
    assert not wrong, seen["ours"]
