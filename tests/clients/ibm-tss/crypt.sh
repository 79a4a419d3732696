# Hash, HMAC and sequences, RSA and AES encryption, ECDH, random numbers, clock.
. "$CASES/_lib.sh"
storage
head -c 900 /dev/urandom > data
for hash in sha1 sha256 sha384; do
  tsshash -hi p -halg $hash -if data -oh digest -tk ticket
  openssl dgst -$hash -binary data | cmp - digest
  tsshashsequencestart -halg $hash -pwda seq
  tsssequenceupdate -hs 80000001 -pwds seq -if data
  tsssequencecomplete -hs 80000001 -pwds seq -if data -of digest
  cat data data | openssl dgst -$hash -binary | cmp - digest
  tsscreate -hp $STORAGE -pwdp sto -kh -kt f -kt p -halg $hash -pwdk mac -opu h.pub -opr h.priv
  tssload -hp $STORAGE -pwdp sto -ipu h.pub -ipr h.priv
  tsshmac -hk 80000001 -pwdk mac -halg $hash -if data -os mac1
  tsshmacstart -hk 80000001 -pwdk mac -pwda seq -halg $hash
  tsssequenceupdate -hs 80000002 -pwds seq -if data
  tsssequencecomplete -hs 80000002 -pwds seq -of mac2
  tail -c $(stat -c %s mac2) mac1 | cmp - mac2
  flush 80000001
done
tsscreate -hp $STORAGE -pwdp sto -des -kt f -kt p -pwdk aes -opu a.pub -opr a.priv
tssload -hp $STORAGE -pwdp sto -ipu a.pub -ipr a.priv
for version in "" -2; do
  tssencryptdecrypt -hk 80000001 -pwdk aes -if data -of cipher $version
  tssencryptdecrypt -hk 80000001 -pwdk aes -d -if cipher -of plain $version
  cmp plain data
done
flush 80000001
for scheme in -den -deo; do
  tsscreate -hp $STORAGE -pwdp sto $scheme -kt f -kt p -pwdk dec -opu r.pub -opr r.priv
  tssload -hp $STORAGE -pwdp sto -ipu r.pub -ipr r.priv
  head -c 20 data > short
  tssrsaencrypt -hk 80000001 -id short -oe cipher
  tssrsadecrypt -hk 80000001 -pwdk dec -ie cipher -od plain
  tail -c 20 plain | cmp - short
  flush 80000001
done
for curve in bnp256 nistp256 nistp384; do tsseccparameters -cv $curve; tssecephemeral -ecc $curve; done
tssgetrandom -by 32; tssstirrandom -if short
tssreadclock; tssclockset -hi o -time 90000000000
tssclockrateadjust -hi o -adj 0
# 5 (the PCR banks) is left out: this TSS is built for three banks, and so are its PCR_Event and event sequences
for capability in 0 1 2 3 4 6 7 8; do
  [ $capability != 1 ] || { tssgetcapability -cap 1 -pr 80000000 | grep -qi 80000000; continue; }
  tssgetcapability -cap $capability > capability.$capability
done
