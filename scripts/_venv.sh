# Sourced by the scripts beside it: finds a Python, keeps one environment in the checkout.
# Usage: . scripts/_venv.sh; ensure_venv DIR EXTRAS
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

find_python() {
    local candidate found=""
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
        found="$found, $candidate is $("$candidate" --version 2>&1 | head -n 1)"
    done
    echo "error: Python 3.11 or newer is needed and was not found${found:+ (${found#, })};" \
        "install one, or set PYTHON to the path of one" >&2
    return 1
}

# An environment holds absolute paths, so a checkout that was moved or copied needs a new one.
venv_stamp() {
    echo "$1/.installed-$({ echo "$root"; cat "$root/pyproject.toml"; } | cksum | cut -d' ' -f1)"
}

ensure_venv() {
    # Two scripts at once would each clear what the other installs. Any file serves as the lock.
    if command -v flock >/dev/null; then
        (flock 9 && prepare_venv "$@") 9<"$root/pyproject.toml"
    else
        prepare_venv "$@"
    fi
}

prepare_venv() {
    local venv=$1 extras=$2 python stamp
    stamp=$(venv_stamp "$venv")
    if "$venv/bin/python" -c "" 2>/dev/null && [ -e "$stamp" ]; then
        if grep -qxF -e "$extras" -e all "$stamp"; then return; fi
    else
        python=$(find_python) || return 1
        echo "== preparing $venv with $("$python" --version); this once takes up to a minute"
        "$python" -m venv --clear "$venv" || return 1
    fi
    echo "== installing this package and its dependencies ($extras)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --editable "$root[$extras]" || return 1
    echo "$extras" >>"$stamp"
}
