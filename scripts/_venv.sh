# Sourced by the scripts beside it: finds a Python, keeps one environment in the checkout.
# Usage: . scripts/_venv.sh; ensure_venv DIR EXTRAS
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            echo "$candidate"
            return
        fi
    done
    echo "error: Python 3.11 or newer is needed and was not found; set PYTHON to its path" >&2
    return 1
}

ensure_venv() {
    local venv=$1 extras=$2 python stamp
    stamp="$venv/.installed-$(cksum <"$root/pyproject.toml" | cut -d' ' -f1)"
    [ -e "$stamp" ] && return
    python=$(find_python) || return 1
    echo "== preparing $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" || return 1
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --editable "$root[$extras]" || return 1
    touch "$stamp"
}
