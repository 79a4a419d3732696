# Dictionary-attack protection.
. "$CASES/_lib.sh"
printf 'the secret' > secret
property() { tpm2_getcap properties-variable | awk -v p="$1:" '$1 == p {print $2}'; }
tpm2_changeauth -c l lockoutpass
tpm2_dictionarylockout -s -n 3 -t 1000 -l 1000 -p lockoutpass
[ "$(property TPM2_PT_MAX_AUTH_FAIL)" = 0x3 ]
[ "$(property TPM2_PT_LOCKOUT_INTERVAL)" = 0x3E8 ]
tpm2_createprimary -Q -C o -G ecc -c primary.ctx
tpm2_create -Q -C primary.ctx -i secret -p pass -u s.pub -r s.priv
tpm2_load -Q -C primary.ctx -u s.pub -r s.priv -c s.ctx
tpm2_create -Q -C primary.ctx -i secret -p pass -u n.pub -r n.priv -a 'fixedtpm|fixedparent|userwithauth|noda'
tpm2_load -Q -C primary.ctx -u n.pub -r n.priv -c n.ctx
for i in 1 2 3; do
  refused 0x98e tpm2_unseal -Q -c s.ctx -p wrong
  [ "$(property TPM2_PT_LOCKOUT_COUNTER)" = 0x$i ]
done
refused 0x921 tpm2_unseal -Q -c s.ctx -p pass
refused 0x921 tpm2_unseal -Q -c s.ctx -p wrong
tpm2_unseal -Q -c n.ctx -p pass -o out; same out secret
refused 0x9a2 tpm2_unseal -Q -c n.ctx -p wrong
tpm2_dictionarylockout -c -p lockoutpass
[ "$(property TPM2_PT_LOCKOUT_COUNTER)" = 0x0 ]
tpm2_unseal -Q -c s.ctx -p pass -o out; same out secret
# a wrong lockout authorisation locks the lockout hierarchy itself
refused 0x98e tpm2_dictionarylockout -c -p wrong
refused 0x921 tpm2_dictionarylockout -c -p lockoutpass
