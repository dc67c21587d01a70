"""What the commands print: what a dry run would do, tables, and the command that comes next."""
