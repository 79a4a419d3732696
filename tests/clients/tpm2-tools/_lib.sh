# Shared by the cases: . "$CASES/_lib.sh"

# refused CODE COMMAND...: the command must fail, and the TPM's response code (hexadecimal, as the tools print it) match.
refused() {
  local code=$1; shift
  if "$@" > refused.out 2>&1; then echo "not refused: $*"; return 1; fi
  grep -qi "$code" refused.out || { cat refused.out; echo "refused, but not with $code: $*"; return 1; }
}

# same A B: two files with the same bytes.
same() { cmp "$1" "$2"; }

# No resource manager stands between the tools and the TPM, and each tool leaves what it has loaded: there are three
# slots. So every tool is followed by a flush of the transient objects; what is needed later is in context files.
tool() {
  { local -; set +x; } 2> /dev/null
  local status=0
  command "$@" || status=$?
  [ "$1" = tpm2_flushcontext ] || command tpm2_flushcontext -t || return 1
  return $status
}
{ set +x; } 2> /dev/null
for name in $(compgen -c tpm2_ | sort -u); do eval "$name() { tool $name \"\$@\"; }"; done
set -x
