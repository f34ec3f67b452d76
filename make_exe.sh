#!/bin/sh
# Builds the folder dist/facetracker, for computers without Python, by facetracker.spec. Needs Python 3.10 or later.
cd "$(dirname "$0")" || exit 1
set -e
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet -r release/requirements.txt
.venv/bin/python -m PyInstaller --noconfirm facetracker.spec "$@"
echo 'Built: dist/facetracker. Pass on the whole folder.'
