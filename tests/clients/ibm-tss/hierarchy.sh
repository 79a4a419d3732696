# Clear, hierarchy authorisations, dictionary attack, PCR.
. "$CASES/_lib.sh"
for hierarchy in o e l; do
  tsshierarchychangeauth -hi $hierarchy -pwdn one
  refused 'TPM_RC_AUTH_FAIL\|TPM_RC_BAD_AUTH' tsshierarchychangeauth -hi $hierarchy -pwda wrong -pwdn two
  [ $hierarchy != l ] || break
  tsshierarchychangeauth -hi $hierarchy -pwda one -pwdn two
done
# the wrong lockout authorisation locked that hierarchy; the platform clears it
refused TPM_RC_LOCKOUT tssclear -hi l -pwda one
tssclear -hi p
tsshierarchychangeauth -hi l -pwdn lll
tssdictionaryattackparameters -nmt 2 -nrt 1000 -lr 1000 -pwd lll
tsscreateprimary -hi o -da -st -pwdk key -kt f -kt p
tssdictionaryattacklockreset -pwd lll
tssclearcontrol -hi l -pwda lll -state 1
refused TPM_RC_DISABLED tssclear -hi l -pwda lll
tssclearcontrol -hi p -state 0
tssclear -hi l -pwda lll
tsshierarchycontrol -hi p -he o -state 0
refused TPM_RC_HIERARCHY tsscreateprimary -hi o
tsshierarchycontrol -hi p -he o -state 1
tsscreateprimary -hi o; flush 80000000
tsschangeeps; tsschangepps
tsspcrextend -ha 16 -halg sha256 -ic abc
tsspcrread -ha 16 -halg sha256 -of pcr
{ head -c 32 /dev/zero; printf abc; head -c 29 /dev/zero; } | openssl dgst -sha256 -binary > want
cmp pcr want
tsspcrreset -ha 16
refused TPM_RC_LOCALITY tsspcrreset -ha 0
tsspcrallocate -sha256
