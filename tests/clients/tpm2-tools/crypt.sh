# Hash, HMAC, encryption with RSA and AES, ECDH.
. "$CASES/_lib.sh"
head -c 5000 /dev/urandom > big; head -c 64 big > small
for hash in sha1 sha256 sha384 sha512; do
  tpm2_hash -Q -C o -g $hash -o h -t t big
  openssl dgst -$hash -binary big | cmp - h
  tpm2_hash -Q -C n -g $hash -o h small
  openssl dgst -$hash -binary small | cmp - h
done
tpm2_createprimary -Q -C o -G ecc -c primary.ctx
# HMAC with a key from outside, short and as a sequence
printf 'key of the HMAC!' > hmac.key
tpm2_import -Q -C primary.ctx -G hmac -i hmac.key -u h.pub -r h.priv
tpm2_load -Q -C primary.ctx -u h.pub -r h.priv -c h.ctx
for file in small big; do
  tpm2_hmac -Q -c h.ctx -g sha256 -o mac $file
  openssl dgst -sha256 -hmac 'key of the HMAC!' -binary $file | cmp - mac
done
# RSA
tpm2_create -Q -C primary.ctx -G rsa2048 -u r.pub -r r.priv
tpm2_load -Q -C primary.ctx -u r.pub -r r.priv -c r.ctx
tpm2_readpublic -Q -c r.ctx -f pem -o r.pem
tpm2_rsaencrypt -Q -c r.ctx -s rsaes -o c small; tpm2_rsadecrypt -Q -c r.ctx -s rsaes -o p c; same p small
tpm2_rsaencrypt -Q -c r.ctx -s oaep -o c small; tpm2_rsadecrypt -Q -c r.ctx -s oaep -o p c; same p small
openssl pkeyutl -encrypt -pubin -inkey r.pem -in small -out c; tpm2_rsadecrypt -Q -c r.ctx -s rsaes -o p c; same p small
# AES, checked against OpenSSL with a key from outside
head -c 16 /dev/urandom > aes.key; head -c 16 /dev/urandom > iv; head -c 1040 big > blocks
hexkey=$(od -An -tx1 aes.key | tr -d ' \n'); hexiv=$(od -An -tx1 iv | tr -d ' \n')
tpm2_import -Q -C primary.ctx -G aes -i aes.key -u a.pub -r a.priv
tpm2_load -Q -C primary.ctx -u a.pub -r a.priv -c a.ctx
for mode in cfb cbc ctr ofb ecb; do
  vector=(-t iv); sslvector=(-iv $hexiv)
  [ $mode != ecb ] || { vector=(); sslvector=(); }
  tpm2_encryptdecrypt -Q -c a.ctx -G $mode "${vector[@]}" -o c blocks
  openssl enc -aes-128-$mode -K $hexkey "${sslvector[@]}" -nopad -in blocks | cmp - c
  tpm2_encryptdecrypt -Q -d -c a.ctx -G $mode "${vector[@]}" -o p c
  same p blocks
done
# ECDH: both sides find the same point, and OpenSSL its x coordinate
for curve in ecc256 ecc384; do
  tpm2_create -Q -C primary.ctx -G $curve:ecdh -u e.pub -r e.priv
  tpm2_load -Q -C primary.ctx -u e.pub -r e.priv -c e.ctx
  tpm2_ecdhkeygen -u point -o z1 -c e.ctx
  tpm2_ecdhzgen -u point -o z2 -c e.ctx
  same z1 z2
done
tpm2_geteccparameters ecc256 -o curve
[ -s curve ]
tpm2_ecephemeral -u u -t counter ecc256
