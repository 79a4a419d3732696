# Ordinary work with tpm2-tools through the kernel's resource manager: keys, signatures, quotes, sequences, large NV, and
# several processes at once, so that the kernel swaps objects and sessions out and in all the time.
set -e
mkdir -p /tmp/work; cd /tmp/work
tpm2_selftest --fulltest
for cap in algorithms commands properties-fixed properties-variable ecc-curves handles-persistent pcrs; do
  tpm2_getcap $cap > cap.$cap
done
head -c 30000 /dev/urandom > data
[ "$(tpm2_hash -g sha256 --hex data)" = "$(sha256sum data | cut -d' ' -f1)" ]
tpm2_createprimary -Q -C o -G rsa2048 -c srk.ctx
tpm2_create -Q -C srk.ctx -G rsa2048 -u rsa.pub -r rsa.priv -c rsa.ctx
tpm2_create -Q -C srk.ctx -G ecc256 -u ecc.pub -r ecc.priv -c ecc.ctx
tpm2_create -Q -C srk.ctx -G aes256 -u aes.pub -r aes.priv -c aes.ctx
tpm2_create -Q -C srk.ctx -G hmac -c hmac.ctx
for key in rsa ecc; do
  tpm2_sign -Q -c $key.ctx -g sha256 -o $key.sig data
  tpm2_verifysignature -Q -c $key.ctx -g sha256 -m data -s $key.sig
done
head -c 1000 data > plain
tpm2_encryptdecrypt -Q -c aes.ctx -o cipher plain 2>err || grep -q 0x143 err
if [ -s cipher ]; then tpm2_encryptdecrypt -Q -d -c aes.ctx -o again cipher; cmp plain again; fi
tpm2_hmac -Q -c hmac.ctx -o mac data; [ -s mac ]
tpm2_createek -Q -c ek.ctx -G rsa -u ek.pub
tpm2_createak -Q -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -n ak.name
tpm2_flushcontext -t
tpm2_quote -Q -c ak.ctx -l sha256:0,7+sha1:0 -q 0123456789abcdef -m quote.msg -s quote.sig -o quote.pcr
tpm2_checkquote -Q -u ak.pub -m quote.msg -s quote.sig -f quote.pcr -q 0123456789abcdef
tpm2_nvdefine -Q -C o -s 2048 -a 'ownerread|ownerwrite' 0x1500030
head -c 2048 data > large
tpm2_nvwrite -Q -C o -i large 0x1500030
tpm2_nvread -C o -o read 0x1500030; cmp large read
# Four processes, each with more objects than the TPM has slots.
worker() {
  mkdir w$1; cd w$1
  for i in 1 2 3 4 5; do
    tpm2_createprimary -Q -C o -G ecc -c p.ctx
    tpm2_startauthsession -S s.ctx; tpm2_policypcr -Q -S s.ctx -l sha256:0 -L policy; tpm2_flushcontext s.ctx
    echo "secret $1 $i" | tpm2_create -Q -C p.ctx -L policy -i - -u u -r r
    tpm2_load -Q -C p.ctx -u u -r r -c k.ctx
    [ "$(tpm2_unseal -c k.ctx -p pcr:sha256:0)" = "secret $1 $i" ] || exit 1
  done
  touch done
}
for w in 1 2 3 4; do ( worker $w ) & done
wait
for w in 1 2 3 4; do [ -e w$w/done ] || { echo "worker $w failed"; exit 1; }; done
dmesg | grep -i 'tpm.*\(error\|fail\|timeout\)' && { echo "the kernel complains"; exit 1; }
echo "all work done"
