from itertools import combinations

import pytest

from trainer.quantizing.labels import placed


def test_a_name_alone_stands_to_the_right_of_its_dot():
    [label] = placed([(100, 50)], ["nf4"], 700)
    assert (label.x, label.is_left, label.is_far) == (106, False, False)
    assert 50 < label.y < 56


def test_names_at_the_edge_stand_to_the_left():
    [label] = placed([(690, 50)], ["bitsandbytes int8"], 700)
    assert (label.x, label.is_left) == (684, True)


@pytest.mark.parametrize("count", [2, 5, 9])
def test_names_of_near_dots_stand_apart_and_near_their_own(count):
    dots = [(300.0 + at, 80.0 + at % 2) for at in range(count)]
    labels = placed(dots, [f"gptq {at}" for at in range(count)], 700)
    for one, other in combinations(labels, 2):
        beside = one.is_left != other.is_left
        assert beside or abs(one.y - other.y) >= 8.9
    # Half of them go up or down from the dots, on one side or the other.
    for (x, y), label in zip(dots, labels, strict=True):
        assert abs(label.x - x) == 6
        assert abs(label.y - 3 - y) <= 9 * (1 + count // 2)


def test_no_name_hides_a_dot():
    dots = [(100.0, 50.0), (120.0, 50.0)]
    first, second = placed(dots, ["hqq 4", "nf4"], 700)
    assert first.is_left or abs(first.y - 53) >= 8.9
    assert not second.is_left
