# Sourced by the scripts: an apt directory of our own, so that the machine's package lists, architectures and settings
# stay as they are. Its mirrors are the machine's own. The caller sets die().

need() { command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"; }

# The machine's deb sources without their limits on architecture, in either of apt's two formats. copy_sources TARGET
copy_sources() {
  local etc sourceparts sourcelist file
  eval "$(apt-config shell etc Dir::Etc/d sourceparts Dir::Etc::sourceparts/d sourcelist Dir::Etc::sourcelist/f)"
  rm -rf "$1"
  mkdir -p "$1"
  for file in "$sourceparts"/*.sources; do
    [ -f "$file" ] || continue
    sed '/^Architectures:/Id' "$file" >"$1/$(basename "$file")"
  done
  for file in "$sourcelist" "$sourceparts"/*.list; do
    [ -f "$file" ] || continue
    sed -E 's/\barch(-=|\+=|=)[^] ]+ ?//; s/\[ *\]//' "$file" >"$1/$(basename "$file")"
  done
  [ -n "$(ls -A "$1")" ] || die "no apt sources in $etc"
}

# Of every mirror copied to TARGET the suite SUITE and nothing else; mirrors of security updates have no such suite.
# use_suite TARGET SUITE
use_suite() {
  local file
  for file in "$1"/*; do
    case $file in
      *.sources) awk -v RS= -v ORS='\n\n' '!/security/' "$file" | sed -E "s/^Suites:.*/Suites: $2/I" ;;
      *) sed -E "/security/d; s/^(deb +(\[[^]]*\] +)?[^ ]+ +)[^ ]+/\1$2/" "$file" ;;
    esac >"$file.new"
    mv "$file.new" "$file"
  done
}

# Read after the machine's own settings, so that its proxies and keys hold. The hooks go: they act on the machine.
# write_settings FOLDER ARCHITECTURE...: FOLDER/apt.conf, with FOLDER/sources as its sources.
write_settings() {
  local apt=$1
  shift
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/status"
  cat >"$apt/apt.conf" <<SETTINGS
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architectures { $(printf '"%s"; ' "$@")};
APT::Sandbox::User "root";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
SETTINGS
}

# Unpacks packages with all that they stand on, and installs nothing: the status file is empty, so "install" fetches the whole.
# unpack_packages FOLDER ROOT PACKAGE...: FOLDER is that of write_settings.
unpack_packages() {
  local apt=$1 root=$2 package
  shift 2
  rm -f "$apt"/cache/archives/*.deb
  apt-get -c "$apt/apt.conf" -o Debug::NoLocking=true -q -y --no-install-recommends --download-only install "$@" >&2
  mkdir -p "$root"
  for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
}

# Name of the newest kernel package of a series in the lists of FOLDER, or nothing; no metapackage, and of the flavours only the one
# asked for (on most architectures it is called like the architecture). newest_kernel FOLDER VERSION FLAVOUR
newest_kernel() {
  apt-cache -c "$1/apt.conf" pkgnames "linux-image-$2." |
    grep -E "^linux-image-${2//./\\.}\.[0-9][^-]*(-[0-9]+)?-$3(-unsigned)?\$" | sort -V | tail -n 1 || true
}
