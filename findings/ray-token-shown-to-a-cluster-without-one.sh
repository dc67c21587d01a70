#!/usr/bin/env bash
# Ray 2.60.0: a driver with a token, and a cluster that asks for none.
#
# Expected: it is let in and all works, as a cluster without authentication has no use for a token;
#   or it is refused when it joins.
# Seen: it joins without a word, and tasks run. Every actor dies, each with ActorDiedError and this
#   reason, though its handle is held: "all references to the actor were removed including lineage
#   ref count". Nothing names the token. The same driver without RAY_AUTH_MODE=token has no trouble.
#
# Fails if one of these changes.
set -euo pipefail
folder=$(mktemp -d)
cluster=""
finish() { [ -z "$cluster" ] || kill "$cluster" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"; }
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ray[default]==2.60.0'
export HOME="$folder/home" RAY_TMPDIR=/tmp
mkdir -p "$HOME"
token=$("$folder/venv/bin/python" -c 'import secrets; print(secrets.token_hex(32), end="")')
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

RAY_AUTH_MODE=disabled "$folder/venv/bin/ray" start --head --block \
  --node-ip-address 127.0.0.1 --port "$port" --include-dashboard false --num-cpus 2 \
  --min-worker-port 0 --max-worker-port 0 --object-store-memory 100000000 --disable-usage-stats \
  >"$folder/head.log" 2>&1 &
cluster=$!

cat >"$folder/use.py" <<'PY'
import sys

import ray

ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)


@ray.remote
def one():
    return 1


@ray.remote(num_cpus=0)
class Counter:
    def count(self):
        return 1


held = [Counter.remote() for _ in range(2)]
said = ["joined"]
for call in (one.remote, *(counter.count.remote for counter in held)):
    try:
        said.append(str(ray.get(call(), timeout=60)))
    except Exception as error:
        reason = "all references to the actor were removed" in str(error)
        said.append(f"{type(error).__name__} {reason} {'token' in str(error).lower()}")
print(" | ".join(said))
PY
use() { "$folder/venv/bin/python" "$folder/use.py" "127.0.0.1:$port" 2>/dev/null; }
expect() { # what, wanted, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$3" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

for _ in $(seq 30); do
  [ "$(RAY_AUTH_MODE=disabled use)" != "joined | 1 | 1 | 1" ] || break
done
expect "no token" "joined | 1 | 1 | 1" "$(RAY_AUTH_MODE=disabled use)"
died="ActorDiedError True False"
expect "a token" "joined | 1 | $died | $died" "$(RAY_AUTH_MODE=token RAY_AUTH_TOKEN="$token" use)"
expect "no token again" "joined | 1 | 1 | 1" "$(RAY_AUTH_MODE=disabled use)"
