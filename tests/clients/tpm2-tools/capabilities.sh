# Capabilities, self-test, random numbers, clock.
. "$CASES/_lib.sh"
for what in algorithms commands ecc-curves handles-persistent handles-permanent handles-pcr handles-transient \
            handles-loaded-session handles-saved-session handles-nv-index pcrs properties-fixed properties-variable; do
  tpm2_getcap $what > cap.$what
done
grep -q 'TPM2_PT_FAMILY_INDICATOR' cap.properties-fixed
grep -q '"2.0"' cap.properties-fixed
grep -q 'sha256' cap.algorithms
grep -q 'TPM2_CC_NV_DefineSpace:' cap.commands
grep -q 'TPM2_ECC_NIST_P256' cap.ecc-curves
grep -q '0x4000000A' cap.handles-permanent
grep -qE 'sha256: *\[ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23 \]' cap.pcrs
tpm2_selftest -f
tpm2_gettestresult
tpm2_incrementalselftest sha256 ecc rsa
[ "$(tpm2_getrandom --hex 32 | wc -c)" = 64 ]
[ "$(tpm2_getrandom --hex 16)" != "$(tpm2_getrandom --hex 16)" ]
echo entropy | tpm2_stirrandom
tpm2_readclock > clock
grep -q 'reset_count: ' clock
tpm2_setclock 90000000000
[ "$(tpm2_readclock | awk '/^ *clock:/ {print $2}')" -ge 90000000000 ]
refused 0x1c4 tpm2_setclock 1
tpm2_clockrateadjust s
tpm2_clockrateadjust ff
tpm2_testparms rsa2048 ecc256 aes128cfb

