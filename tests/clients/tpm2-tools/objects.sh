# Primary and ordinary objects: create, load, read, persist, change the authorisation, flush.
. "$CASES/_lib.sh"
for hierarchy in o e p n; do
  tpm2_createprimary -Q -C $hierarchy -g sha256 -G ecc256 -c primary.$hierarchy
done
for kind in rsa1024 rsa2048 rsa3072 ecc256 ecc384 ecc521; do
  tpm2_createprimary -Q -C o -G $kind -c primary.$kind
done
# the same template gives the same key
tpm2_createprimary -Q -C o -G ecc256 -c a.ctx; tpm2_readpublic -Q -c a.ctx -n a.name -o a.pub
tpm2_createprimary -Q -C o -G ecc256 -c b.ctx; tpm2_readpublic -Q -c b.ctx -n b.name -o b.pub
same a.name b.name; same a.pub b.pub
tpm2_createprimary -Q -C o -G rsa2048 -p primarypass -c primary.ctx
for kind in rsa2048:rsassa:null rsa2048:rsapss:null ecc256:ecdsa:null ecc384:ecdsa:null ecc256:ecdh:null aes256cfb aes128cbc hmac; do
  tpm2_create -Q -C primary.ctx -P primarypass -G $kind -u key.pub -r key.priv -p keypass \
      --creation-data cd --creation-hash ch --creation-ticket ct
  tpm2_load -Q -C primary.ctx -P primarypass -u key.pub -r key.priv -c key.ctx -n key.name
  tpm2_readpublic -Q -c key.ctx -n read.name
  same key.name read.name
done
refused 0x98e tpm2_create -Q -C primary.ctx -P wrong -G ecc -u x.pub -r x.priv
# change the authorisation of an object and of a hierarchy
tpm2_create -Q -C primary.ctx -P primarypass -G ecc -u key.pub -r key.priv -p old
tpm2_load -Q -C primary.ctx -P primarypass -u key.pub -r key.priv -c key.ctx
tpm2_changeauth -Q -C primary.ctx -c key.ctx -p old -r new.priv new
tpm2_load -Q -C primary.ctx -P primarypass -u key.pub -r new.priv -c new.ctx
echo text > text
tpm2_sign -Q -c new.ctx -p new -g sha256 -o sig text
refused 0x98e tpm2_sign -Q -c new.ctx -p old -g sha256 -o sig text
tpm2_changeauth -c o ownerpass
refused 0x9a2 tpm2_createprimary -Q -C o -G ecc -c x.ctx
tpm2_createprimary -Q -C o -P ownerpass -G ecc -c x.ctx
tpm2_changeauth -c o -p ownerpass
# persist, and take it away again
tpm2_createprimary -Q -C o -G ecc -c p.ctx
tpm2_evictcontrol -Q -C o -c p.ctx 0x81000100
tpm2_getcap handles-persistent | grep -qi 0x81000100
tpm2_readpublic -Q -c 0x81000100
refused 0x14c tpm2_evictcontrol -Q -C o -c p.ctx 0x81000100
tpm2_evictcontrol -Q -C o -c 0x81000100
[ -z "$(tpm2_getcap handles-persistent)" ]
# a wrong private part
head -c -1 key.priv > bad.priv; printf '\377' >> bad.priv
refused '0x1df\|integrity' tpm2_load -Q -C primary.ctx -P primarypass -u key.pub -r bad.priv -c bad.ctx
# loaded from outside, and by CreateLoaded
openssl genrsa -out rsa.pem 2048; openssl rsa -in rsa.pem -pubout -out rsa.pub.pem
tpm2_loadexternal -Q -C n -G rsa -r rsa.pem -c ext.ctx
tpm2_loadexternal -Q -C o -G rsa -u rsa.pub.pem -c extpub.ctx
tpm2_create -Q -C primary.ctx -P primarypass -G ecc -c loaded.ctx
tpm2_readpublic -Q -c loaded.ctx
