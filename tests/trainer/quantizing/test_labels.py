from itertools import combinations

import pytest

from trainer.quantizing.labels import Area, placed

AREA = Area(0, 20, 700, 400)
LETTER = 5


def labels_of(dots, names, radius=4):
    return placed(dots, [radius] * len(dots), names, AREA)


def box(label, name):
    length = LETTER * len(name)
    left = label.x - length if label.is_left else label.x
    return Area(left, label.y - 7, left + length, label.y + 2)


def around(dot, radius=4):
    x, y = dot
    return Area(x - radius, y - radius, x + radius, y + radius)


def test_a_name_alone_stands_to_the_right_of_its_dot():
    [label] = labels_of([(100, 50)], ["nf4"])
    assert (label.x, label.y, label.is_left, label.is_far) == (109, 53, False, False)


def test_names_at_the_edge_stand_to_the_left():
    [label] = labels_of([(690, 50)], ["bitsandbytes int8"])
    assert (label.x, label.is_left) == (681, True)


@pytest.mark.parametrize("y", [24, 200, 396])
@pytest.mark.parametrize("count", [2, 5, 9, 30])
def test_names_of_near_dots_hide_nothing_and_stay_in_the_picture(count, y):
    dots = [(300.0 + at, y + at % 2) for at in range(count)]
    names = [f"gptq {at}" for at in range(count)]
    labels = labels_of(dots, names)
    boxes = [box(label, name) for label, name in zip(labels, names, strict=True)]
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    assert not any(name.meets(around(dot)) for name in boxes for dot in dots)
    assert all(AREA.holds(name) for name in boxes)


def test_the_nearest_places_are_taken_first():
    dots = [(300.0, 200.0)] * 4
    far = [label.is_far for label in labels_of(dots, ["hqq 4"] * 4)]
    assert far == [False] * 4


def test_where_no_place_is_free_a_name_stays_in_the_picture():
    small = Area(0, 20, 700, 40)
    dots = [(300.0, 30.0)] * 8
    labels = placed(dots, [4] * 8, ["nearest 4"] * 8, small)
    assert all(small.holds(box(label, "nearest 4")) for label in labels)


def test_no_name_crosses_the_circle_of_another_dot():
    dots = [(100.0, 50.0), (130.0, 50.0)]
    first, _ = placed(dots, [4, 8], ["hqq 4", "nf4"], AREA)
    assert not box(first, "hqq 4").meets(around(dots[1], 8))
