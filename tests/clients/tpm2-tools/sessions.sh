# Salted, bound and encrypting sessions; contexts saved and loaded.
. "$CASES/_lib.sh"
printf 'the secret' > secret
for kind in rsa ecc; do
  tpm2_createprimary -Q -C o -G $kind -c primary.ctx
  tpm2_create -Q -C primary.ctx -i secret -p sealpass -u s.pub -r s.priv
  tpm2_load -Q -C primary.ctx -u s.pub -r s.priv -c s.ctx
  # salted with the primary key; the answer is encrypted
  tpm2_startauthsession --hmac-session --tpmkey-context primary.ctx -S session.ctx
  tpm2_sessionconfig --enable-encrypt --enable-decrypt session.ctx
  tpm2_unseal -Q -c s.ctx -p session:session.ctx+sealpass -o out; same out secret
  refused 0x98e tpm2_unseal -Q -c s.ctx -p session:session.ctx+wrong
  tpm2_flushcontext session.ctx
  # bound to the primary key as well
  tpm2_startauthsession --hmac-session --tpmkey-context primary.ctx --bind-context primary.ctx -S session.ctx
  tpm2_sessionconfig --enable-encrypt session.ctx
  tpm2_unseal -Q -c s.ctx -p session:session.ctx+sealpass -o out; same out secret
  tpm2_create -Q -C primary.ctx -P session:session.ctx -G ecc -u k.pub -r k.priv
  tpm2_flushcontext session.ctx
  # a policy session that encrypts
  tpm2_startauthsession -S session.ctx; tpm2_policycommandcode -Q -S session.ctx -L policy TPM2_CC_Unseal; tpm2_flushcontext session.ctx
  tpm2_create -Q -C primary.ctx -i secret -L policy -u p.pub -r p.priv
  tpm2_load -Q -C primary.ctx -u p.pub -r p.priv -c p.ctx
  tpm2_startauthsession --policy-session --tpmkey-context primary.ctx -S session.ctx
  tpm2_sessionconfig --enable-encrypt session.ctx
  tpm2_policycommandcode -Q -S session.ctx TPM2_CC_Unseal
  tpm2_unseal -Q -c p.ctx -p session:session.ctx -o out; same out secret
  tpm2_policyrestart -S session.ctx
  refused 0x99d tpm2_unseal -Q -c p.ctx -p session:session.ctx
  tpm2_flushcontext session.ctx
done
# many sessions: contexts are saved by the tools, up to the limit of 64, or of loaded ones
for i in $(seq 1 12); do tpm2_startauthsession --policy-session -S many.$i; done
for i in 12 1 7; do tpm2_policypcr -Q -S many.$i -l sha256:0; done
tpm2_getcap handles-saved-session | grep -c 0x | grep -qx 12
for i in $(seq 1 12); do tpm2_flushcontext many.$i; done
[ -z "$(tpm2_getcap handles-saved-session)" ]
# a context that was changed is refused
cp s.ctx bad.ctx; printf 'changed!' | dd of=bad.ctx bs=1 seek=200 conv=notrunc 2> /dev/null
if tpm2_unseal -Q -c bad.ctx -p sealpass 2> err; then exit 1; fi
# three slots for objects, then none
command tpm2_createprimary -Q -C o -G ecc -c a.ctx; command tpm2_createprimary -Q -C o -G ecc -c b.ctx
command tpm2_createprimary -Q -C o -G ecc -c c.ctx
if command tpm2_createprimary -Q -C o -G ecc -c d.ctx 2> err; then exit 1; fi
grep -q 0x902 err
tpm2_flushcontext -t
