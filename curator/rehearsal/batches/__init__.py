"""Files and batch jobs as Gemini's Files and Batch API keep them; knows no HTTP beyond statuses."""
