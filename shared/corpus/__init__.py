"""The only reader and writer of question/answer data and of predictions.

Files are CSV, JSON or Parquet, by suffix; a data set folder holds ``qa.parquet`` and
``manifest.json``. Every write goes to a temporary file beside its target and is renamed when it is
complete, so that a reader never sees half a file.
"""

from shared.corpus.extra_columns import ARROW_NAMES, with_extra
from shared.corpus.formats.tables import DATA_SUFFIXES, LeftOut
from shared.corpus.json_files import read_json, write_json
from shared.corpus.pair_digests import PairsDigest, pairs_digest
from shared.corpus.pair_writing import (
    CSV_PAIR_COLUMNS,
    PAIR_SCHEMA,
    WRITE_BATCH,
    pair_table,
    write_pair_columns,
    write_pair_rows,
    write_pairs,
)
from shared.corpus.pairs import (
    MANIFEST_FILE,
    QA_FILE,
    PairTable,
    QuestionTable,
    read_pair_table,
    read_pairs,
    read_questions,
    read_whole_pairs,
)
from shared.corpus.predictions import (
    PredictionTable,
    count_predictions,
    read_prediction_table,
    read_predictions,
    read_scored_predictions,
    write_predictions,
)
from shared.corpus.rows import (
    NO_COLUMNS,
    left_out_by_reason,
    say_left_out,
    write_csv_rows,
)
from shared.records.columns import ColumnNames, checked_columns, parse_columns

__all__ = [
    "ARROW_NAMES",
    "CSV_PAIR_COLUMNS",
    "DATA_SUFFIXES",
    "MANIFEST_FILE",
    "NO_COLUMNS",
    "PAIR_SCHEMA",
    "QA_FILE",
    "WRITE_BATCH",
    "ColumnNames",
    "LeftOut",
    "PairTable",
    "PairsDigest",
    "PredictionTable",
    "QuestionTable",
    "checked_columns",
    "count_predictions",
    "left_out_by_reason",
    "pair_table",
    "pairs_digest",
    "parse_columns",
    "read_json",
    "read_pair_table",
    "read_pairs",
    "read_prediction_table",
    "read_predictions",
    "read_questions",
    "read_scored_predictions",
    "read_whole_pairs",
    "say_left_out",
    "with_extra",
    "write_csv_rows",
    "write_json",
    "write_pair_columns",
    "write_pair_rows",
    "write_pairs",
    "write_predictions",
]
