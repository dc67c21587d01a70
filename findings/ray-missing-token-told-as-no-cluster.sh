#!/usr/bin/env bash
# Ray 2.60.0: a cluster that asks for a token, and a client without one.
#
# Expected: ray.init(address=...) raises ray.exceptions.AuthenticationError at once, as it does where
#   RAY_AUTH_MODE=token is set and no token is found, and the message names the address that was given.
# Seen: it tries for about 20 s, then raises the builtin ConnectionError "Failed to connect to Ray
#   cluster at ADDRESS". The AuthenticationError is nowhere among the exceptions, only in the text of
#   a traceback inside the message of __cause__ (a RuntimeError). The same with a wrong token.
#   A token in ~/.ray/auth_token is not shown either, unless RAY_AUTH_MODE=token is set before
#   `import ray`: set after it, before ray.init, it changes nothing.
#
# Fails if one of these changes.
set -euo pipefail
folder=$(mktemp -d)
cluster=""
finish() { [ -z "$cluster" ] || kill "$cluster" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"; }
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ray[default]==2.60.0'
export HOME="$folder/home" RAY_TMPDIR=/tmp RAY_NUM_REDIS_GET_RETRIES=3
mkdir -p "$HOME/.ray"
token=$("$folder/venv/bin/python" -c 'import secrets; print(secrets.token_hex(32), end="")')
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

RAY_AUTH_MODE=token RAY_AUTH_TOKEN="$token" "$folder/venv/bin/ray" start --head --block \
  --node-ip-address 127.0.0.1 --port "$port" --include-dashboard false --num-cpus 1 \
  --min-worker-port 0 --max-worker-port 0 --object-store-memory 100000000 --disable-usage-stats \
  >"$folder/head.log" 2>&1 &
cluster=$!

cat >"$folder/join.py" <<'PY'
import os, sys
import ray
if len(sys.argv) > 2:
    os.environ["RAY_AUTH_MODE"] = sys.argv[2]
try:
    ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
    print("joined")
except Exception as error:
    chain, current = [], error
    while current is not None:
        chain.append(type(current).__name__)
        current = current.__cause__ or current.__context__
    print(type(error).__module__, type(error).__name__, "|", "AuthenticationError" in chain,
          "|", "AuthenticationError" in str(error.__cause__))
PY
join() { "$folder/venv/bin/python" "$folder/join.py" "$@" 2>/dev/null; }
expect() { # what, wanted, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$3" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

for _ in $(seq 30); do
  [ "$(RAY_AUTH_MODE=token RAY_AUTH_TOKEN="$token" join "127.0.0.1:$port")" != joined ] || break
done
expect "right token, mode set" joined "$(RAY_AUTH_MODE=token RAY_AUTH_TOKEN="$token" join "127.0.0.1:$port")"
expect "mode set, no token" "ray.exceptions AuthenticationError | True | False" "$(RAY_AUTH_MODE=token join "127.0.0.1:$port")"
expect "no token" "builtins ConnectionError | False | True" "$(join "127.0.0.1:$port")"
printf %s "$token" >"$HOME/.ray/auth_token"
expect "right token in its file" "builtins ConnectionError | False | True" "$(join "127.0.0.1:$port")"
expect "the same, mode set after import" "builtins ConnectionError | False | True" "$(join "127.0.0.1:$port" token)"
expect "the same, mode set before" joined "$(RAY_AUTH_MODE=token join "127.0.0.1:$port")"
