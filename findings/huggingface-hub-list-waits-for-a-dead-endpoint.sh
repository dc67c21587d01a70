#!/usr/bin/env bash
# huggingface_hub 2.4.0: which calls wait for an endpoint at which nothing listens.
#
# Expected: with HF_ENDPOINT at a closed port (a mirror that is down), calls that read from a
#   repository fail alike, at once or after the same tries.
# Seen: model_info, file_exists, snapshot_download and HfFileSystem.ls try once. list_repo_files and
#   list_repo_tree try six times with growing pauses, 23 seconds in all, and write two lines for each
#   try; no parameter of theirs says how often or how long.
#
# Fails if that changes. Nothing leaves the machine.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'huggingface_hub==2.4.0'

cat >"$folder/ask.py" <<'PY'
import logging
import os
import socket

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{free.getsockname()[1]}"
import huggingface_hub as hub


class Counting(logging.Handler):
    retried = 0

    def emit(self, record):
        self.retried += "Retrying in" in record.getMessage()


counting = Counting()
logging.getLogger("huggingface_hub").addHandler(counting)
name = "owner/name"
calls = {
    "model_info": lambda: hub.HfApi().model_info(name),
    "file_exists": lambda: hub.file_exists(name, "config.json"),
    "snapshot_download": lambda: hub.snapshot_download(name),
    "HfFileSystem.ls": lambda: hub.HfFileSystem().ls(f"datasets/{name}"),
    "list_repo_files": lambda: hub.HfApi().list_repo_files(name),
    "list_repo_tree": lambda: list(hub.HfApi().list_repo_tree(name)),
}
for what, call in calls.items():
    counting.retried = 0
    try:
        call()
    except Exception as error:
        print(f"{what}: {type(error).__name__} after {counting.retried + 1}", end="; ")
PY
seen=$(env -i PATH="$PATH" HOME="$folder" "$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/retries")
echo "$seen"
wanted="model_info: ConnectError after 1; file_exists: ConnectError after 1; "
wanted+="snapshot_download: LocalEntryNotFoundError after 1; HfFileSystem.ls: ConnectError after 1; "
wanted+="list_repo_files: ConnectError after 6; list_repo_tree: ConnectError after 6; "
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
