"""What the three parts share: records, data files, settings, events and the model module."""
