"""What the canvas asks this pack over the host's web server."""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .conflicts import Claims
from .downloads import Downloads, described
from .folders import input_path
from .own_formats import heed_own_formats

WAVEFORM, PACK, WEIGHTS = "/sonic/waveform", "/sonic/pack", "/sonic/weights"
DOWNLOADED = "sonic.download"
"""What the canvas hears while weights are fetched."""
COUNT = 600
"""Parts of a waveform where the canvas does not say how many."""


def open_routes(claims: Claims) -> None:
    """Answer the canvas, and tell of conflicts once all packs are there; nothing where no server is."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is None:
        return

    async def all_packs_are_there(_: Any) -> None:
        claims.tell()

    async def waveform(request: Any) -> Any:
        return await _answered(lambda: _waveform(request.query.get("audio", ""), request.query.get("count", COUNT)))

    async def pack(_: Any) -> Any:
        from ...sonic_core import __version__

        told = {"version": __version__}
        return await _answered(lambda: {**told, "conflicts": claims.tell(), "formats": heed_own_formats()})

    server.app.on_startup.append(all_packs_are_there)
    if all(route.path != PACK for route in server.routes):  # a second copy of this pack may have been first
        server.routes.get(WAVEFORM)(waveform)
        server.routes.get(PACK)(pack)
        _open_weights(server)


def _open_weights(server: Any) -> None:
    """Tell of weights, and fetch them where the canvas itself asks for that."""
    downloads = Downloads(lambda state: server.send_sync(DOWNLOADED, state))

    async def weights(request: Any) -> Any:
        return await _answered(lambda: described(request.query.get("name", ""), downloads.state))

    async def start(request: Any) -> Any:
        asked = await _asked(request)
        given = [asked.get(name, "") for name in ("name", "mirror", "token")]
        return await _answered(lambda: downloads.start(*given))

    async def stop(request: Any) -> Any:
        await _asked(request)
        return await _answered(downloads.stop)

    server.routes.get(WEIGHTS)(weights)
    server.routes.post(f"{WEIGHTS}/download")(start)
    server.routes.post(f"{WEIGHTS}/stop")(stop)


async def _asked(request: Any) -> dict[str, str]:
    """Read what the canvas asks for: JSON of texts, which pages of others cannot send here unasked.

    Raises:
        Exception: The host's own answer: 415, 403 or 400.
    """
    web = import_module("aiohttp.web")
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="Expected application/json.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="Only the canvas itself may ask for this.")
    try:
        asked = await request.json()
    except ValueError:
        asked = None
    if not isinstance(asked, dict) or not all(isinstance(value, str) for value in asked.values()):
        raise web.HTTPBadRequest(text="Expected a JSON object of texts.")
    return asked


async def _answered(work: Callable[[], dict[str, Any]]) -> Any:
    """Do ``work`` beside the event loop; what the engine refuses becomes a message with status 400."""
    from ...sonic_core import SonicError

    respond = import_module("aiohttp.web").json_response
    try:
        return respond(await asyncio.get_running_loop().run_in_executor(None, work))
    except (SonicError, OSError) as error:
        return respond({"message": str(error)}, status=400)


def _waveform(name: str, count: str | int) -> dict[str, Any]:
    """Outline the sound of a file among the inputs.

    Raises:
        InputError: There is no such file, no sound in it, or ``count`` is no possible number.
        MediaError: It cannot be decoded.
    """
    from ...sonic_core import InputError

    try:
        parts = int(count)
    except ValueError:
        raise InputError(f"count must be a whole number, got {count!r}.") from None
    path = input_path(name)
    state = path.stat()
    return _outline(path, parts, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=32)
def _outline(path: Path, count: int, *_state: int) -> dict[str, Any]:
    """Read the waveform of a file in one state."""
    from ...sonic_core.media.waveform import read_waveform

    made = read_waveform(path, count)
    peaks = made.peaks.astype(float).clip(-1, 1).round(4).tolist()
    return {"seconds": made.seconds, "rate": made.rate, "channels": made.channels, "peaks": peaks}
