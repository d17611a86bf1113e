"""The face that will speak: chosen, given, or missed with a sentence that helps."""

from threading import Event

import pytest
import torch

from sonic_core.errors import FaceNotFoundError, InputError
from sonic_core.faces import AttendedFinder, EmbeddedFinder, RememberingFinder, choose_face, quality_warnings
from sonic_core.settings import Settings
from sonic_core.types import Face

POINTS = ((80.0, 90.0), (140.0, 90.0), (110.0, 125.0), (88.0, 160.0), (132.0, 160.0))


class FixedFinder:
    """Finds what it was told."""

    name = "fixed"

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def find(self, image: torch.Tensor) -> list[Face]:
        return self.faces


def _face(size: float) -> Face:
    return Face((10, 10, 10 + size, 10 + size), POINTS, 0.9)


def test_the_largest_is_first_and_the_index_counts_on():
    finder = FixedFinder(_face(20), _face(60), _face(40))
    image = torch.zeros(3, 100, 100)
    assert choose_face(image, finder, Settings()).area == 3600
    assert choose_face(image, finder, Settings(face_index=2)).area == 400


def test_the_same_picture_is_searched_once():
    class Counting(FixedFinder):
        asked = 0

        def find(self, image):
            self.asked += 1
            return super().find(image)

    counting = Counting(_face(20), _face(60))
    finder, first, second = RememberingFinder(counting), torch.zeros(3, 40, 50), torch.ones(3, 40, 50)
    found = [finder.find(image) for image in (first, first.clone(), second, first)]
    assert counting.asked == 3 and all(faces == counting.faces for faces in found)
    found[0].clear()
    assert finder.find(first) == counting.faces and finder.name == "fixed"
    assert finder.find(torch.zeros(3, 50, 40)) and counting.asked == 4, "the same bytes, another picture"


def test_no_face_is_one_helpful_sentence():
    with pytest.raises(FaceNotFoundError, match=r"100×80 picture.*embedded.*--face left,top,right,bottom"):
        choose_face(torch.zeros(3, 80, 100), EmbeddedFinder(), Settings())


def test_too_large_an_index_says_how_many_there_are():
    with pytest.raises(FaceNotFoundError, match=r"face_index is 3, but 2 faces were found.*to 1"):
        choose_face(torch.zeros(3, 80, 100), FixedFinder(_face(20), _face(30)), Settings(face_index=3))
    with pytest.raises(FaceNotFoundError, match="1 face was found"):
        choose_face(torch.zeros(3, 80, 100), FixedFinder(_face(20)), Settings(face_index=1))


def test_a_given_box_overrules_the_finder(astronaut):
    box = (175.0, 70.0, 275.0, 175.0)
    face = choose_face(astronaut, FixedFinder(), Settings(face=box))
    assert face.box == box
    mouth = (torch.tensor(face.points[3]) + torch.tensor(face.points[4])) / 2
    assert torch.dist(mouth, torch.tensor([224.0, 141.0])) < 0.2 * 43


def test_a_given_box_on_nothing_gets_average_proportions():
    face = choose_face(torch.full((3, 200, 200), 0.5), FixedFinder(), Settings(face=(50, 40, 150, 160)))
    eye, other, nose, corner, last = face.points
    assert eye[0] < nose[0] < other[0]
    assert eye[1] < nose[1] < corner[1]
    assert corner[0] < nose[0] < last[0]
    assert all(50 < x < 150 and 40 < y < 160 for x, y in face.points)


@pytest.mark.parametrize("box", [(-5, 10, 50, 60), (10, 10, 101, 60), (10, -1, 50, 60), (10, 10, 50, 90)])
def test_a_box_outside_the_picture_is_an_error(box):
    with pytest.raises(InputError, match="does not lie inside the 100×80 picture"):
        choose_face(torch.zeros(3, 80, 100), FixedFinder(), Settings(face=box))


def test_a_tiny_box_is_an_error():
    with pytest.raises(InputError, match="at least 8×8"):
        choose_face(torch.zeros(3, 80, 100), FixedFinder(), Settings(face=(10, 10, 14, 40)))


def _good() -> tuple[torch.Tensor, Face]:
    columns = torch.linspace(0.2, 0.8, 220)
    return columns.repeat(3, 220, 1).clone(), Face((50, 50, 170, 190), POINTS, 0.9)


def test_a_good_portrait_gets_no_warning():
    assert quality_warnings(*_good()) == []


def test_each_fault_is_named_with_its_figure():
    image, face = _good()
    small = Face((50, 50, 70, 72), tuple((x / 5, y / 5) for x, y in POINTS), 0.9)
    assert "12 pixels between the eyes" in quality_warnings(image, small)[0]
    turned = Face(face.box, (*POINTS[:2], (138.0, 125.0), *POINTS[3:]), 0.9)
    assert "turned away: the nose lies 0.47" in quality_warnings(image, turned)[0]
    cut = Face((-40, 50, 170, 190), POINTS, 0.9)
    assert "cut off: 19% of it lie beyond the picture's left edge" in quality_warnings(image, cut)[0]
    assert "dark" in quality_warnings(image * 0.1, face)[0]
    assert "overexposed" in quality_warnings((image + 0.7).clamp(0, 1), face)[0]
    assert "little contrast" in quality_warnings(image * 0.1 + 0.4, face)[0]


class SlowFinder(EmbeddedFinder):
    """Finds nothing before somebody has listened."""

    def __init__(self) -> None:
        self.heard = Event()

    def find(self, image: torch.Tensor) -> list[Face]:
        assert self.heard.wait(20)
        return super().find(image)


def test_a_search_that_is_listened_to_finds_the_same_and_can_be_ended(astronaut):
    slow = SlowFinder()
    finder = AttendedFinder(slow, slow.heard.set)
    assert (finder.name, finder.find(astronaut)) == ("embedded", EmbeddedFinder().find(astronaut))

    slow = SlowFinder()

    def stop():
        slow.heard.set()
        raise InterruptedError

    with pytest.raises(InterruptedError):
        AttendedFinder(slow, stop).find(astronaut)


def test_a_box_that_is_a_third_off_leads_to_the_same_mouth(astronaut):
    exact = choose_face(astronaut, FixedFinder(), Settings(face=(175.0, 70.0, 275.0, 175.0)))
    for box in ((160.0, 54.0, 290.0, 191.0), (190.0, 86.0, 260.0, 159.0), (195.0, 80.0, 295.0, 185.0)):
        face = choose_face(astronaut, FixedFinder(), Settings(face=box))
        assert face.box == box and face.landmarks is not None
        assert torch.dist(torch.tensor(face.points), torch.tensor(exact.points)) < 0.1 * 43


def test_a_box_without_a_face_is_doubtful():
    image = torch.full((3, 200, 200), 0.5)
    face = choose_face(image, FixedFinder(), Settings(face=(50, 40, 150, 160)))
    assert face.score < 0.2
    assert any("hardly looks like a human face" in one or "covered" in one for one in quality_warnings(image, face))
