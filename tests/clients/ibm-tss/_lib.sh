# Shared by the cases: . "$CASES/_lib.sh"

# refused NAME COMMAND...: the command must fail with this response code, as the utilities print it.
refused() {
  local code=$1; shift
  if "$@" > refused.out 2>&1; then echo "not refused: $*"; return 1; fi
  grep -q "$code" refused.out || { cat refused.out; echo "refused, but not with $code: $*"; return 1; }
}

# flush HANDLE...
flush() { local handle; for handle in "$@"; do tssflushcontext -ha "$handle"; done; }

# Slots are given out from the lowest, so handles are known in advance: 80000000 is the first object, 02000000 the first
# HMAC session, 03000000 the first policy session. $STORAGE is a primary RSA storage key at 80000000.
storage() { tsscreateprimary -hi o -pwdk sto > primary.out; grep -q 80000000 primary.out; STORAGE=80000000; }
