"""A clip of sonic-base twenty times as long takes no more memory, but for its latents and what its frames hear."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PEAK = Path("/proc/self/clear_refs")
ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, sys, warnings
from pathlib import Path
import torch
import sonic_core as sonic
from sonic_core.types import Face, Placement, Portrait
warnings.simplefilter("ignore")
weights, output = sys.argv[1:]
model = sonic.load_model("sonic-base", weights=weights).model
picture, mask = torch.rand(3, 64, 64), torch.ones(1, 64, 64)
face = Face((16, 16, 48, 48), ((24, 28), (40, 28), (32, 36), (26, 42), (38, 42)), 1.0)
portrait = Portrait(picture, face, mask, Placement(picture, (0, 0, 64, 64)))
chosen = sonic.Settings(inference_steps=2, window=14, appearance_guidance=1, audio_guidance=1)

def memory(kind):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))

def run(seconds):
    sound = sonic.Audio(0.4 * torch.sin(torch.arange(round(seconds * 16000)) * 0.05)[None], 16000)
    conditions = model.prepare(portrait, sound, chosen)
    levels = {"denoise": [], "encode": []}
    progress = lambda stage, done, total: levels[stage].append(memory("RssAnon"))
    Path("/proc/self/clear_refs").write_text("5")  # the highest use of memory counts from here
    model.animate(conditions, chosen, progress).export(output, progress=progress)
    return memory("VmHWM"), levels

run(1.5)
print(json.dumps([run(1.5), run(30)]))
"""


@pytest.mark.skipif(not PEAK.exists(), reason=f"needs {PEAK}, to measure anew in a running program")
def test_a_long_clip_takes_no_more_memory_than_a_short_one(tiny_set, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tiny_set), str(tmp_path / "out.mp4")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
    (short, _), (long, levels) = json.loads(done.stdout)
    assert len(levels["encode"]) == 750  # of 49 kB each: 37 MB, 23 of them between the first quarter and the last
    for stage, seen in levels.items():
        quarter = len(seen) // 4
        grown = min(seen[-quarter:]) - min(seen[quarter // 2 : quarter])  # buffers of 4 MiB come and go
        assert grown < 16e6, f"{stage}: {grown / 1e6:.1f} MB more at the end than at the beginning"
    assert long < short * 1.15, f"{long / 1e6:.0f} MB at most for 30 s, {short / 1e6:.0f} for 1.5 s"


STREAM = """
import json, sys, warnings, wave
from pathlib import Path
import torch
import sonic_core as sonic
from sonic_core.media.audio import read_audio
from sonic_core.types import Face, Placement, Portrait
warnings.simplefilter("ignore")
torch.set_num_threads(1)
weights, folder = sys.argv[1:]
model = sonic.load_model("sonic-base", weights=weights).model
picture, mask = torch.rand(3, 64, 64), torch.ones(1, 64, 64)
face = Face((16, 16, 48, 48), ((24, 28), (40, 28), (32, 36), (26, 42), (38, 42)), 1.0)
portrait = Portrait(picture, face, mask, Placement(picture, (0, 0, 64, 64)))
chosen = sonic.Settings(inference_steps=2, window=25, appearance_guidance=1, audio_guidance=1, stream=True, fps=12.5)

path = Path(folder) / "sound.wav"
with wave.open(str(path), "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", ""))
    second = (torch.sin(torch.arange(16000) * 0.05) * 9000).short().numpy().tobytes()
    for _ in range(75):
        file.writeframes(second)

def memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

made, held = 0, [[], [], []]
clip = model.animate(model.prepare(portrait, read_audio(path), chosen), chosen)
for chunk in clip.read():
    held[3 * made // clip.length].append(memory())
    made += len(chunk)
assert made == clip.length
print(json.dumps(held))
"""


@pytest.mark.skipif(not PEAK.exists(), reason="needs Linux, which tells what a running program holds")
def test_a_stream_of_any_length_takes_the_same_memory(tiny_set, tmp_path):
    """Beyond the 30 seconds that the sound's encoder hears at once, length costs nothing at all."""
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(tiny_set), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
    _, earlier, later = map(min, json.loads(done.stdout))  # a third's frames are 15 MB; buffers of 4 MiB come and go
    assert later < earlier + 8e6, f"{later / 1e6:.1f} MB after 50 s, {earlier / 1e6:.1f} in the 25 s before"
