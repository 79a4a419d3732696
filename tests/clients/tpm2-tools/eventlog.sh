# An event log in the format of UEFI firmware, each event extended as firmware does it; tpm2_eventlog must come to the
# PCRs of the TPM in all banks. (TCG PC Client Platform Firmware Profile, 10.2: crypto-agile log.)
. "$CASES/_lib.sh"

BANKS="sha1 sha256 sha384 sha512"
declare -A ALGORITHM=([sha1]=0400 [sha256]=0b00 [sha384]=0c00 [sha512]=0d00) SIZE=([sha1]=1400 [sha256]=2000 [sha384]=3000 [sha512]=4000)

bytes() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }
# A 32-bit number, least significant byte first.
le32() { local hex; hex=$(printf %08x "$1"); echo "${hex:6:2}${hex:4:2}${hex:2:2}${hex:0:2}"; }
digest() { bytes "$2" | "${1}sum" | cut -d' ' -f1; }

# The header event says which digests follow.
spec=$(printf 'Spec ID Event03\0' | od -An -v -tx1 | tr -d ' \n')$(le32 0)00020002$(le32 4)  # version 2.00, 64-bit
for bank in $BANKS; do spec+=${ALGORITHM[$bank]}${SIZE[$bank]}; done
spec+=00
log=$(le32 0)$(le32 3)$(printf %040d 0)$(le32 $((${#spec} / 2)))$spec

# measure PCR TYPE DATA: extend the digests of the data, and note the event.
measure() {
  local event values="" bank value
  event=$(le32 "$1")$(le32 "$2")$(le32 4)
  for bank in $BANKS; do
    value=$(digest "$bank" "$3")
    event+=${ALGORITHM[$bank]}$value
    values+=${values:+,}$bank=$value
  done
  log+=$event$(le32 $((${#3} / 2)))$3
  tpm2_pcrextend "$1:$values"
}
measure 0 8 76003100000000                                      # EV_S_CRTM_VERSION
for pcr in 0 1 2 3 4 5 6 7; do measure $pcr 4 00000000; done    # EV_SEPARATOR
measure 4 4 ffffffff
bytes "$log" > log

tpm2_eventlog log > log.yaml
test "$(grep -c '^- EventNum' log.yaml)" = 11
for bank in $BANKS; do
  tpm2_pcrread "$bank:0,1,2,3,4,5,6,7" | awk '/: *0x/ {print $1, tolower($3)}' > "$bank.tpm"
  sed -n '/^pcrs:/,$p' log.yaml | awk -v bank="  $bank:" '$0 == bank {on = 1; next} /^  [a-z]/ {on = 0} on {print $1, tolower($3)}' > "$bank.log"
  test "$(wc -l < "$bank.log")" = 8
  diff "$bank.tpm" "$bank.log"
done
# What is extended and not in the log shows.
tpm2_pcrextend "4:sha256=$(printf %064d 1)"
tpm2_pcrread sha256:0,1,2,3,4,5,6,7 | awk '/: *0x/ {print $1, tolower($3)}' > changed
test "$(diff changed sha256.log | grep -c '^< 4 ')" = 1
