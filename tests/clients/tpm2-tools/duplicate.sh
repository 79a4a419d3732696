# Duplication, import of duplicates and of foreign keys, rewrapping by policy.
. "$CASES/_lib.sh"
tpm2_createprimary -Q -C o -g sha256 -G rsa -c old.ctx
tpm2_createprimary -Q -C o -g sha256 -G ecc -c top.ctx
tpm2_create -Q -C top.ctx -g sha256 -G rsa -u parent.pub -r parent.priv \
    -a 'restricted|decrypt|userwithauth|sensitivedataorigin|fixedtpm|fixedparent'
tpm2_load -Q -C top.ctx -u parent.pub -r parent.priv -c new.ctx
tpm2_startauthsession -S s.ctx; tpm2_policycommandcode -Q -S s.ctx -L policy TPM2_CC_Duplicate; tpm2_flushcontext s.ctx
echo text > text
for kind in rsa ecc hmac; do
  tpm2_create -Q -C old.ctx -g sha256 -G $kind -u k.pub -r k.priv -L policy -a 'userwithauth|sensitivedataorigin|sign'
  tpm2_load -Q -C old.ctx -u k.pub -r k.priv -c k.ctx
  for wrapper in null aes; do
    inner=(-G null); [ $wrapper = null ] || { head -c 16 /dev/urandom > inner; inner=(-G aes -i inner); }
    tpm2_startauthsession --policy-session -S s.ctx; tpm2_policycommandcode -Q -S s.ctx TPM2_CC_Duplicate
    tpm2_duplicate -Q -C new.ctx -c k.ctx "${inner[@]}" -p session:s.ctx -r d.priv -s d.seed
    tpm2_flushcontext s.ctx
    inner=(); [ $wrapper = null ] || inner=(-k inner)
    tpm2_import -Q -C new.ctx -u k.pub -r i.priv -i d.priv -s d.seed "${inner[@]}"
    tpm2_load -Q -C new.ctx -u k.pub -r i.priv -c i.ctx
    [ $kind = hmac ] || { tpm2_sign -Q -c i.ctx -g sha256 -o sig text; tpm2_verifysignature -Q -c k.ctx -g sha256 -s sig -m text; }
  done
done
# a key that is fixed stays
tpm2_create -Q -C old.ctx -G ecc -u f.pub -r f.priv
tpm2_load -Q -C old.ctx -u f.pub -r f.priv -c f.ctx
tpm2_startauthsession --policy-session -S s.ctx; tpm2_policycommandcode -Q -S s.ctx TPM2_CC_Duplicate
if tpm2_duplicate -Q -C new.ctx -c f.ctx -G null -p session:s.ctx -r d.priv -s d.seed 2> err; then exit 1; fi
tpm2_flushcontext s.ctx
# PolicyDuplicationSelect: only to this parent
tpm2_readpublic -Q -c new.ctx -n new.name
tpm2_startauthsession -S s.ctx; tpm2_policyduplicationselect -Q -S s.ctx -N new.name -L policy; tpm2_flushcontext s.ctx
tpm2_create -Q -C old.ctx -G ecc -u k.pub -r k.priv -L policy -a 'userwithauth|sensitivedataorigin|sign'
tpm2_load -Q -C old.ctx -u k.pub -r k.priv -c k.ctx -n k.name
tpm2_startauthsession --policy-session -S s.ctx; tpm2_policyduplicationselect -Q -S s.ctx -N new.name -n k.name
tpm2_duplicate -Q -C new.ctx -c k.ctx -G null -p session:s.ctx -r d.priv -s d.seed
tpm2_flushcontext s.ctx
# keys of OpenSSL
openssl genrsa -out r.pem 2048; openssl ecparam -name prime256v1 -genkey -noout -out e.pem
for kind in r:rsa e:ecc; do
  tpm2_import -Q -C new.ctx -G ${kind#*:} -i ${kind%:*}.pem -u x.pub -r x.priv
  tpm2_load -Q -C new.ctx -u x.pub -r x.priv -c x.ctx
  tpm2_sign -Q -c x.ctx -g sha256 -f plain -o sig text
  openssl dgst -sha256 -prverify ${kind%:*}.pem -signature sig text
done
