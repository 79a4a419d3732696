# Signatures of every scheme, checked by the TPM and by OpenSSL.
. "$CASES/_lib.sh"
echo "what is signed" > text; echo "something else" > other
tpm2_createprimary -Q -C o -G ecc -c primary.ctx
for scheme in rsassa rsapss; do
  tpm2_create -Q -C primary.ctx -G rsa2048 -u k.pub -r k.priv
  tpm2_load -Q -C primary.ctx -u k.pub -r k.priv -c k.ctx
  tpm2_readpublic -Q -c k.ctx -f pem -o k.pem
  for hash in sha1 sha256 sha384 sha512; do
    tpm2_sign -Q -c k.ctx -g $hash -s $scheme -o sig text
    tpm2_verifysignature -Q -c k.ctx -g $hash -s sig -m text -t ticket
    refused 0x2db tpm2_verifysignature -Q -c k.ctx -g $hash -s sig -m other
    tpm2_sign -Q -c k.ctx -g $hash -s $scheme -f plain -o plain text
    pad=(); [ $scheme = rsassa ] || pad=(-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-2)
    openssl dgst -$hash -verify k.pem "${pad[@]}" -signature plain text
  done
done
for curve in ecc256 ecc384 ecc521; do
  tpm2_create -Q -C primary.ctx -G $curve:ecdsa -u k.pub -r k.priv
  tpm2_load -Q -C primary.ctx -u k.pub -r k.priv -c k.ctx
  tpm2_readpublic -Q -c k.ctx -f pem -o k.pem
  hash=sha256
  tpm2_sign -Q -c k.ctx -g $hash -o sig text
  tpm2_verifysignature -Q -c k.ctx -g $hash -s sig -m text
  refused 0x2db tpm2_verifysignature -Q -c k.ctx -g $hash -s sig -m other
  tpm2_sign -Q -c k.ctx -g $hash -f plain -o plain text
  openssl dgst -$hash -verify k.pem -signature plain text
done
# a signature made elsewhere
openssl ecparam -name prime256v1 -genkey -noout -out e.pem; openssl ec -in e.pem -pubout -out e.pub.pem
openssl dgst -sha256 -sign e.pem -out e.sig text
tpm2_loadexternal -Q -C o -G ecc -u e.pub.pem -c e.ctx
tpm2_verifysignature -Q -c e.ctx -g sha256 -f ecdsa -s e.sig -m text
# a restricted key signs only what the TPM has hashed
tpm2_createprimary -Q -C e -G ecc:ecdsa-sha256:null -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|restricted' -c r.ctx
tpm2_hash -Q -C e -g sha256 -o h -t ticket text
tpm2_sign -Q -c r.ctx -g sha256 -d -t ticket -o sig h
refused 0x3e0 tpm2_sign -Q -c r.ctx -g sha256 -d -o sig h
