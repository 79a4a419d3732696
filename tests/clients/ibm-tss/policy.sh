# Policies: PCR, signed, secret, authorised, or, NV, and their tickets.
. "$CASES/_lib.sh"
storage
printf secret > secret
# PCR: the digest by trial session, then the use
tssstartauthsession -se t; tsspolicypcr -ha 03000000 -halg sha256 -bm 10000
tsspolicygetdigest -ha 03000000 -of policy; flush 03000000
tsscreate -hp $STORAGE -pwdp sto -bl -kt f -kt p -if secret -pol policy -uwa -opu s.pub -opr s.priv
tssload -hp $STORAGE -pwdp sto -ipu s.pub -ipr s.priv
tssstartauthsession -se p; tsspolicypcr -ha 03000000 -halg sha256 -bm 10000
tssunseal -ha 80000001 -of out -se0 03000000 1; cmp out secret
tsspolicyrestart -ha 03000000
refused TPM_RC_POLICY_FAIL tssunseal -ha 80000001 -of out -se0 03000000 1
refused TPM_RC_AUTH_UNAVAILABLE tssunseal -ha 80000001 -of out
flush 03000000 80000001
# signed: a key of OpenSSL approves each use
openssl genrsa -traditional -aes256 -passout pass:rrrr -out signer.pem 2048
openssl rsa -in signer.pem -passin pass:rrrr -pubout -out signer.pub
tssloadexternal -hi p -ipem signer.pub
tssstartauthsession -se t; tsspolicysigned -hk 80000001 -ha 03000000 -sk signer.pem -pwdk rrrr -halg sha256
tsspolicygetdigest -ha 03000000 -of policy; flush 03000000
tsscreate -hp $STORAGE -pwdp sto -bl -kt f -kt p -if secret -pol policy -uwa -opu s.pub -opr s.priv
tssload -hp $STORAGE -pwdp sto -ipu s.pub -ipr s.priv
tssstartauthsession -se p -on nonce
tsspolicysigned -hk 80000001 -ha 03000000 -in nonce -sk signer.pem -pwdk rrrr -halg sha256 -exp -200 -tk ticket -to timeout
tssunseal -ha 80000002 -of out -se0 03000000 1; cmp out secret
tsspolicyrestart -ha 03000000
flush 03000000 80000002 80000001
# secret, with a bound HMAC session; command code; OR
tsshierarchychangeauth -hi e -pwdn eee
tssstartauthsession -se t; tsspolicysecret -ha 4000000b -hs 03000000 -pwde eee
tsspolicygetdigest -ha 03000000 -of p1; flush 03000000
tssstartauthsession -se t; tsspolicycommandcode -ha 03000000 -cc 15e
tsspolicygetdigest -ha 03000000 -of p2; flush 03000000
tssstartauthsession -se t; tsspolicyor -ha 03000000 -if p1 -if p2
tsspolicygetdigest -ha 03000000 -of policy; flush 03000000
tsscreate -hp $STORAGE -pwdp sto -bl -kt f -kt p -if secret -pol policy -uwa -opu s.pub -opr s.priv
tssload -hp $STORAGE -pwdp sto -ipu s.pub -ipr s.priv
tssstartauthsession -se p; tsspolicysecret -ha 4000000b -hs 03000000 -pwde eee -tk ticket -to timeout
tsspolicyor -ha 03000000 -if p1 -if p2
tssunseal -ha 80000001 -of out -se0 03000000 0; cmp out secret
tssstartauthsession -se p; tsspolicycommandcode -ha 03000000 -cc 15e; tsspolicyor -ha 03000000 -if p1 -if p2
tssunseal -ha 80000001 -of out -se0 03000000 0; cmp out secret
tssstartauthsession -se p; refused TPM_RC_VALUE tsspolicyor -ha 03000000 -if p1 -if p2; flush 03000000
flush 80000001
# NV
tssnvdefinespace -ha 01000000 -hi o -pwdn nnn -sz 4; tssnvwrite -ha 01000000 -pwdn nnn -ic aaaa
tssstartauthsession -se p; tsspolicynv -ha 01000000 -hs 03000000 -pwda nnn -ic aaaa -op 0
refused TPM_RC_POLICY tsspolicynv -ha 01000000 -hs 03000000 -pwda nnn -ic bbbb -op 0
tsspolicynvwritten -hs 03000000 -ws y
flush 03000000
# password, authorisation value, counter and timer
tssstartauthsession -se t; tsspolicyauthvalue -ha 03000000; tsspolicygetdigest -ha 03000000 -of policy; flush 03000000
tsscreate -hp $STORAGE -pwdp sto -bl -kt f -kt p -if secret -pwdk sealpass -pol policy -uwa -opu s.pub -opr s.priv
tssload -hp $STORAGE -pwdp sto -ipu s.pub -ipr s.priv
tssstartauthsession -se p; tsspolicypassword -ha 03000000
tssunseal -ha 80000001 -pwd sealpass -of out -se0 03000000 1; cmp out secret
tsspolicyrestart -ha 03000000; tsspolicyauthvalue -ha 03000000
tssunseal -ha 80000001 -pwd sealpass -of out -se0 03000000 1; cmp out secret
flush 03000000
