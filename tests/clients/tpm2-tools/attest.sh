# Quotes, certification of objects and NV, time, audit, credentials.
. "$CASES/_lib.sh"
printf 0123456789abcdef > nonce
for kind in rsa ecc; do
  tpm2_createek -Q -c ek.$kind -G $kind -u ek.$kind.pub
  scheme=rsassa; [ $kind = rsa ] || scheme=ecdsa
  tpm2_createak -Q -C ek.$kind -c ak.$kind -G $kind -g sha256 -s $scheme -u ak.$kind.pub -f pem -n ak.$kind.name -r ak.priv
  tpm2_flushcontext -l; tpm2_flushcontext -s
  tpm2_quote -Q -c ak.$kind -l sha1:0,1+sha256:0,7,16 -q $(od -An -tx1 nonce | tr -d ' \n') -m q.msg -s q.sig -o q.pcrs -g sha256
  tpm2_checkquote -Q -u ak.$kind.pub -m q.msg -s q.sig -f q.pcrs -g sha256 -q $(od -An -tx1 nonce | tr -d ' \n')
  if tpm2_checkquote -Q -u ak.$kind.pub -m q.msg -s q.sig -f q.pcrs -g sha256 -q 00 2> /dev/null; then exit 1; fi
  # the credential opens only on the TPM that has both keys
  printf credential > credential
  tpm2_makecredential -Q -T none -u ek.$kind.pub -s credential -n $(od -An -tx1 ak.$kind.name | tr -d ' \n') -o blob -G $kind 2> err ||
    tpm2_makecredential -Q -u ek.$kind.pub -s credential -n $(od -An -tx1 ak.$kind.name | tr -d ' \n') -o blob
  tpm2_startauthsession --policy-session -S s.ctx; tpm2_policysecret -Q -S s.ctx -c e
  tpm2_activatecredential -Q -c ak.$kind -C ek.$kind -i blob -o opened -P session:s.ctx; tpm2_flushcontext s.ctx
  same opened credential
done
tpm2_createprimary -Q -C o -G ecc -c primary.ctx
tpm2_create -Q -C primary.ctx -G ecc:ecdsa -u k.pub -r k.priv --creation-data cd --creation-hash ch --creation-ticket ct
tpm2_load -Q -C primary.ctx -u k.pub -r k.priv -c k.ctx
tpm2_certify -Q -c k.ctx -C ak.ecc -g sha256 -o c.msg -s c.sig
[ "$(head -c 6 c.msg | od -An -tx1 | tr -d ' \n')" = ff5443478017 ]
tpm2_certifycreation -Q -C ak.ecc -c k.ctx -d ch -t ct -g sha256 -o cc.sig --attestation cc.msg -f plain
openssl dgst -sha256 -verify ak.ecc.pub -signature cc.sig cc.msg
tpm2_gettime -Q -c ak.ecc -g sha256 -q 00112233 -o t.sig --attestation t.msg -f plain
openssl dgst -sha256 -verify ak.ecc.pub -signature t.sig t.msg
tpm2_nvdefine -Q 0x1500001 -C o -s 16 -a 'ownerread|ownerwrite|authread|authwrite'
tpm2_nvwrite -Q 0x1500001 -C o -i nonce
tpm2_nvcertify -Q -C ak.ecc -c o -g sha256 -f plain -o n.sig --attestation n.msg --size 16 0x1500001
openssl dgst -sha256 -verify ak.ecc.pub -signature n.sig n.msg
# audit of a session and of commands
tpm2_startauthsession --audit-session -S s.ctx
tpm2_getrandom -Q 4 -S s.ctx -o /dev/null
tpm2_sessionconfig s.ctx > /dev/null
tpm2_getsessionauditdigest -Q -c ak.ecc -g sha256 -m a.msg -s a.sig -S s.ctx
tpm2_flushcontext s.ctx
tpm2_setcommandauditstatus -Q -C o TPM2_CC_GetRandom
tpm2_getrandom -Q 4 -o /dev/null
tpm2_getcommandauditdigest -Q -c ak.ecc -g sha256 -m a.msg -s a.sig
