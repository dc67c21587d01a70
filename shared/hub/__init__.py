"""What goes to a hub, in one commit: files, their card, and what cards say of scores.

`HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean to `huggingface_hub`.
"""
