# After a wake-up from S3 the TPM has gone through Startup(STATE): the clock's counters tell.
# Env: WANT_RESTARTS, the expected restart_count
set -e
tpm2_readclock > /tmp/clock
grep -q "restart_count: ${WANT_RESTARTS:-1}$" /tmp/clock || { cat /tmp/clock; echo "restart_count is not ${WANT_RESTARTS:-1}"; exit 1; }
echo "restart_count is ${WANT_RESTARTS:-1}"
