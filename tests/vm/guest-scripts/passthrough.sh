# Gives /dev/tpm0 of this machine to a VM that this script plays: control commands and TPM commands as hexadecimal digits.
set -e
for s in /sys/block/vd*/serial; do [ "$(cat $s)" = disk0 ] && D=/dev/$(echo $s | cut -d/ -f4); done
mkdir -p /run/p; cd /run/p; tar xf $D 2>/dev/null || true
[ -x vtpmd ] || { echo "no program on $D"; exit 1; }
V="env LD_LIBRARY_PATH=/run/p/lib:$LD_LIBRARY_PATH /run/p/vtpmd"
hex() { echo "$1" | sed 's/[^0-9a-f]//g; s/../\\x&/g'; }
# Both channels answer one client after the other.
talk() { printf "$(hex "$2")" | timeout 60 nc 127.0.0.1 $1 | hexdump -v -e '1/1 "%02x"'; }
control() { talk 7001 "$1"; }
tpm() { talk 7002 "$1"; }
is() { case "$2" in $3) echo "$1: ok";; *) echo "$1: FAILED: $2 is not $3"; cat log; kill -0 $PID || wait $PID || echo "vtpmd ended: $?"; dmesg | tail -5; exit 1;; esac; }

tpm2_pcrread -T device:/dev/tpmrm0 sha256:16 | grep 16 | sed 's/^/PCR before:/'
$V passthrough --device /dev/tpm0 --ctrl type=tcp,port=7001 --server type=tcp,port=7002,disconnect --log file=/run/p/log &
PID=$!
for i in $(seq 100); do grep -q "the VM is given the TPM" log 2>/dev/null && break; sleep 0.2; done
sleep 1
is exclusive "$($V passthrough --device /dev/tpm0 --ctrl type=tcp,port=7003 2>&1)" "*another process uses this TPM*"

RND=80010000000c0000017b0004
READ=8001000000140000017e00000001000b03000001
EXTEND=80020000004100000182000000100000000940000009000000000000000001000b$(printf '01%.0s' $(seq 32))
SESSIONS=8001000000160000017a000000010200000000000010
is "off before INIT" "$(tpm $RND)" "80010000000a00000101"
is INIT "$(control 0000000200000000)" 00000000
is "no Startup yet" "$(tpm $RND)" "80010000000a00000100"
is startup "$(tpm 80010000000c000001440000)" "80010000000a00000000"
is random "$(tpm $RND)" "80010000001000000000*"
is "clear refused" "$(tpm 80020000001b000001264000000a00000009400000090000000000)" "80010000000a00000120"
is measured "$(tpm $EXTEND)" "8002*00000000*"
ONE=$(tpm $READ)
is session "$(tpm 80010000002b0000017640000007400000070010$(printf "01%.0s" $(seq 16))0000000010000b)" "8001*00000000*"
is "one session" "$(tpm $SESSIONS)" "*0000000102*"
is STOP "$(control 0000000e)" 00000000
is INIT "$(control 0000000200000000)" 00000000
is startup "$(tpm 80010000000c000001440000)" "80010000000a00000000"
is "sessions flushed" "$(tpm $SESSIONS)" "*0100000000"
is "reset keeps PCR" "$(tpm $READ)" "$ONE"
is "no state" "$(control 0000000c000000010000000100000000)" "0000000a*"
is SHUTDOWN "$(control 00000003)" 00000000
wait $PID
tpm2_pcrread -T device:/dev/tpm0 sha256:16 | grep 16 | sed 's/^/PCR after:/' && echo "device is free again: ok"
cat log
