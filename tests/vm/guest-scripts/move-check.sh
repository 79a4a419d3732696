# After a move everything that move-prepare.sh has left is there, and the TPM works.
cd /tmp; bad=0
fail() { echo "$*"; bad=1; }
number() { sed -n "s/^ *$1: *//p" $2; }
cat /sys/class/tpm/tpm0/pcr-sha256/* > pcrs.after
cmp pcrs.before pcrs.after || fail "the PCRs differ"
[ "$(tpm2_nvread -C o 0x1500016)" = 0123456789abcdef ] || fail "the NV index differs"
[ "$(tpm2_unseal -c 0x81010060 -p pcr:sha256:16)" = moved-secret ] || fail "the sealed object does not open"
export TPM2TOOLS_TCTI=device:/dev/tpm0
tpm2_getcap handles-transient > transient.after
cmp transient.before transient.after || fail "the transient objects differ"
tpm2_getcap handles-saved-session > sessions.after
cmp sessions.before sessions.after || fail "the saved sessions differ"
tpm2_readclock > clock.after
[ "$(number clock clock.after)" -ge "$(number clock clock.before)" ] || fail "Clock went back"
for i in reset_count restart_count; do
  [ "$(number $i clock.after)" = "$(number $i clock.before)" ] || fail "$i changed"
done
tpm2_getrandom --hex 8 >/dev/null || fail "no random numbers"
dmesg | grep -i 'tpm.*\(error\|fail\|timeout\)' && fail "the kernel complains"
exit $bad
