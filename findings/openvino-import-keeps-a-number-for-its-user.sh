#!/usr/bin/env bash
# openvino 2026.4.1 (with openvino-telemetry 2025.2.0, which it requires): what `import openvino` does.
#
# Expected: an import writes nothing. Reports of use, if any, begin with the tools that convert models,
#   after a question, or are announced.
# Seen: the import alone makes a folder `intel` in the user's home with a number for this user in
#   `openvino_ga_cid` and another of counts in `stats`, without a word. With CI=true in the environment
#   it writes nothing, nor after `opt_in_out --opt_out`, which keeps a file of its own.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  openvino==2026.4.1 openvino-telemetry==2025.2.0
seen=""
for said in "" true; do
  mkdir "$folder/home"
  env -u TF_BUILD -u JENKINS_URL CI="$said" HOME="$folder/home" \
    "$folder/venv/bin/python" -c "import openvino" 2>&1
  files=$(cd "$folder/home" && find . -type f | sort | tr '\n' ' ')
  seen+="CI=$said: ${files:-nothing }; "
  rm -rf "$folder/home"
done
mkdir "$folder/home"
HOME="$folder/home" "$folder/venv/bin/opt_in_out" --opt_out >/dev/null 2>&1
before=$(cd "$folder/home" && find . -type f | sort | tr '\n' ' ')
env -u TF_BUILD -u JENKINS_URL CI= HOME="$folder/home" "$folder/venv/bin/python" -c "import openvino"
after=$(cd "$folder/home" && find . -type f | sort | tr '\n' ' ')
seen+="opted out: $before, then $after"
echo "$seen"
wanted="CI=: ./intel/openvino_ga_cid ./intel/stats ; CI=true: nothing ; "
wanted+="opted out: ./intel/openvino_telemetry , then ./intel/openvino_telemetry "
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
