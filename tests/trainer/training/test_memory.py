"""Running out of memory is told with the setting to lower; the errors are the allocator's own."""

import pytest
import torch

from trainer.training.memory import OutOfMemory, out_of_memory_names, peak_memory_gib

ADVICE = "lower batch_size"


def advised():
    return out_of_memory_names(ADVICE)


def test_an_allocation_that_does_not_fit_names_the_setting():
    with (
        pytest.raises(OutOfMemory, match="out of memory; lower batch_size"),
        advised(),
    ):
        torch.empty(2**60)


def test_a_gpus_error_names_the_setting_too():
    with (
        pytest.raises(OutOfMemory, match="out of GPU memory; lower batch_size"),
        advised(),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"), advised():
        torch.zeros(2).view(3, 5)


def test_peak_memory_is_that_of_this_process():
    before = peak_memory_gib(torch.device("cpu"))
    held = torch.ones(2**26)
    assert peak_memory_gib(torch.device("cpu")) >= before > 0.05
    assert held.sum() == 2**26
