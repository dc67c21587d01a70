#!/usr/bin/env bash
# google-genai 3.4.0: variables of the environment beside a key that is given to the client.
#
# Expected: with genai.Client(api_key=...) the variables for keys say nothing, and a variable that
#   chooses among installed libraries chooses among those.
# Seen: with GOOGLE_API_KEY and GEMINI_API_KEY set it warns "Both GOOGLE_API_KEY and GEMINI_API_KEY
#   are set. Using GOOGLE_API_KEY." and sends the key that was given. With
#   GOOGLE_GENAI_HTTP_CLIENT=httpx, set for another program, genai.Client(...) raises ImportError
#   where only httpx2 is installed, which google-genai itself installs; any word that it does not
#   know (aiohttp) is a warning instead.
#
# Fails if one of these changes. The keys are made up; the server is a local one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  'google-genai==3.4.0' 'httpx2==2.16.2'

cat >"$folder/ask.py" <<'PY'
import json, logging, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

keys, warned = [], []


class Answering(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        keys.append(self.headers["x-goog-api-key"])
        content = {"role": "model", "parts": [{"text": "yes"}]}
        body = json.dumps({"candidates": [{"content": content, "finishReason": "STOP"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Warned(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING and record.getMessage() not in warned:
            warned.append(record.getMessage())


logging.getLogger().addHandler(Warned())
server = HTTPServer(("127.0.0.1", 0), Answering)
threading.Thread(target=server.serve_forever, daemon=True).start()
from google import genai
options = genai.types.HttpOptions(base_url=f"http://127.0.0.1:{server.server_port}")
given = {"api_key": sys.argv[1]} if sys.argv[1:] else {}
try:
    client = genai.Client(http_options=options, **given)
    client.models.generate_content(model="some-model", contents="Is it red?")
    print(*keys, "sent;", *warned or ["no warning"])
except ImportError as error:
    print("ImportError:", error)
PY
# Nothing of the caller's own environment may choose a key or a service.
ask() { env -i PATH="$PATH" HOME="$folder" "${variables[@]}" "$folder/venv/bin/python" "$folder/ask.py" "$@"; }
expect() { # what, wanted, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$3" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

using="Both GOOGLE_API_KEY and GEMINI_API_KEY are set. Using GOOGLE_API_KEY."
variables=(GOOGLE_API_KEY=from-google)
expect "a key given, one variable" "given sent; no warning" "$(ask given)"
variables=(GOOGLE_API_KEY=from-google GEMINI_API_KEY=from-gemini)
expect "no key given, both variables" "from-google sent; $using" "$(ask)"
expect "a key given, both variables" "given sent; $using" "$(ask given)"
variables=(GOOGLE_GENAI_HTTP_CLIENT=aiohttp)
expect "another client" "given sent; Unrecognized GOOGLE_GENAI_HTTP_CLIENT='aiohttp'; falling back to default." "$(ask given)"
variables=(GOOGLE_GENAI_HTTP_CLIENT=httpx)
expect "httpx, not installed" "ImportError: httpx is configured via GOOGLE_GENAI_HTTP_CLIENT=httpx, but httpx is not installed." "$(ask given)"
