"""A model from scratch: how blip-vqa-tiny is made."""
