"""Machines that make videos: a Ray cluster's workers, one lot of processors or card each, as many as there are."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import secrets
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, cast

import torch

from ..errors import SettingsError, SonicError, SonicWarning
from ..media.files import file_errors, folder_beside, scratch_folder, written_beside
from ..pipeline import load_model
from .crew import LostError
from .journal import JournalEntry
from .manifest import ManifestRow
from .places import Place
from .splitting import RowJoin, RowPart, Task, work_on

PACKAGE = "ray"
LOCAL = "local"
"""In place of an address: a cluster of this machine alone, which ends with the batch."""
STEP = 1.0
"""Seconds after which it is looked whether the cluster has grown."""
PIECE = 8 << 20
"""Bytes of a video that travel at once."""
_STORE = 256 << 20  # bytes that a cluster of one's own keeps pictures and sounds in
_SURROUNDINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""What Ray is told by its surroundings: nothing is sent to anybody, and whoever asks for no card still sees them."""
_COMPARED = ("torch", "numpy", "scipy", "av", "soxr")  # packages whose versions decide the last bit of a video
_MODEL_WITHOUT_CARD = "sonic-preview"


@dataclass(frozen=True)
class RayCluster:
    """Where workers are, and what each of them takes."""

    address: str = LOCAL
    """``LOCAL``, ``auto`` for the cluster that this machine belongs to, ``host:port``, or ``ray://host:port``."""
    cpus: float = 1.0
    """Processors for each worker."""
    gpus: float | None = None
    """Cards for each worker, or a share of one; None: one where the cluster has cards and a row may want one."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cpus) and self.cpus > 0):
            raise SettingsError(f"A worker wants processors, a share of one at least; got {self.cpus:g}.")
        if self.gpus is not None and not (math.isfinite(self.gpus) and self.gpus >= 0):
            raise SettingsError(f"A worker wants 0 cards, some, or a share of one; got {self.gpus:g}.")


class RayCrew:
    """Workers of a cluster: as many as it has room for, more when it grows; leaving the block lets go of them.

    Pictures and sounds travel to the workers and videos back, so no folder needs to be shared; the engine's own code
    travels too. Packages and weights are the workers' own.
    """

    def __init__(self, cluster: RayCluster, loading: Mapping[str, Any], models: set[str], most: int) -> None:
        """Prepare it.

        Args:
            cluster: Where workers are.
            loading: What ``load_model`` is told.
            models: Names of the models that are wanted; each worker must have them before it gets a row.
            most: Workers at most; 0: as many as there is room for now.
        """
        self.cluster, self.loading, self.models, self.most = cluster, dict(loading), sorted(models), most
        self.coming: dict[Any, Any] = {}
        """Workers that are not ready yet, by what they will answer."""
        self.free: list[Any] = []
        self.busy: dict[Any, tuple[Any, Task]] = {}
        """Workers and their tasks by what they will answer."""
        self._known: list[tuple[Task, JournalEntry]] = []
        """What came of tasks that no worker was given."""
        self._kept: dict[str, Any] = {}
        self._refused: dict[str, str] = {}
        """What was wrong with workers, by their machine."""
        self._turned_away = 0
        """How many workers that was."""
        self._meant: dict[str, str] = {}
        self._looked = 0.0
        self._open = ExitStack()

    def __enter__(self) -> RayCrew:
        """Join the cluster, or start one.

        Raises:
            SettingsError: Ray is not installed, there is no such cluster, or no machine in it has room for a worker.
        """
        with self._open:
            self.ray = _joined(self.cluster.address, self._open)
            self._worker = self.ray.remote(num_cpus=self.cluster.cpus, num_gpus=self._gpus())(_Maker)
            if not self.most and not self._room():
                has = ", ".join(f"{amount:g} {name}" for name, amount in sorted(self._shares().items())) or "nothing"
                raise SettingsError(
                    f"A worker wants {self.cluster.cpus:g} CPU and {self._gpus():g} GPU, and no machine of the cluster "
                    f"has them (all together: {has}); ask for less, or name --workers if the cluster grows on demand."
                )
            self._open = self._open.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            for worker in (*self.coming.values(), *self.free, *(worker for worker, _ in self.busy.values())):
                with suppress(Exception):
                    self.ray.kill(worker)

    def give(self, task: Task) -> None:
        """Have a free worker make a row's video, or draw a stretch of it; what many drew is encoded here."""
        row = task if isinstance(task, ManifestRow) else task.row
        if isinstance(task, RowJoin):
            self._known.append((task, work_on(task, self.loading, self._kept)))
            return
        try:
            files = [path.read_bytes() for path in (row.image, *row.sounds) if isinstance(path, Path)]
        except OSError as error:
            told = f"{error.filename} could be read a moment ago and cannot now ({error.strerror})."
            self._known.append((task, JournalEntry("", "", "", error=told)))
            return
        worker = self.free.pop()
        self.busy[worker.make.remote(task, *map(self.ray.put, files))] = worker, task

    def finished(self, waiting: int) -> Iterator[tuple[Task, JournalEntry | LostError]]:
        """Wait a moment for workers that are ready, done or lost, and tell of the rows of those.

        Args:
            waiting: Rows that nobody has been given yet: workers for which there is none are let go of, and where
                there is room new ones are asked for.

        Raises:
            SettingsError: Nobody is left who can work, and why.
        """
        while self._known:
            yield self._known.pop()
        self._fit(waiting)
        answers = [*self.coming, *self.busy]
        if not answers:
            time.sleep(STEP)
            return
        ready, _ = self.ray.wait(answers, num_returns=1, timeout=STEP)
        for answer in ready:
            if answer in self.coming:
                self._greet(answer)
                continue
            worker, task = self.busy.pop(answer)
            try:
                entry = self.ray.get(answer)
                if not entry.error:
                    self._fetch(worker, cast("ManifestRow | RowPart", task).output)
                self.free.append(worker)
            except self.ray.exceptions.RayError as error:
                with suppress(Exception):
                    self.ray.kill(worker)
                entry = LostError(f"its worker was lost ({_first_line(error)})")
            except SonicError as error:
                self.free.append(worker)
                entry = JournalEntry("", "", "", error=str(error))
            yield task, entry

    def _fit(self, waiting: int) -> None:
        """Ask for workers, or let go of some, as there is work and room."""
        while self.free and len(self.free) > waiting:
            self.ray.kill(self.free.pop())
        wanted = waiting - len(self.free) - len(self.coming)
        if wanted <= 0 or (time.monotonic() - self._looked < STEP and (self.coming or self.busy or self.free)):
            return
        self._looked = time.monotonic()
        there = len(self.free) + len(self.coming) + len(self.busy)
        lacking = min(wanted, (self.most or self._room()) - self._turned_away - there)
        if lacking <= 0 and not there:
            if self._refused:
                raise SettingsError("; ".join(f"{node}: {why}" for node, why in self._refused.items()))
            warnings.warn("No machine of the cluster is left; waiting for one.", SonicWarning, stacklevel=3)
        for _ in range(max(0, lacking)):
            worker = self._worker.remote(self.loading)
            self.coming[worker.hello.remote(self.models)] = worker

    def _greet(self, answer: Any) -> None:  # noqa: ANN401 - Ray's
        """Take a new worker in, or say once why not."""
        worker = self.coming.pop(answer)
        try:
            told: dict[str, Any] = self.ray.get(answer)
            fault = self._fault(told)
        except self.ray.exceptions.RayError as error:
            told, fault = {"node": "a machine"}, f"no worker starts there ({_first_line(error)})"
        if fault:
            if told["node"] not in self._refused:
                warnings.warn(f"{told['node']} of the cluster cannot help: {fault}", SonicWarning, stacklevel=3)
            self._refused[told["node"]] = fault
            self._turned_away += 1
            with suppress(Exception):
                self.ray.kill(worker)
            return
        self.free.append(worker)

    def _fault(self, told: Mapping[str, Any]) -> str:
        """Say what keeps a worker from making the same videos as the others; "" for nothing."""
        if told["fault"]:
            return told["fault"]
        for name, meant in told["models"].items():
            if self._meant.setdefault(name, meant) != meant:
                return f"{name} is {meant} there and {self._meant[name]} elsewhere; name the model"
        other = [f"{name} {version}" for name, version in told["versions"].items() if versions()[name] != version]
        if other:
            warnings.warn(
                f"{told['node']} has {', '.join(other)}, and here are other versions: what it draws may differ in the "
                "last bit.",
                SonicWarning,
                stacklevel=4,
            )
        return ""

    def _fetch(self, worker: Any, output: Path) -> None:  # noqa: ANN401 - Ray's
        """Bring what a worker made to where it belongs."""
        listed: list[str] = self.ray.get(worker.made.remote())
        with file_errors(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            if listed == [""]:
                with written_beside(output) as part:
                    self._copy(worker, "", part)
                return
            with folder_beside(output) as folder:
                for name in listed:
                    self._copy(worker, name, folder / Path(name).name)

    def _copy(self, worker: Any, name: str, target: Path) -> None:  # noqa: ANN401 - Ray's
        with target.open("wb") as file:
            while piece := self.ray.get(worker.piece.remote(name, file.tell())):
                file.write(piece)

    def _gpus(self) -> float:
        """Tell how many cards a worker takes."""
        if self.cluster.gpus is not None:
            return self.cluster.gpus
        return float(self._shares().get("GPU", 0) > 0 and self.models != [_MODEL_WITHOUT_CARD])

    def _shares(self) -> dict[str, float]:
        """Tell what the whole cluster has."""
        return {name: amount for name, amount in self.ray.cluster_resources().items() if name in ("CPU", "GPU")}

    def _room(self) -> int:
        """Count the workers that the cluster's machines have room for."""
        wanted = {"CPU": self.cluster.cpus, "GPU": self._gpus()}
        alive = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return sum(min(int(node.get(name, 0) / share) for name, share in wanted.items() if share) for node in alive)


class _Maker:
    """What runs on the cluster's machines."""

    def __init__(self, loading: Mapping[str, Any]) -> None:
        self.loading, self.models = loading, {}
        self.folder = ExitStack()
        self.place = self.output = Path()
        self.given: ManifestRow | None = None
        self.row: ManifestRow
        torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1") or 1)))

    def hello(self, models: list[str]) -> dict[str, Any]:
        """Load the models, and tell what is here."""
        told = {"node": platform.node(), "versions": versions(), "models": {}, "fault": ""}
        try:
            for name in models:
                self.models[name] = load_model(name, **self.loading)
                told["models"][name] = self.models[name].name
        except SonicError as error:
            told["fault"] = str(error)
        return told

    def make(self, task: ManifestRow | RowPart, *files: bytes) -> JournalEntry:
        """Do a task in a folder that goes when the next row comes; ``files`` are those of its row that no URL names."""
        row = task if isinstance(task, ManifestRow) else task.row
        if isinstance(task, ManifestRow) or row != self.given:
            self.given = None
            self.folder.close()
            self.place = self.folder.enter_context(scratch_folder())
            self.given, self.row = row, self._laid(row, files)
        self.output = self.place / "out" / task.output.name
        if isinstance(task, RowPart):
            self.output.unlink(missing_ok=True)
            return work_on(replace(task, row=self.row, output=self.output), self.loading, self.models)
        return work_on(replace(self.row, output=self.output), self.loading, self.models)

    def _laid(self, row: ManifestRow, files: Sequence[bytes]) -> ManifestRow:
        """Write a row's files, and say where they are."""
        contents, numbers = iter(files), count()

        def here(place: Place) -> Place:
            name = str(next(numbers))
            return _written(self.place / name / place.name, next(contents)) if isinstance(place, Path) else place

        image, *heard = map(here, (row.image, *row.sounds))
        speakers = tuple((number, path, begin) for (number, _, begin), path in zip(row.speakers, heard, strict=False))
        return replace(row, image=image, speakers=speakers, audio=heard[0] if row.audio else None)

    def made(self) -> list[str]:
        """List the files that were made: ``""`` for the one file that is all."""
        return sorted(path.name for path in self.output.iterdir()) if self.output.is_dir() else [""]

    def piece(self, name: str, begin: int) -> bytes:
        """Read a piece of what was made."""
        with (self.output / name if name else self.output).open("rb") as file:
            file.seek(begin)
            return file.read(PIECE)


def versions() -> dict[str, str]:
    """Tell the versions of what decides the last bit of a video."""
    return {name: importlib.metadata.version(name) for name in _COMPARED}


def _joined(address: str, leaving: ExitStack) -> Any:  # noqa: ANN401 - the package itself
    """Join a cluster, or start one; ``leaving`` ends that."""
    for name, value in _SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    try:
        ray = import_module(PACKAGE)
    except ImportError as error:
        raise SettingsError("Ray is not installed here; run: pip install ray") from error
    code = Path(__file__).resolve().parents[1]
    asked: dict[str, Any] = {
        "runtime_env": {"py_modules": [str(code)], "excludes": ["**/__pycache__"]}, "log_to_driver": False,
        "logging_level": "ERROR", "configure_logging": False,
    }  # fmt: skip
    if address == LOCAL:
        place = tempfile.mkdtemp(prefix="sonic-ray-")
        leaving.callback(shutil.rmtree, place, ignore_errors=True)
        if "RAY_AUTH_TOKEN" not in os.environ:  # else Ray makes one and leaves it in the person's folder
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
            leaving.callback(os.environ.pop, "RAY_AUTH_TOKEN", None)
        asked |= {"include_dashboard": False, "object_store_memory": _STORE, "_temp_dir": place}
    else:
        asked["address"] = address
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    leaving.callback(ray.shutdown)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(**asked)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"There is no Ray cluster at {address} that can be joined ({_first_line(error)})."
        ) from error
    finally:
        for number, handler in heard.items():
            with suppress(ValueError):  # only the main thread may; elsewhere Ray took none
                signal.signal(number, handler)
    return ray


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
