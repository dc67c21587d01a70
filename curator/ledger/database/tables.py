"""The ledger's tables. A change here needs a migration; a test compares the two.

Times are seconds since the epoch, UTC. Keys appear by fingerprint and label only.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from curator.ledger.database import review_tables

METADATA: Final = review_tables.METADATA

sources = Table(
    "sources",
    METADATA,
    Column("path", Text, primary_key=True),
    Column("fingerprint", Text),
    Column("images_dir", Text, nullable=False),
    Column("imported_at", Float, nullable=False),
    # What of it could not be used: JSON, a list of reason, count and first example.
    Column("left_out", Text),
)

# An image is asked about once, whatever number of listings share it: hence the unique path.
items = Table(
    "items",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("listing_id", Text, nullable=False),
    Column("image_id", Text, nullable=False),
    Column("image_path", Text, nullable=False, unique=True),
    Column("metadata", Text, nullable=False),
    # What the listing is a variant of, where the catalogue tells.
    Column("product", Text, nullable=False, server_default=""),
)

# The further listings that have an item's image.
other_listings = Table(
    "other_listings",
    METADATA,
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("listing_id", Text, primary_key=True),
    Column("product", Text, nullable=False),
    sqlite_with_rowid=False,
)

# How an item's image looks: the bits of its hash, as a number with a sign, and 8 x 8 pixels of red,
# green and blue; null where it cannot be read.
looks = Table(
    "looks",
    METADATA,
    Column("item_id", Integer, primary_key=True),
    Column("hash", Integer),
    Column("thumbnail", LargeBinary),
)

# ``annotator`` and ``models`` (JSON, in order of preference, with the limits stated for them) are
# whom the latest run asked; which campaign it is, they do not say.
campaigns = Table(
    "campaigns",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("annotator", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("prompt_version", Text, nullable=False),
    Column("questions", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    # Null where the order is the catalogue's.
    Column("shuffle_seed", Integer),
    # What the latest run may spend; null for as much as it takes.
    Column("budget_usd", Float),
    Column("budget_tokens", Integer),
    # How many images the latest run asks about again each quota day.
    Column("canaries", Integer, nullable=False, server_default="0"),
    # The prompts as plain values: JSON, a list of tables; empty where only the version was kept.
    Column("prompts", Text, nullable=False, server_default="[]"),
    UniqueConstraint("prompt_version", "questions"),
)

work = Table(
    "work",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("state", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("finished_at", Float),
    # The place in the queue; what is added later comes later.
    Column("rank", Integer, nullable=False, server_default="0"),
    # The item in whose request its picture goes along; null where it is asked about by itself.
    Column("asked_with", Integer),
    Index("work_by_state", "campaign_id", "state", "rank"),
    Index("work_along", "asked_with", sqlite_where=text("asked_with IS NOT NULL")),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, nullable=False),
    Column("item_id", Integer, nullable=False),
    Column("key_fingerprint", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("reserved_tokens", Integer, nullable=False),
    Column("finished_at", Float),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("thought_tokens", Integer, nullable=False),
    # How the reply ended, the form it came in, how many pairs stood in it, why it was of no use.
    Column("ending", Text, nullable=False, server_default=""),
    Column("form", Text, nullable=False, server_default=""),
    Column("rejection", Text, nullable=False, server_default=""),
    Column("drafts", Integer, nullable=False, server_default="0"),
    # What was sent back, for a second opinion or as a canary; null where questions were asked for.
    Column("question", Text),
    Column("annotator", Text, nullable=False, server_default="gemini"),
    # What the reply calls its model; empty where it names none, and then it is ``model``.
    Column("model_version", Text, nullable=False, server_default=""),
    # What it tells of the life of the model that was asked: its stage, and when it ends.
    Column("model_stage", Text, nullable=False, server_default=""),
    Column("retires_at", Float),
    # Of the input tokens, those that the service had kept and those of images; 0 where not told.
    Column("cached_tokens", Integer, nullable=False, server_default="0"),
    Column("image_tokens", Integer, nullable=False, server_default="0"),
    # What tokens depend on, with how the model was asked; 0 and empty where not known, or its own.
    Column("characters", Integer, nullable=False, server_default="0"),
    Column("longest_px", Integer, nullable=False, server_default="0"),
    Column("thinking", Text, nullable=False, server_default=""),
    Column("image_detail", Text, nullable=False, server_default=""),
    # How soon and at what price it was asked, and once answered, paid.
    Column("tier", Text, nullable=False, server_default="standard"),
    # The quota day for which the question was asked again; null where it was not.
    Column("canary_day", Text),
    # The items of the further pictures that it had: their numbers, with commas between.
    Column("views", Text, nullable=False, server_default=""),
    # With the tier, since requests of batch jobs do not count with the others of a day.
    Index("attempts_by_project", "model", "project", "started_at", "tier"),
    Index("attempts_by_campaign", "campaign_id", "finished_at"),
)

# Jobs of many requests. ``display_name`` is ours, and no other job has it.
batch_jobs = Table(
    "batch_jobs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("key_fingerprint", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    # At the service; empty where there is none, or none any more.
    Column("file_name", Text, nullable=False),
    Column("job_name", Text, nullable=False),
    Column("results_file", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("ended_at", Float),
    UniqueConstraint("display_name"),
    Index("jobs_by_state", "campaign_id", "state"),
)

# What jobs hold, until it is settled: nobody else is to ask about it.
batch_requests = Table(
    "batch_requests",
    METADATA,
    Column("attempt_id", Integer, primary_key=True),
    Column("job_id", Integer, nullable=False),
    Column("campaign_id", Integer, nullable=False),
    Column("item_id", Integer, nullable=False),
    Column("question", Text),
    # What the reply must name.
    Column("own_id", Text, nullable=False),
    Index("requests_by_item", "campaign_id", "item_id"),
    Index("requests_by_job", "job_id"),
)

replies = Table(
    "replies",
    METADATA,
    Column("attempt_id", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

pairs = Table(
    "pairs",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("difficulty", Text, nullable=False),
    Column("agreement", Text, nullable=False, server_default=""),
    # The request that brought it, and with it its model; 0 where that is not known.
    Column("attempt_id", Integer, nullable=False, server_default="0"),
    # The style of the question, empty where prompts have none; further fields as a JSON object.
    Column("style", Text, nullable=False, server_default=""),
    Column("fields", Text),
    sqlite_with_rowid=False,
)

# By question, not by position: judging the replies again moves pairs about. ``agrees`` is 0 or 1
# and means something only where the state says done.
second_opinions = Table(
    "second_opinions",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("question", Text, primary_key=True),
    Column("state", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("agrees", Integer, nullable=False),
    Column("finished_at", Float),
    Index("opinions_by_state", "campaign_id", "state", "item_id"),
    sqlite_with_rowid=False,
)

# What is asked again each quota day: chosen once, so that it stays the same.
canaries = Table(
    "canaries",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Integer, nullable=False),
    Column("question", Text, nullable=False),
    UniqueConstraint("campaign_id", "item_id"),
    sqlite_with_rowid=False,
)

# What a model answered on a quota day (YYYY-MM-DD, Pacific). ``is_equal`` tells whether that is
# what it answered first, and is null for that first answer itself and where there is none.
canary_answers = Table(
    "canary_answers",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("model", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("question", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("is_equal", Integer),
    Column("model_version", Text, nullable=False),
    Column("finished_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

rejected_pairs = Table(
    "rejected_pairs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", Integer, nullable=False),
    Column("item_id", Integer, nullable=False),
    Column("attempt_id", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Index("rejected_by_rule", "campaign_id", "rule"),
    Index("rejected_by_item", "campaign_id", "item_id"),
)

keys = Table(
    "keys",
    METADATA,
    Column("fingerprint", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("removed_because", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("rpm", Integer),
    Column("tpm", Integer),
    Column("rpd", Integer),
    # 1 where a service said that the key is none, and not merely that nothing came of it.
    Column("failed_for_good", Integer, nullable=False, server_default="0"),
)

projects = Table(
    "projects",
    METADATA,
    Column("project", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("blocked_until", Float, nullable=False),
    Column("blocked_window", Text, nullable=False),
    Column("probe_at", Float),
    Column("updated_at", Float, nullable=False),
    # Why the project is not served for this model at all; empty where it is.
    Column("refused_because", Text, nullable=False, server_default=""),
)

# ``name`` is rpm, tpm or rpd; ``stated`` is what the keys file said when the limit was learned.
learned_limits = Table(
    "learned_limits",
    METADATA,
    Column("project", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
    Column("stated", Integer),
    Column("learned_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

# In which form a model is asked through an annotator, because it refused a stricter one.
model_forms = Table(
    "model_forms",
    METADATA,
    Column("annotator", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("form", Text, nullable=False),
    Column("told_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

# What a model is not asked for through an annotator any more, such as thinking=high: it refused.
model_settings = Table(
    "model_settings",
    METADATA,
    Column("annotator", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("setting", Text, primary_key=True),
    Column("told_at", Float, nullable=False),
    sqlite_with_rowid=False,
)
