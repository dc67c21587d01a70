"""Which places of a row see which, where they stand, and which of them say an answer."""

import torch

from trainer.learners.chat.rows import Before, Row, Turn, packed, rows_of

SHORT, LONG = Turn((10, 11), (20, 2)), Turn((12, 13, 14), (21, 22, 2))
NONE = torch.full((3,), -1)


def before(groups=NONE, positions=None):
    ids = torch.tensor([7, 8, 9])
    return Before(ids, torch.arange(3)[None] if positions is None else positions, groups)


def one_row(*turns, own=None):
    return packed([Row(0, turns)], [own or before()], padding=0, dtype=torch.float32)


def seen(row, place):
    return set((row.mask_R1SS[0, 0, place] == 0).nonzero().flatten().tolist())


def test_each_question_sees_what_stands_before_it_and_itself():
    row = one_row(SHORT, LONG)
    assert row.ids_RS.tolist() == [[7, 8, 9, 10, 11, 20, 12, 13, 14, 21, 22]]
    assert seen(row, 2) == {0, 1, 2}
    assert seen(row, 4) == {0, 1, 2, 3, 4}
    assert seen(row, 6) == {0, 1, 2, 6}
    assert seen(row, 10) == {0, 1, 2, 6, 7, 8, 9, 10}


def test_each_question_stands_where_it_would_stand_alone():
    assert one_row(SHORT, LONG).positions_XRS.tolist() == [[[0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7]]]
    # With M-RoPE, the next position is not the number of tokens.
    shaped = torch.tensor([[0, 1, 1], [0, 1, 2], [0, 1, 1]])
    three = one_row(SHORT, own=before(positions=shaped)).positions_XRS
    assert three[:, 0].tolist() == [[0, 1, 1, 3, 4, 5], [0, 1, 2, 3, 4, 5], [0, 1, 1, 3, 4, 5]]


def test_image_tokens_of_one_group_see_each_other():
    row = one_row(SHORT, own=before(groups=torch.tensor([-1, 0, 0])))
    assert seen(row, 1) == {0, 1, 2}
    assert seen(row, 0) == {0}


def test_the_place_before_each_token_of_an_answer_says_it():
    row = one_row(SHORT, LONG)
    assert row.said_A.tolist() == [4, 5, 8, 9, 10]
    assert row.labels_A.tolist() == [20, 2, 21, 22, 2]


def test_shorter_rows_are_padded_and_padding_is_seen_by_nobody():
    rows = packed(
        [Row(0, (LONG,)), Row(1, (SHORT,))], [before(), before()], padding=5, dtype=torch.float32
    )
    assert rows.ids_RS[1].tolist() == [7, 8, 9, 10, 11, 20, 5, 5]
    assert rows.said_A.tolist() == [5, 6, 7, 12, 13]
    visible = rows.mask_R1SS[1, 0] == 0
    assert not visible[:6, 6:].any()
    # What sees nothing at all would become no number.
    assert visible.any(1).all()


def test_questions_of_an_image_share_a_row_as_long_as_it_is_short_enough():
    asked = [SHORT, LONG, SHORT]
    together = rows_of([3, 3], [1, 0, 1], asked, None)
    assert together == [Row(1, (SHORT, SHORT)), Row(0, (LONG,))]
    assert rows_of([3, 3], [1, 0, 1], asked, 9) == together
    assert rows_of([3, 3], [1, 0, 1], asked, 8) == [
        Row(1, (SHORT,)),
        Row(1, (SHORT,)),
        Row(0, (LONG,)),
    ]
