# Sourced by the scripts: says what is missing and how to get it, and ends with exit code 4.

require_node() {
  local hint='install Node 20.19 or newer (Debian, Ubuntu: apt-get install nodejs npm, or the packages of nodejs.org)'
  command -v node >/dev/null || { echo "node is missing: $hint" >&2; exit 4; }
  command -v npm >/dev/null || { echo "npm is missing: $hint" >&2; exit 4; }
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' ||
    { echo "node $(node --version) is too old or an odd release: $hint" >&2; exit 4; }
}

# require_tools TOOL=DEBIAN-PACKAGE...: installs what is missing when it may, else names it.
require_tools() {
  local missing=() pair
  for pair in "$@"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "missing: ${missing[*]} (apt-get install ${missing[*]}); tests that need them will say so" >&2
  fi
}

# The npm packages of the lock file, unless they are there already.
require_packages() {
  [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-fund --no-audit
}
