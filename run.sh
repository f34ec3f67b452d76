#!/bin/sh
# Starts the tracker for a person who does not want to type options: asks for the camera and shows the window.
# Works beside the executable and in the source tree. Options given to it are passed on: ./run.sh --model -2
# Names of files in the options and answers are those of the folder that it is called from.
from=$PWD

# This file's own folder, also where it is called through a link.
script=$0
while [ -L "$script" ]; do
    target=$(readlink "$script")
    case $target in
        /*) script=$target ;;
        *) script=$(dirname "$script")/$target ;;
    esac
done
cd "$(dirname "$script")" || exit 1
here=$PWD

finish() {
    if [ -t 0 ]; then
        printf 'Press Enter to close. '
        read -r answer
    fi
    exit "$1"
}

fail() {
    printf '%s\n' "$1" >&2
    finish 1
}

# ask QUESTION DEFAULT: the answer, or the default for an empty one, comes in $answer.
ask() {
    printf '%s [%s]: ' "$1" "$2"
    read -r answer || echo
    [ -n "$answer" ] || answer=$2
}

# ask_number QUESTION DEFAULT: asks until the answer is a whole number, -1 or the default.
ask_number() {
    while ask "$1" "$2"; do
        case $answer in
            "$2" | -1) return ;;
            *[!0-9]*) echo 'Please type a number, or only Enter.' ;;
            *) return ;;
        esac
    done
}

if [ -x ./facetracker ]; then
    tracker() { "$here/facetracker" "$@"; }
elif [ -f facetracker.py ]; then
    python=.venv/bin/python
    if ! "$python" -c 'import cv2, cv2_enumerate_cameras, numpy, onnxruntime, PIL, pythonosc, websockets' 2>/dev/null; then
        echo 'Installing what the tracker needs into the folder .venv. This happens once and takes a few minutes.'
        python3 -m venv .venv ||
            fail 'Python 3.10 or later with its venv module is needed (on Debian and Ubuntu: apt install python3-venv).'
        "$python" -m pip install --quiet -r requirements.txt ||
            fail 'The packages could not be installed; the lines above say why.'
    fi
    tracker() { "$here/$python" "$here/facetracker.py" "$@"; }
else
    fail 'Neither facetracker nor facetracker.py is in the folder of this script.'
fi

cameras=$(tracker --list-cameras 1) || fail 'The cameras could not be listed; the lines above say why.'
printf '%s\n' "$cameras"
first=$(printf '%s\n' "$cameras" | sed -n '2s/:.*//p')
if [ -z "$first" ]; then
    echo '(none)'
    first=$here/samples/talking_head.mp4
fi
ask 'Camera number, or the path of a video' "$first"
camera=$answer

set -- -v 3 -P 1 "$@"
case $camera in
    *[!0-9]*) ;;  # a video has no modes and runs as fast as it goes
    *)
        modes=$(tracker --list-dcaps "$camera") || finish 1
        if [ -n "$modes" ]; then
            printf 'Modes of camera %s:\n%s\n' "$camera" "$modes"
            ask_number 'Mode number' automatic
            [ "$answer" = automatic ] || set -- -D "$answer" "$@"
        fi
        ask_number 'Frames per second' 24
        set -- -F "$answer" "$@"
        ;;
esac

echo 'Tracking. The key q in the window ends it.'
cd "$from" || finish 1
tracker -c "$camera" "$@"
status=$?
[ "$status" -eq 0 ] || echo 'The tracker ended with an error; the line above says what is wrong.'
finish "$status"
