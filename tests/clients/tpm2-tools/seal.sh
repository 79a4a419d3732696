# Sealed data and the policies that guard it.
. "$CASES/_lib.sh"
printf 'the secret' > secret
tpm2_createprimary -Q -C o -G ecc -c primary.ctx
put() { # put NAME ARGUMENTS...: seal with these arguments of tpm2_create
  local name=$1; shift
  tpm2_create -Q -C primary.ctx -i secret -u s.pub -r s.priv "$@"
  tpm2_load -Q -C primary.ctx -u s.pub -r s.priv -c $name.ctx
}
flush() { tpm2_flushcontext -l; tpm2_flushcontext -s; }   # all sessions
# password
put pw -p pass
tpm2_unseal -Q -c pw.ctx -p pass -o out; same out secret
refused 0x98e tpm2_unseal -Q -c pw.ctx -p wrong
tpm2_unseal -Q -c pw.ctx -p hex:70617373 -o out; same out secret
flush
# PCR
tpm2_startauthsession -S session.ctx; tpm2_policypcr -Q -S session.ctx -l sha256:7,16 -L policy; tpm2_flushcontext session.ctx
put pcr -L policy
tpm2_unseal -Q -c pcr.ctx -p pcr:sha256:7,16 -o out; same out secret
tpm2_pcrextend 16:sha256=$(head -c 64 /dev/zero | sha256sum | cut -d' ' -f1)
refused 0x99d tpm2_unseal -Q -c pcr.ctx -p pcr:sha256:7,16
tpm2_pcrreset 16
tpm2_unseal -Q -c pcr.ctx -p pcr:sha256:7,16 -o out; same out secret
flush
# a PCR that changes between policy and use (not 16: the debug PCRs do not count as changes)
tpm2_startauthsession -S session.ctx; tpm2_policypcr -Q -S session.ctx -l sha256:10 -L policy; tpm2_flushcontext session.ctx
put pcr10 -L policy
tpm2_startauthsession --policy-session -S session.ctx; tpm2_policypcr -Q -S session.ctx -l sha256:10
tpm2_pcrextend 10:sha256=$(head -c 64 /dev/zero | sha256sum | cut -d' ' -f1)
refused 0x128 tpm2_unseal -Q -c pcr10.ctx -p session:session.ctx
flush
# password by policy, as plain text and as HMAC key
for how in policypassword policyauthvalue; do
  tpm2_startauthsession -S session.ctx; tpm2_$how -Q -S session.ctx -L policy; tpm2_flushcontext session.ctx
  put $how -L policy -p pass
  tpm2_startauthsession --policy-session -S session.ctx; tpm2_$how -Q -S session.ctx
  tpm2_unseal -Q -c $how.ctx -p session:session.ctx+pass -o out; same out secret
  tpm2_flushcontext session.ctx; flush
done
# secret of another entity, OR, command code
tpm2_changeauth -c e endorsementpass
tpm2_startauthsession -S session.ctx; tpm2_policysecret -Q -S session.ctx -c e -L p.secret endorsementpass
tpm2_flushcontext session.ctx
tpm2_startauthsession -S session.ctx; tpm2_policycommandcode -Q -S session.ctx -L p.code TPM2_CC_Unseal
tpm2_flushcontext session.ctx
tpm2_startauthsession -S session.ctx; tpm2_policyor -Q -S session.ctx -L p.or sha256:p.secret,p.code
tpm2_flushcontext session.ctx
put or -L p.or
tpm2_startauthsession --policy-session -S session.ctx
tpm2_policysecret -Q -S session.ctx -c e endorsementpass; tpm2_policyor -Q -S session.ctx sha256:p.secret,p.code
tpm2_unseal -Q -c or.ctx -p session:session.ctx -o out; same out secret; tpm2_flushcontext session.ctx
tpm2_startauthsession --policy-session -S session.ctx
tpm2_policycommandcode -Q -S session.ctx TPM2_CC_Unseal; tpm2_policyor -Q -S session.ctx sha256:p.secret,p.code
tpm2_unseal -Q -c or.ctx -p session:session.ctx -o out; same out secret; tpm2_flushcontext session.ctx
tpm2_startauthsession --policy-session -S session.ctx
refused 0x1c4 tpm2_policyor -Q -S session.ctx sha256:p.secret,p.code
tpm2_flushcontext session.ctx; flush
# a policy that a signer approves later (PolicySigned, PolicyAuthorize)
openssl genrsa -out signer.pem 2048; openssl rsa -in signer.pem -pubout -out signer.pub
tpm2_loadexternal -Q -C o -G rsa -u signer.pub -c signer.ctx -n signer.name
tpm2_startauthsession -S session.ctx; tpm2_policyauthorize -Q -S session.ctx -n signer.name -L p.authorize
tpm2_flushcontext session.ctx
put authorize -L p.authorize
tpm2_startauthsession -S session.ctx; tpm2_policypcr -Q -S session.ctx -l sha256:16 -L p.approved; tpm2_flushcontext session.ctx
openssl dgst -sha256 -sign signer.pem -out approved.sig p.approved
tpm2_verifysignature -Q -c signer.ctx -g sha256 -m p.approved -s approved.sig -t approved.ticket -f rsassa
tpm2_startauthsession --policy-session -S session.ctx; tpm2_policypcr -Q -S session.ctx -l sha256:16
tpm2_policyauthorize -Q -S session.ctx -i p.approved -n signer.name -t approved.ticket
tpm2_unseal -Q -c authorize.ctx -p session:session.ctx -o out; same out secret; tpm2_flushcontext session.ctx
flush
tpm2_loadexternal -Q -C o -G rsa -u signer.pub -c signer.ctx
printf '\0\0\0\0' | openssl dgst -sha256 -sign signer.pem -out s.sig    # no expiry, no nonce, no reference
tpm2_startauthsession -S session.ctx
tpm2_policysigned -Q -S session.ctx -c signer.ctx -g sha256 -f rsassa -s s.sig -L p.signed
tpm2_flushcontext session.ctx
put signed -L p.signed
tpm2_startauthsession --policy-session -S session.ctx
tpm2_policysigned -Q -S session.ctx -c signer.ctx -g sha256 -f rsassa -s s.sig
tpm2_unseal -Q -c signed.ctx -p session:session.ctx -o out; same out secret; tpm2_flushcontext session.ctx
flush
# locality, counter and timer, name hash, cp hash
tpm2_startauthsession --policy-session -S session.ctx; tpm2_policylocality -Q -S session.ctx zero; tpm2_flushcontext session.ctx
tpm2_startauthsession --policy-session -S session.ctx; tpm2_policycountertimer -Q -S session.ctx --ult 3600000 ; tpm2_flushcontext session.ctx
tpm2_startauthsession --policy-session -S session.ctx
refused 0x126 tpm2_policycountertimer -Q -S session.ctx --ult 1
tpm2_flushcontext session.ctx
