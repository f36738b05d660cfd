#!/bin/sh
# Build the virtual environment FOLDER from a lock file, or find that nothing has changed since the last time.
#
# usage: environment.sh FOLDER LOCK [project]       with `project`, this checkout itself is installed too (editable)
#
# PYTHON in the environment names the interpreter; without it the first one that is new enough is taken.
# What an environment was built from lies in FOLDER/.built; contents are compared, not times, since git sets those.
set -eu

folder=$1
lock=$2
project=${3:-}
oldest="(3, 11)"

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < $oldest)" >/dev/null 2>&1
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        "$PYTHON" --version >/dev/null 2>&1 || fail "$PYTHON does not run here." \
            "Name a Python of 3.11 or newer that does: make ... PYTHON=/path/to/python3.13"
        new_enough "$PYTHON" || fail "$PYTHON is $("$PYTHON" --version 2>&1); Modelyard needs Python 3.11 or newer."
        printf '%s' "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
        if command -v "$candidate" >/dev/null && new_enough "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "Modelyard needs Python 3.11 or newer; python3 is: $(python3 --version 2>&1 || echo missing)." \
        "Install one, or name one: make ... PYTHON=/path/to/python3.13"
}

describe() {
    "$1" -c 'import sys; print(sys.version, sys.base_prefix)'
}

create() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail \
        "$python has no venv module, which builds the environment." \
        "Debian and Ubuntu: apt install python3-venv. Or name another Python: make ... PYTHON=/path/to/python3.13"
    rm -rf "$folder"
    "$python" -m venv "$folder"
    mkdir "$folder/.built"
    describe "$python" > "$folder/.built/python"
}

# The environment's own pip, which a user's settings must not send elsewhere.
pip() {
    "$folder/bin/python" -m pip --disable-pip-version-check --quiet --no-input "$@"
}

is_built_from() {
    cmp -s "$1" "$folder/.built/$(basename "$1")"
}

# One PYTHON for the environments of a checkout: an existing one keeps its own unless another is asked for.
python=$(choose_python)
if [ ! -x "$folder/bin/python" ] || [ ! -d "$folder/.built" ] ||
    { [ -n "${PYTHON:-}" ] && [ "$(describe "$python")" != "$(cat "$folder/.built/python")" ]; }; then
    create
fi

if ! is_built_from "$lock"; then
    echo "Installing $lock into $folder"
    pip install --require-hashes --requirement "$lock"
    cp "$lock" "$folder/.built/"
fi

if [ "$project" = project ] && ! is_built_from pyproject.toml; then
    pip install --no-deps --no-index --no-build-isolation --editable .
    cp pyproject.toml "$folder/.built/"
fi
