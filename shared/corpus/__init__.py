"""The only reader and writer of question/answer data and of predictions.

Files are CSV, JSON lines or Parquet, by suffix; a data set folder holds ``qa.parquet`` and
``manifest.json``. Every write goes to a temporary file beside its target and is renamed when it is
complete, so that a reader never sees half a file.
"""

from shared.corpus.digests import PairsDigest, file_digest, pairs_digest
from shared.corpus.json_files import read_json, write_json
from shared.corpus.pairs import (
    MANIFEST_FILE,
    PAIR_SCHEMA,
    QA_FILE,
    WRITE_BATCH,
    QuestionTable,
    pair_row,
    read_pairs,
    read_questions,
    write_pairs,
)
from shared.corpus.predictions import (
    PredictionTable,
    count_predictions,
    read_prediction_table,
    read_predictions,
    write_predictions,
)
from shared.corpus.rows import read_number_columns, write_csv_rows

__all__ = [
    "MANIFEST_FILE",
    "PAIR_SCHEMA",
    "QA_FILE",
    "WRITE_BATCH",
    "PairsDigest",
    "PredictionTable",
    "QuestionTable",
    "count_predictions",
    "file_digest",
    "pair_row",
    "pairs_digest",
    "read_json",
    "read_number_columns",
    "read_pairs",
    "read_prediction_table",
    "read_predictions",
    "read_questions",
    "write_csv_rows",
    "write_json",
    "write_pairs",
    "write_predictions",
]
