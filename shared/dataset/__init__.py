"""A data set as a whole: its folder, its splits, its products, its faults."""
