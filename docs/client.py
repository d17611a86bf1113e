r"""Queue a prompt on a running ComfyUI, watch it, and fetch the video.

    python docs/client.py --prompt assets/prompts/fast_digital_human.json \
        --image me.jpg --audio hello.mp3 --output talking.mp4
    python docs/client.py --prompt assets/prompts/fast_digital_human.json \
        --manifest list.csv --output videos --server 10.0.0.1:8188 10.0.0.2:8188

It takes aiohttp, which every ComfyUI brings along. Read it from the bottom up: `talk` is the whole conversation, and
`share` has many of them, each with the server that is least busy.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import json
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

Prompt = dict[str, dict[str, Any]]  # node number → class_type and inputs: what "Export (API)" writes
LOADERS = {
    "image": {"LoadImage": "image"},
    "audio": {"SonicLoadAudio": "audio", "LoadAudio": "audio"},
    "video": {"LoadVideo": "file"},
}  # what is uploaded → the nodes that read it, each with the input that names the file
SAVERS = ("VideoCombine", "SaveVideo")


class ClientError(Exception):
    """What went wrong, in one sentence."""


class ServerError(ClientError):
    """A server is not there, or hung up: another one may do it."""


def read_prompt(path: Path, changes: Sequence[str]) -> Prompt:
    """Read a prompt and change inputs in it: ``7.seed=5``, ``8.format=webp``."""
    try:
        prompt = {node: {**made, "inputs": made["inputs"]} for node, made in json.loads(path.read_bytes()).items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ClientError(f'{path} is no prompt in API form: save it with "Export (API)" in ComfyUI.') from None
    for change in changes:
        place, equals, value = change.partition("=")
        node, _, name = place.partition(".")
        if not equals or name not in prompt.get(node, {}).get("inputs", {}):
            raise ClientError(f"--set {change}: expected NODE.INPUT=VALUE with a node and an input of {path}.")
        try:
            prompt[node]["inputs"][name] = json.loads(value)
        except ValueError:
            prompt[node]["inputs"][name] = value
    return prompt


async def upload(session: aiohttp.ClientSession, path: Path, folder: str = "") -> str:
    """Lay a file into ComfyUI's inputs folder (/upload/image takes every kind) and say how nodes name it."""
    form = aiohttp.FormData({"subfolder": folder})
    form.add_field("image", path.read_bytes(), filename=path.name)
    async with session.post("/upload/image", data=form, raise_for_status=True) as answer:
        return "/".join(filter(None, [folder, (await answer.json())["name"]]))


async def fill(session: aiohttp.ClientSession, prompt: Prompt, kind: str, paths: Sequence[Path]) -> None:
    """Upload files and put their names into every node that reads that kind."""
    nodes = [node for node in prompt.values() if node["class_type"] in LOADERS[kind]]
    folders = [node for node in prompt.values() if (kind, node["class_type"]) == ("audio", "SonicLoadAudioFolder")]
    if not nodes and not folders:
        raise ClientError(f"No node of this prompt takes --{kind}: {', '.join(LOADERS[kind])} would.")
    if nodes and len(paths) > 1:
        raise ClientError("This prompt takes one sound: for several use batch_digital_human.")
    for node in nodes:
        node["inputs"][LOADERS[kind][node["class_type"]]] = await upload(session, paths[0])
    if folders:  # a folder that is named after what is in it: the same sounds are cached when they come again
        mark = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()[:12]
        for path in paths:
            await upload(session, path, f"sonic_{mark}")
        for node in folders:
            node["inputs"] |= {"folder": f"sonic_{mark}", "pattern": "*"}


async def queue(session: aiohttp.ClientSession, prompt: Prompt, client: str) -> str:
    """Hand the prompt over; the answer is its id, or what is wrong with it, node by node."""
    async with session.post("/prompt", json={"prompt": prompt, "client_id": client}) as answer:
        said = await answer.json()
        if answer.ok and not said["node_errors"]:
            return said["prompt_id"]
    wrong = [
        f"{node['class_type']} ({number}): {error['message']}: {error['details']}"
        for number, node in (said["node_errors"] or {}).items()
        for error in node["errors"]
    ]
    if answer.ok:  # a part is wrong, and ComfyUI begins with the rest
        await stop(session, said["prompt_id"])
    raise ClientError(f"ComfyUI refused the prompt: {'; '.join(wrong) or said['error']['message']}")


async def stop(session: aiohttp.ClientSession, ticket: str) -> None:
    """Take a run out of the queue, where it still waits, or end it where it runs."""
    await session.post("/queue", json={"delete": [ticket]})
    await session.post("/interrupt", json={"prompt_id": ticket})


async def hear(line: aiohttp.ClientWebSocketResponse, ticket: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield what ComfyUI says about one run, and show the warnings of our nodes."""
    async for message in line:
        if message.type is aiohttp.WSMsgType.TEXT:  # the others are previews: 8 bytes (event 1, kind 1), then a JPEG
            said = json.loads(message.data)
            if said["type"] == "sonic.warning":
                show(f"warning: {said['data']['message']}", end="\n")
            elif said["data"].get("prompt_id") == ticket:
                yield said["type"], said["data"]
    raise ServerError("ComfyUI hung up before the run had ended: look at its log.")


async def watch(line: aiohttp.ClientWebSocketResponse, prompt: Prompt, ticket: str) -> list[dict[str, str]]:
    """Listen until the run has ended and list the files that it saved, those of nodes that were cached too."""
    files: list[dict[str, str]] = []
    async for kind, data in hear(line, ticket):
        title = prompt.get(data.get("node") or "", {}).get("class_type", "")
        if kind == "progress":
            show(f"{title} {data['value']}/{data['max']}")
        elif kind == "executed" and title in SAVERS:
            files += (data["output"] or {}).get("images", [])
        elif kind == "execution_error":
            raise ClientError(f"{data['node_type']} ({data['node_id']}): {data['exception_message'].strip()}")
        elif kind == "execution_interrupted":
            raise ClientError("The run was interrupted at the server.")
        elif kind == "execution_success":
            break
    return files


def show(text: str, end: str = "") -> None:
    """Show where the run is, always on the same line of standard error."""
    sys.stderr.write(f"\r{text:<70}{end}")
    sys.stderr.flush()


async def fetch(session: aiohttp.ClientSession, file: dict[str, str], goal: Path) -> Path:
    """Download a file beside its goal, then rename it, so that there is never a half one."""
    beside = goal.with_name(f".{goal.name}.{uuid.uuid4().hex}")
    try:
        async with session.get("/view", params=file, raise_for_status=True) as answer:
            beside.write_bytes(await answer.read())
        return beside.replace(goal)
    finally:
        beside.unlink(missing_ok=True)


def goals(output: Path, files: Sequence[dict[str, str]], overwrite: bool) -> list[Path]:
    """Name what will be written: one file as it was asked for, several numbered; each with the ending that it has."""
    numbers = [f"_{number + 1}" for number in range(len(files))] if len(files) > 1 else [""] * len(files)
    names = [output.stem + number + Path(file["filename"]).suffix for number, file in zip(numbers, files, strict=True)]
    made = [output.with_name(name) for name in names]
    for path in made:
        if path.exists() and not overwrite:
            raise ClientError(f"{path} is there already: name another file, or say --overwrite.")
    return made


def connect(server: str) -> aiohttp.ClientSession:
    """Prepare to talk to a server; a run may take any time, an answer to the first knock may not."""
    address = server if "://" in server else f"http://{server}"
    return aiohttp.ClientSession(address, timeout=aiohttp.ClientTimeout(total=None, sock_connect=10))


async def talk(chosen: argparse.Namespace, server: str) -> list[Path]:
    """Connect, upload, queue, watch, fetch; stop the run when this program is stopped."""
    prompt, client, ticket = read_prompt(chosen.prompt, chosen.set), uuid.uuid4().hex, ""
    goals(chosen.output, [{"filename": chosen.output.name}], chosen.overwrite)
    async with connect(server) as session:
        try:
            async with session.ws_connect(f"/ws?clientId={client}", max_msg_size=0) as line:
                for kind in LOADERS:
                    if getattr(chosen, kind):
                        await fill(session, prompt, kind, getattr(chosen, kind))
                ticket = await queue(session, prompt, client)
                files = await watch(line, prompt, ticket)
            if not files:
                raise ClientError(f"The run saved no video: it needs one of {', '.join(SAVERS)}.")
            wanted = zip(files, goals(chosen.output, files, chosen.overwrite), strict=True)
            return [await fetch(session, file, goal) for file, goal in wanted]
        except asyncio.CancelledError:  # Ctrl-C
            if ticket:
                await stop(session, ticket)
            raise
        except aiohttp.ClientError as error:
            raise ServerError(f"ComfyUI at {server} does not do its part ({error}): is it running there?") from None


def read_manifest(chosen: argparse.Namespace) -> list[argparse.Namespace]:
    """Read a table: a run for each row, of its image, audio, video, output and NODE.INPUT columns."""
    rows, folder = [], chosen.manifest.parent
    with chosen.manifest.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file, skipinitialspace=True), start=1):
            given = {name: value for name, value in row.items() if name and value}
            made = {kind: [folder / given.pop(kind)] if kind in given else getattr(chosen, kind) for kind in LOADERS}
            output = Path(given.pop("output", f"{number}.mp4"))
            if output.is_absolute() or ".." in output.parts:
                raise ClientError(f"Row {number}: {output} does not lie inside {chosen.output}.")
            changes = [*chosen.set, *(f"{name}={value}" for name, value in given.items())]
            rows.append(
                argparse.Namespace(**{**vars(chosen), **made, "output": chosen.output / output, "set": changes})
            )
    return rows


async def load(server: str) -> float:
    """Tell how many runs a server has before it, whoever asked for them; infinite where none answers."""
    try:
        async with connect(server) as session, session.get("/queue", raise_for_status=True) as answer:
            return sum(map(len, (await answer.json()).values()))
    except (aiohttp.ClientError, ValueError):
        return float("inf")


async def begin(rows: list[argparse.Namespace], free: list[str], running: dict[asyncio.Task, Any]) -> None:
    """Give rows to servers that answer, the least busy first."""
    loads = dict(zip(free, await asyncio.gather(*map(load, free)), strict=True))
    there = sorted((server for server in free if loads[server] < float("inf")), key=loads.__getitem__)
    for server in there[: len(rows)]:
        row = rows.pop(0)
        row.output.parent.mkdir(parents=True, exist_ok=True)
        running[asyncio.create_task(talk(row, server))] = row, server
        free.remove(server)
    free[:] = [server for server in free if loads[server] < float("inf")]
    if not running:
        raise ServerError(f"None of the servers answers, and {len(rows)} rows are left: run this again.")


async def share(chosen: argparse.Namespace) -> list[Path]:
    """Share the rows out among the servers; what one does not do another does."""
    rows = read_manifest(chosen)
    made = [row.output for row in rows if row.output.exists() and not chosen.overwrite]
    waiting = [row for row in rows if row.output not in made]
    wrong, free, running = [], list(chosen.server), {}
    try:
        while waiting or running:
            if waiting and (free or not running):
                await begin(waiting, free, running)
            for task in (await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))[0]:
                row, server = running.pop(task)
                try:
                    made += await task
                except ServerError as error:
                    show(f"{error}", end="\n")
                    waiting.insert(0, row)
                    continue
                except (ClientError, OSError) as error:
                    wrong.append(f"{row.output.name}: {error}")
                free.append(server)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if wrong:
        raise ClientError("\n".join([f"{len(made)} made, {len(wrong)} failed:", *wrong]))
    return made


def main() -> int:
    """Read the command line; 0 when the files are there, 2 with one sentence when not, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description="Queue a prompt on a running ComfyUI and fetch the video.")
    parser.add_argument("--prompt", type=Path, required=True, help="a prompt in API form, as those in assets/prompts")
    parser.add_argument("--image", type=Path, nargs=1, help="a portrait, for Load Image")
    parser.add_argument("--audio", type=Path, nargs="+", help="a sound; several for a batch")
    parser.add_argument("--video", type=Path, nargs=1, help="a video, for Load Video")
    parser.add_argument(
        "--manifest", type=Path, help="a .csv with a row a run: image, audio, video, output, NODE.INPUT"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="the video (several: NAME_1, NAME_2, …), or a folder"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NODE.INPUT=VALUE", help="change it: 7.seed=5")
    parser.add_argument(
        "--server", nargs="+", default=["127.0.0.1:8188"], metavar="HOST:PORT", help="several share a list"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    try:
        chosen = parser.parse_args()
        made = asyncio.run(share(chosen) if chosen.manifest else talk(chosen, chosen.server[0]))
    except KeyboardInterrupt:
        show("Stopped, at the server too.", end="\n")
        return 130
    except (ClientError, OSError) as error:
        show(f"{error.filename}: {error.strerror}." if isinstance(error, OSError) else str(error), end="\n")
        return 2
    show("", end="\r")
    sys.stdout.writelines(f"{path}\n" for path in made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
