"""Data sets of the Hugging Face hub, as `hf://datasets/OWNER/NAME[@REVISION][/PATH]`.

What is fetched stays in the hub's own cache, by its own rules: `HF_ENDPOINT`, `HF_TOKEN`,
`HF_HOME` and `HF_HUB_OFFLINE` mean what they mean to `huggingface_hub`.
"""

from shared.images.hub.data import hub_catalogue, hub_data, hub_file, hub_folder

__all__ = ["hub_catalogue", "hub_data", "hub_file", "hub_folder"]
