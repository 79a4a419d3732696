# NV indices of every kind: ordinary, counter, bits, extend, PIN; locks, authorisation, policies.
. "$CASES/_lib.sh"
head -c 1500 /dev/urandom > data
size() { stat -c %s "$1"; }
# ordinary
tpm2_nvdefine -Q 0x1500001 -C o -s 1500 -a 'ownerread|ownerwrite|authread|authwrite' -p indexpass
refused 0x14a tpm2_nvread 0x1500001 -C o -s 8
tpm2_nvwrite -Q 0x1500001 -C o -i data
tpm2_nvread 0x1500001 -C o -s 1500 -o out; same out data
tpm2_nvread 0x1500001 -C 0x1500001 -P indexpass --offset 100 -s 50 -o out; cmp <(tail -c +101 data | head -c 50) out
refused 0x98e tpm2_nvread 0x1500001 -C 0x1500001 -P wrong -s 8
printf XY > xy; tpm2_nvwrite -Q 0x1500001 -C 0x1500001 -P indexpass --offset 10 -i xy
tpm2_nvread 0x1500001 -C o --offset 10 -s 2 -o out; same out xy
tpm2_nvreadpublic 0x1500001 > public
grep -q 'size: 1500' public
refused 0x14c tpm2_nvdefine -Q 0x1500001 -C o -s 8
tpm2_nvcertify --help=no-man > /dev/null
tpm2_getcap handles-nv-index | grep -qi 0x1500001
tpm2_nvundefine -Q 0x1500001 -C o
refused 0x18b tpm2_nvreadpublic 0x1500001
# counter: never below the highest value that any counter had
tpm2_nvdefine -Q 0x1500002 -C o -s 8 -a 'ownerread|ownerwrite|nt=counter'
tpm2_nvincrement -Q 0x1500002 -C o; tpm2_nvread 0x1500002 -C o -s 8 -o c1
tpm2_nvincrement -Q 0x1500002 -C o; tpm2_nvread 0x1500002 -C o -s 8 -o c2
number() { printf '%d' "0x$(od -An -tx1 "$1" | tr -d ' \n')"; }
[ $(($(number c1) + 1)) = $(number c2) ]
refused 0x00000082 tpm2_nvwrite -Q 0x1500002 -C o -i c1
tpm2_nvundefine -Q 0x1500002 -C o
tpm2_nvdefine -Q 0x1500002 -C o -s 8 -a 'ownerread|ownerwrite|nt=counter'
tpm2_nvincrement -Q 0x1500002 -C o; tpm2_nvread 0x1500002 -C o -s 8 -o c3
[ $(number c3) -gt $(number c2) ]
# bits
tpm2_nvdefine -Q 0x1500003 -C o -s 8 -a 'ownerread|ownerwrite|nt=bits'
tpm2_nvsetbits -Q 0x1500003 -C o -i 0x5; tpm2_nvsetbits -Q 0x1500003 -C o -i 0x8000000000000000
tpm2_nvread 0x1500003 -C o -s 8 -o bits; [ "$(od -An -tx1 bits | tr -d ' \n')" = 8000000000000005 ]
# extend
tpm2_nvdefine -Q 0x1500004 -C o -g sha256 -a 'ownerread|ownerwrite|nt=extend'
printf first > first; tpm2_nvextend -Q 0x1500004 -C o -i first
tpm2_nvread 0x1500004 -C o -s 32 -o out
{ head -c 32 /dev/zero; cat first; } | openssl dgst -sha256 -binary | cmp - out
# PIN fail: a wrong authorisation counts, a full count locks
tpm2_nvdefine -Q 0x1500005 -C o -s 8 -p pin -a 'ownerread|ownerwrite|policywrite|authread|no_da|nt=pinfail'
printf '\0\0\0\0\0\0\0\2' > pin; tpm2_nvwrite -Q 0x1500005 -C o -i pin
tpm2_nvread 0x1500005 -C 0x1500005 -P pin -s 8 -o out; same out pin
refused 0x9a2 tpm2_nvread 0x1500005 -C 0x1500005 -P bad -s 8
refused 0x9a2 tpm2_nvread 0x1500005 -C 0x1500005 -P bad -s 8
refused 0x12f tpm2_nvread 0x1500005 -C 0x1500005 -P pin -s 8
tpm2_nvread 0x1500005 -C o -s 8 -o out; [ "$(od -An -tx1 out | tr -d ' \n')" = 0000000200000002 ]
# PIN pass: each use counts
tpm2_nvdefine -Q 0x1500006 -C o -s 8 -p pin -a 'ownerread|ownerwrite|policywrite|authread|no_da|nt=pinpass'
tpm2_nvwrite -Q 0x1500006 -C o -i pin
tpm2_nvread 0x1500006 -C 0x1500006 -P pin -s 8 -o out; tpm2_nvread 0x1500006 -C 0x1500006 -P pin -s 8 -o out
refused 0x12f tpm2_nvread 0x1500006 -C 0x1500006 -P pin -s 8
# locks
tpm2_nvdefine -Q 0x1500007 -C o -s 8 -a 'ownerread|ownerwrite|read_stclear|write_stclear'
tpm2_nvwrite -Q 0x1500007 -C o -i c1; tpm2_nvwritelock -Q 0x1500007 -C o
refused 0x148 tpm2_nvwrite -Q 0x1500007 -C o -i c1
tpm2_nvreadlock -Q 0x1500007 -C o
refused 0x148 tpm2_nvread 0x1500007 -C o -s 8
tpm2_shutdown -c; tpm2_startup -c 2> /dev/null || true
tpm2_nvdefine -Q 0x1500008 -C o -s 8 -a 'ownerread|ownerwrite|globallock'
tpm2_nvwrite -Q 0x1500008 -C o -i c1; tpm2_nvwritelock -Q -C o --global
refused 0x148 tpm2_nvwrite -Q 0x1500008 -C o -i c1
# by policy
tpm2_startauthsession -S s.ctx; tpm2_policycommandcode -Q -S s.ctx -L policy TPM2_CC_NV_Read; tpm2_flushcontext s.ctx
tpm2_nvdefine -Q 0x1500009 -C o -s 8 -L policy -a 'ownerwrite|policyread'
tpm2_nvwrite -Q 0x1500009 -C o -i c1
tpm2_startauthsession --policy-session -S s.ctx; tpm2_policycommandcode -Q -S s.ctx TPM2_CC_NV_Read
tpm2_nvread 0x1500009 -C 0x1500009 -P session:s.ctx -s 8 -o out; same out c1; tpm2_flushcontext s.ctx
refused 0x149 tpm2_nvread 0x1500009 -C o -s 8
# PolicyNV: a value in NV guards a secret
tpm2_createprimary -Q -C o -G ecc -c primary.ctx
printf '\0\0\0\0\0\0\0\5' > five
tpm2_startauthsession -S s.ctx; tpm2_policynv -Q -S s.ctx -L policy -i five 0x1500003 -C o sgt; tpm2_flushcontext s.ctx
# platform hierarchy, and the space that NV has left
tpm2_nvdefine -Q 0x1400001 -C p -s 8 -a 'ppread|ppwrite|authread|platformcreate'
tpm2_nvwrite -Q 0x1400001 -C p -i c1; tpm2_nvread 0x1400001 -C p -s 8 -o out; same out c1
tpm2_nvundefine -Q 0x1400001 -C p
for i in 1 2 3; do tpm2_nvdefine -Q 0x150010$i -C o -s 2048; done
for i in 1 2 3; do tpm2_nvundefine -Q 0x150010$i -C o; done
