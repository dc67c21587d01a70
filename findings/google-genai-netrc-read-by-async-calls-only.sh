#!/usr/bin/env bash
# google-genai 3.4.0 with aiohttp 3.14.5 and httpx2 2.16.2: who reads a .netrc.
#
# Expected: client.models and client.aio.models send the same headers; trust_env=True means the same
#   to both HTTP libraries.
# Seen: trust_env=True is proxies alone to httpx2, and proxies and .netrc to aiohttp (as aiohttp's
#   documentation has it: entries for the host and for the proxy). google-genai sets it always, and
#   uses aiohttp for async calls wherever that is installed: what a .netrc has for the host goes along
#   as Authorization, beside the API key, in async calls alone, and what it has for the proxy as
#   Proxy-Authorization. Without aiohttp neither is sent.
#
# Fails if one of these changes. All names and passwords are made up; everything stays on loopback.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  'google-genai==3.4.0' 'httpx2==2.16.2'

cat >"$folder/ask.py" <<'PY'
import asyncio, base64, json, os, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
seen = []


def login(header):
    return base64.b64decode(header.split()[1]).decode().split(":")[0] if header else "none"


class Answering(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        headers = self.headers
        seen.append((login(headers["Authorization"]), login(headers["Proxy-Authorization"])))
        content = {"role": "model", "parts": [{"text": "yes"}]}
        body = json.dumps({"candidates": [{"content": content, "finishReason": "STOP"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("127.0.0.1", 0), Answering)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["http_proxy"] = f"http://127.0.0.1:{server.server_port}"
from google import genai
options = genai.types.HttpOptions(base_url="http://api.example")
client = genai.Client(api_key="given", http_options=options)


async def ask():
    await client.aio.models.generate_content(model="some-model", contents="Is it red?")
    await client.aio.aclose()


if sys.argv[1] == "sync":
    client.models.generate_content(model="some-model", contents="Is it red?")
else:
    asyncio.run(ask())
print("Authorization of %s, Proxy-Authorization of %s" % seen[0])
PY
cat >"$folder/netrc" <<'NETRC'
machine api.example login host-user password made-up
machine 127.0.0.1 login proxy-user password made-up
NETRC
chmod 600 "$folder/netrc"
ask() { env -i PATH="$PATH" HOME="$folder" NETRC="$folder/netrc" "$folder/venv/bin/python" "$folder/ask.py" "$1"; }
expect() { # what, wanted, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$3" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

neither="Authorization of none, Proxy-Authorization of none"
expect "sync, without aiohttp" "$neither" "$(ask sync)"
expect "async, without aiohttp" "$neither" "$(ask async)"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'aiohttp==3.14.5'
expect "sync, with aiohttp" "$neither" "$(ask sync)"
expect "async, with aiohttp" "Authorization of host-user, Proxy-Authorization of proxy-user" "$(ask async)"
