"""Questions in one row see the prefix and themselves; nobody's places see the prefix alone."""

import torch

from shared.vqa.chat.rows import NOBODY, Rows, first_chunk, next_chunk, sees


def test_a_place_sees_the_prefix_and_what_came_before_of_its_own():
    owners = torch.tensor([[1, 2, 1, NOBODY, 2]])
    everything = torch.cat((torch.tensor([[0, 0, NOBODY]]), owners), dim=1)
    seen = sees(owners, everything, before=3)[0].int().tolist()
    assert seen == [
        [1, 1, 0, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0, 1],
    ]


def test_last_tokens_stand_last_and_positions_run_on_from_the_prefix():
    chunk, places = first_chunk([[5, 6, 7], [8], [9, 4]], [0, 0, 1], [10, 20], pad=3)
    assert chunk.ids_NT.tolist() == [[5, 6, 7, 8], [9, 3, 4, 3]]
    assert chunk.owners_NT.tolist() == [[1, 1, 1, 2], [3, NOBODY, 3, NOBODY]]
    assert chunk.positions_NT.tolist() == [[10, 11, 12, 10], [20, 0, 21, 0]]
    assert places == [-2, -1, -2]


def test_questions_that_still_go_on_move_together():
    chunk, places = next_chunk([(7, 0, 13), (8, 2, 22)], [0, 1], rows=2, pad=3)
    assert chunk.ids_NT.tolist() == [[7], [8]]
    assert chunk.owners_NT.tolist() == [[1], [3]]
    assert chunk.positions_NT.tolist() == [[13], [22]]
    assert places == [-1, -1]


def test_a_mask_is_of_numbers_and_grows_with_the_row():
    rows = Rows([1, 2], torch.device("cpu"))
    lowest = torch.finfo(torch.float32).min
    mask = rows.mask(torch.tensor([[1], [2]]), torch.float32)
    assert mask.tolist() == [[[[0.0, lowest, 0.0]]], [[[0.0, 0.0, 0.0]]]]
    assert rows.mask(torch.tensor([[1], [2]]), torch.float32).shape == (2, 1, 1, 4)
