"""The rows of tables as anyone wrote them: delimited text, JSON, XML, Parquet and Arrow."""
