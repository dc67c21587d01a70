from trainer.quantizing.chart import kept_chart
from trainer.quantizing.kept import Kept, Share, front, knee, share_of


def row(name, size, share, method="mixed"):
    return Kept(name, method, 3.0, size, Share(share, share - 0.02, share + 0.02), Share(0, 0, 0))


def test_questions_of_one_image_are_drawn_together():
    together = share_of([True] * 10 + [False] * 10, ["a.jpg"] * 10 + ["b.jpg"] * 10)
    apart = share_of([True, False] * 10, [f"{number}.jpg" for number in range(20)])
    assert together.share == apart.share == 0.5
    assert (together.low, together.high) == (0, 1)
    assert 0.2 < apart.low < 0.5 < apart.high < 0.8


def test_the_knee_is_where_more_bytes_stop_paying():
    rows = [row("2", 100, 0.6), row("3", 150, 0.93), row("4", 200, 0.95), row("16", 800, 1.0)]
    worse = row("rounded to the nearest", 180, 0.7, "nearest")
    assert [each.name for each in front([*rows, worse])] == ["2", "3", "4", "16"]
    assert knee([*rows, worse]).name == "3"
    drawn = kept_chart([*rows, worse], "a <model>")
    assert drawn.count("<circle") == 5 + 1 + 2  # forms, the knee, two methods
    assert ">3</text>" in drawn
    assert "a &lt;model&gt;" in drawn
