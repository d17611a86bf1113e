"""When to stop: few-step students like to go still, which no loss shows as clearly as their movement."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass
class Guard:
    """Watches a student's movement, as a share of the teacher's, over one part of a distillation."""

    least: float
    """Share below which it has gone still."""
    grace: int
    """Steps of the part before which a student that never moved enough may go on."""
    good_step: int = -1
    """Step of the last student that moved enough, over both parts; −1: there was none."""
    good_amplitude: float = 0.0
    armed: bool = False
    """Whether it has moved enough in this part."""
    stopped: str = ""
    """Why it was stopped, in one sentence."""

    def watch(self, amplitude: float, step: int, begun: int) -> bool:
        """Judge a student.

        Args:
            amplitude: Its movement.
            step: How many steps it has learned, over both parts.
            begun: How many it had when the part began.

        Returns:
            Whether it is good, and to be kept.
        """
        if amplitude >= self.least:
            self.armed, self.good_step, self.good_amplitude = True, step, amplitude
            return True
        if self.armed or step - begun >= self.grace:
            self.stopped = self._sentence(amplitude, step)
        return False

    def begin_part(self) -> None:
        """Begin the next part, in which nothing is expected at first."""
        self.armed = False

    def to_text(self) -> str:
        """Write down what it has seen."""
        return json.dumps({name: value for name, value in asdict(self).items() if name not in {"least", "grace"}})

    def remember(self, text: str) -> None:
        """Take what was written down."""
        for name, value in json.loads(text).items():
            setattr(self, name, value)

    def _sentence(self, amplitude: float, step: int) -> str:
        kept = (
            "no student moved enough before, so none is written: take a lower rate, or more windows a step"
            if self.good_step < 0
            else f"the student of step {self.good_step}, which moves {self.good_amplitude:.3f} as much, is kept"
        )
        return (
            f"Stopped after step {step}: the student moves {amplitude:.3f} as much as its teacher, less than "
            f"{self.least:g}; {kept}."
        )
