# shellcheck shell=sh disable=SC2034,SC2154,SC2094
# What pahole and resolve_btfids beside it share; they read it with $self, their path without links.

# What Node is started with: "$node" "$program" kbuild …
node=${VMLINUX_BTF_NODE:-node}
program=${self%/*}/../vmlinux-btf.cjs

# For the module $file of a build on the vmlinux $base, which was split: $objects is the object tree, $side the folder in it, and $copy the
# module with its types as on the unsplit kernel. False for all else, such as a module of another tree: its path leads out of the object tree, and
# from 6.13 on make of the kernel runs in its folder.
find_copy() {
  case $base in
    */*) objects=${base%/*} ;;
    *) objects=. ;;
  esac
  side=$objects/.vmlinux-btf
  copy=$side/modules/$file
  # shellcheck disable=SC3013 # -ef: dash, busybox and bash have it
  [ "$objects" -ef . ] || return 1
  case $file in
    /* | ../*) return 1 ;;
    *.ko) [ -f "$side/original.btf" ] ;;
    *) return 1 ;;
  esac
}

make_folder() { [ -d "${copy%/*}" ] || mkdir -p -- "${copy%/*}"; }

# Runs the real tool with the words "$@", but for their base, which is the whole BTF, and the last one, which is $on. A base follows --btf_base
# or $short.
on_original() {
  left=$# before=
  for word; do
    shift
    left=$((left - 1)) now=$word
    case $before in
      --btf_base | "$short") word=$side/original.btf ;;
    esac
    case $now in
      --btf_base=*) word=--btf_base=$side/original.btf ;;
      "$short"?*) word=$short$side/original.btf ;;
    esac
    [ "$left" -gt 0 ] || word=$on
    before=$now
    set -- "$@" "$word"
  done
  "$real" "$@"
}

# Splits vmlinux, which is $file, after the tool $1 has run. What the kbuild that runs make has begun, it has to end: who tried it once more could
# take the base for the whole BTF.
split_after() {
  objects=''
  served "$1" && return
  if [ -n "$unanswered" ]; then
    echo "vmlinux-btf: the kbuild that runs make has ended (it was killed): $file: run make again [kbuild-ended]" >&2
    return 1
  fi
  "$node" "$program" kbuild --after "$1" "$file"
}

# Has the kbuild that runs make do the work on $file after the tool $1, in the object tree $objects, which is empty for vmlinux itself;
# plugin/kbuild/service.ts is the other side. False when there is none, when it has no slot left or ended, which sets $unanswered: Node, which is to
# be started then, does it or tells what is wrong. Nothing here starts a program.
served() {
  service=${VMLINUX_BTF_SERVICE:-} answer='' unanswered=''
  [ -n "$service" ] || return 1
  for slot in "$service"/*.slot; do
    name=${slot##*/} name=${name%.slot}
    if [ -p "$slot" ] && take "$1" && [ -p "$slot" ]; then
      wait_for_answer
      break
    fi
  done 2>/dev/null
  case $answer in
    done) return 0 ;;
    stop) exit 143 ;; # the build was ended
    failed\ *)
      answer=${answer#failed }
      printf '%s\n' "${answer#* }" >&2
      exit "${answer%% *}"
      ;;
  esac
  return 1
}

# False when another one has the slot.
take() {
  request=$service/$name.request taken=''
  [ ! -e "$request" ] || return 1
  set -C # O_EXCL
  if printf '%s\n' "$1" "$objects" "$file" "$PWD" "${VMLINUX_BTF_OPTIONS:-}" >"$request"; then taken=1; fi
  set +C
  [ -n "$taken" ]
}

# To open a named pipe for reading waits for a writer; to open it for both does not. With that one closed again the read ends when kbuild
# does, however it ends. Redirections of a group would not do: bash keeps what it is to restore.
wait_for_answer() {
  command exec 5<>"$slot" 6<"$slot" 5>&- || return
  unanswered=1
  if printf '%s\n' "$name" 1<>"$service/requests" && read -r answer <&6; then unanswered=''; fi
  command exec 6<&-
}
