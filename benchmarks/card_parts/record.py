"""What was measured so far, in a file of one JSON object a line, so that nothing is lost when a process ends."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Record:
    """The parts that are over, by key, and the one that has begun."""

    path: Path
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    begun: str = ""
    """The part that has begun and is not over."""
    most: float = 0.0
    """Seconds that it may take."""
    at: float = 0.0
    """When it began, in seconds since the whole began."""

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a file, or begin with none."""
        record = cls(path)
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
        for line in lines:  # a line without an end is being written, or never will be
            with suppress(ValueError):
                record._take(json.loads(line))
        return record

    def write(self, event: str, part: str, **told: Any) -> None:  # noqa: ANN401
        """Add one event: "begin", "done", "skipped" or "error"."""
        line = {"event": event, "part": part, **told}
        torn = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * torn + json.dumps(line) + "\n")
        self._take(line)

    def over(self, part: str) -> bool:
        """Say whether a part needs no more looking at."""
        return part in self.done or part in self.skipped or part in self.errors

    def summary(self) -> dict[str, Any]:
        """Return all of it as one object."""
        return {"parts": self.done, "skipped": self.skipped, "errors": self.errors}

    def _take(self, line: dict[str, Any]) -> None:
        event, part = line["event"], line["part"]
        if event == "begin":
            self.begun, self.most, self.at = part, line["most"], line["at"]
            return
        self.begun = ""
        if event == "done":
            self.done[part] = line["result"]
        elif event == "skipped":
            self.skipped[part] = line["why"]
        else:
            self.errors[part] = line["why"]
