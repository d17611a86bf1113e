"""A few prompts of two clients; ``python -m tests.host.soak`` sends a hundred."""

from __future__ import annotations

from tests.host.harness import Comfy
from tests.host.soak import soak


def test_prompts_of_two_clients_leave_one_picture_and_no_other_file(comfy: Comfy) -> None:
    comfy.forget()
    before = {path for path in (comfy.home / "temp").rglob("*") if path.is_file()}
    found = soak(comfy, prompts=5, clients=2)
    assert len(found.megabytes) == 5
    left = set(found.left) - before
    assert left == set(found.pictures) - before
    assert len(left) == 1, "one portrait is shown, however often"
