# Quotes, certification, time, audit, credentials, duplication and rewrap.
. "$CASES/_lib.sh"
storage
echo message > message
for kind in rsa ecc; do
  algorithm="-rsa"; [ $kind = rsa ] || algorithm="-ecc nistp256"
  tsscreate -hp $STORAGE -pwdp sto -sir $algorithm -kt f -kt p -pwdk sig -opu k.pub -opr k.priv -opem k.pem
  tssload -hp $STORAGE -pwdp sto -ipu k.pub -ipr k.priv
  verify="-rsa"; [ $kind = rsa ] || verify="-ecc"
  tssquote -hk 80000001 -pwdk sig -salg $kind -hp 0 -hp 16 -palg sha256 -qd message -os sig -oa attest
  tssverifysignature -hk 80000001 $verify -if attest -is sig
  tsscertify -ho $STORAGE -pwdo sto -hk 80000001 -pwdk sig -salg $kind -os sig -oa attest
  tssverifysignature -hk 80000001 $verify -if attest -is sig
  tssgettime -hk 80000001 -pwdk sig -salg $kind -qd message -os sig -oa attest
  tssverifysignature -hk 80000001 $verify -if attest -is sig
  tssnvdefinespace -ha 01000000 -hi o -pwdn nnn -sz 16; tssnvwrite -ha 01000000 -pwdn nnn -ic 0123456789abcdef
  tssnvcertify -ha 01000000 -pwdn nnn -hk 80000001 -pwdk sig -salg $kind -sz 16 -os sig -oa attest
  tssverifysignature -hk 80000001 $verify -if attest -is sig
  tssnvundefinespace -hi o -ha 01000000
  tssgetcommandauditdigest -hk 80000001 -pwdk sig -salg $kind -qd message -os sig -oa attest
  tssverifysignature -hk 80000001 $verify -if attest -is sig
  if [ $kind = rsa ]; then
    tssstartauthsession -se h
    tssgetcapability -cap 6 -pr 100 -se0 02000000 81 > capability
    tssgetsessionauditdigest -hs 02000000 -hk 80000001 -pwdk sig -qd message -os sig -oa attest -od digest
    tssverifysignature -hk 80000001 -if attest -is sig
    flush 02000000
  fi
  flush 80000001
done
# a credential for the object whose name is the storage key's
tssreadpublic -ho $STORAGE -opu storage.pub
{ printf '\000\013'; tail -c +3 storage.pub | openssl dgst -sha256 -binary; } > name
tsscreateprimary -hi p -pwdk pri
printf 0123456789abcdef > credential
tssmakecredential -ha 80000001 -icred credential -in name -ocred blob -os sealed
tssactivatecredential -ha $STORAGE -pwda sto -hk 80000001 -pwdk pri -icred blob -is sealed -ocred opened
cmp opened credential
flush 80000001
# duplicate to another parent
tssstartauthsession -se t; tsspolicycommandcode -ha 03000000 -cc 14b; tsspolicygetdigest -ha 03000000 -of policy; flush 03000000
tsscreateprimary -hi p -pwdk new
tsscreate -hp $STORAGE -pwdp sto -si -rsa -kt nf -kt np -pwdk sig -pol policy -opu k.pub -opr k.priv
tssload -hp $STORAGE -pwdp sto -ipu k.pub -ipr k.priv
for inner in "" "-salg aes"; do
  key=(); [ -z "$inner" ] || { head -c 16 /dev/urandom > inner; key=(-ik inner); }
  tssstartauthsession -se p; tsspolicycommandcode -ha 03000000 -cc 14b
  tssduplicate -ho 80000002 -pwdo sig -hp 80000001 -od dup -oss seed $inner "${key[@]}" -se0 03000000 0
  tssimport -hp 80000001 -pwdp new -ipu k.pub -id dup -iss seed $inner "${key[@]}" -opr i.priv
  flush 80000002
  tssload -hp 80000001 -pwdp new -ipu k.pub -ipr i.priv
  tsssign -hk 80000002 -rsa -if message -os sig -pwdk sig
  tssverifysignature -hk 80000002 -if message -is sig
  flush 80000002
  tssload -hp $STORAGE -pwdp sto -ipu k.pub -ipr k.priv
done
