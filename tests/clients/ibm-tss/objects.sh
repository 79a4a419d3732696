# Keys: create, load, sign, verify, change the authorisation, persist, contexts.
. "$CASES/_lib.sh"
storage
echo message > message
for kind in -rsa "-ecc nistp256" "-ecc nistp384"; do
  tsscreate -hp $STORAGE -pwdp sto -si $kind -kt f -kt p -pwdk sig -opu k.pub -opr k.priv
  tssload -hp $STORAGE -pwdp sto -ipu k.pub -ipr k.priv
  algorithm=${kind%% *}
  scheme="-rsa"; verify="-rsa"
  [ $algorithm = -rsa ] || { scheme=-ecc; verify="-ecc"; }
  for hash in sha1 sha256 sha384; do
    tsssign -hk 80000001 -halg $hash $scheme -if message -os sig -pwdk sig
    tssverifysignature -hk 80000001 -halg $hash $verify -if message -is sig
  done
  refused TPM_RC_AUTH_FAIL\\\|TPM_RC_BAD_AUTH tsssign -hk 80000001 $scheme -if message -os sig -pwdk wrong
  # in HMAC sessions, salted and bound, with encryption of the first parameter by XOR and by AES
  for symmetric in xor aes; do
    tssstartauthsession -se h -hs $STORAGE -bi 80000001 -pwdb sig -sym $symmetric
    tsssign -hk 80000001 $scheme -if message -os sig -pwdk sig -se0 02000000 21
    tsssign -hk 80000001 $scheme -if message -os sig -pwdk sig -se0 02000000 0
  done
  tssobjectchangeauth -hp $STORAGE -ho 80000001 -pwdo sig -pwdn new -opr new.priv
  flush 80000001
  tssload -hp $STORAGE -pwdp sto -ipu k.pub -ipr new.priv
  tsssign -hk 80000001 $scheme -if message -os sig -pwdk new
  tsscontextsave -ha 80000001 -of key.context
  flush 80000001
  tsscontextload -if key.context
  tsssign -hk 80000001 $scheme -if message -os sig -pwdk new
  flush 80000001
done
tssevictcontrol -hi o -ho $STORAGE -hp 81000000
tssreadpublic -ho 81000000
tssevictcontrol -hi o -ho 81000000 -hp 81000000
refused TPM_RC_HANDLE tssreadpublic -ho 81000000
# primary keys with ECC, CreateLoaded, a key of OpenSSL
tsscreateprimary -hi p -ecc nistp256; flush 80000001
tsscreateloaded -hp $STORAGE -pwdp sto -si -ecc nistp256; flush 80000001
tssimportpem -hp $STORAGE -pwdp sto -ipem <(openssl genrsa -traditional -aes256 -passout pass:rrrr 2048) -pwdk rrrr -opu i.pub -opr i.priv
tssload -hp $STORAGE -pwdp sto -ipu i.pub -ipr i.priv
tsssign -hk 80000001 -rsa -if message -os sig -pwdk rrrr
tssverifysignature -hk 80000001 -if message -is sig
flush 80000001 $STORAGE
