# Clear, ClearControl, HierarchyControl, new seeds, PCR banks.
. "$CASES/_lib.sh"
name() { tpm2_createprimary -Q -C $1 -G ecc -c x.ctx; tpm2_readpublic -Q -c x.ctx -n $2; }
differ() { if cmp -s $1 $2; then echo "$1 and $2 are the same"; return 1; fi; }
name o o1; name e e1; name p p1
tpm2_createprimary -Q -C o -G ecc -c primary.ctx; tpm2_evictcontrol -Q -C o -c primary.ctx 0x81000001
tpm2_nvdefine -Q 0x1500001 -C o -s 8
tpm2_changeauth -c o ownerpass; tpm2_changeauth -c e endorsementpass; tpm2_changeauth -c l lockoutpass
tpm2_clear -c l lockoutpass
name o o2; name e e2; name p p2
differ o1 o2; same e1 e2; same p1 p2
[ -z "$(tpm2_getcap handles-persistent)" ]; [ -z "$(tpm2_getcap handles-nv-index)" ]
refused 0x1df tpm2_readpublic -c primary.ctx || refused '0x1e\|0x9' tpm2_readpublic -c primary.ctx
# ClearControl
tpm2_clearcontrol -C l s
refused 0x120 tpm2_clear -c l
tpm2_clearcontrol -C p c
tpm2_clear -c p
# hierarchies switched off and on
tpm2_hierarchycontrol -C p shEnable clear
refused 0x185 tpm2_createprimary -Q -C o -G ecc -c x.ctx
tpm2_hierarchycontrol -C p shEnable set
name o o3
tpm2_hierarchycontrol -C p ehEnable clear
refused 0x185 tpm2_createprimary -Q -C e -G ecc -c x.ctx
tpm2_hierarchycontrol -C p ehEnable set
# new seeds
tpm2_changeeps -Q -p '' 2> /dev/null || tpm2_changeeps -Q
name e e3; differ e2 e3
tpm2_changepps -Q -p '' 2> /dev/null || tpm2_changepps -Q
name p p3; differ p2 p3
# a policy for a hierarchy
tpm2_startauthsession -S s.ctx; tpm2_policycommandcode -Q -S s.ctx -L policy TPM2_CC_Clear; tpm2_flushcontext s.ctx
tpm2_setprimarypolicy -Q -C l -L policy -g sha256
tpm2_startauthsession --policy-session -S s.ctx; tpm2_policycommandcode -Q -S s.ctx TPM2_CC_Clear
tpm2_clear -c l session:s.ctx; tpm2_flushcontext s.ctx
# PCR: extend, event, reset, banks
tpm2_pcrread sha256:0,16 > pcrs
tpm2_pcrextend 16:sha1=$(printf a | sha1sum | cut -d' ' -f1),sha256=$(printf a | sha256sum | cut -d' ' -f1)
{ head -c 32 /dev/zero; printf a | openssl dgst -sha256 -binary; } | openssl dgst -sha256 -binary > want
tpm2_pcrread -Q -o have sha256:16; same want have
echo -n event > event; tpm2_pcrevent -Q 16 event
{ cat want; openssl dgst -sha256 -binary event; } | openssl dgst -sha256 -binary > want2
tpm2_pcrread -Q -o have sha256:16; same want2 have
head -c 3000 /dev/urandom > event; tpm2_pcrevent -Q 16 event
{ cat want2; openssl dgst -sha256 -binary event; } | openssl dgst -sha256 -binary > want3
tpm2_pcrread -Q -o have sha256:16; same want3 have
tpm2_pcrreset 16; tpm2_pcrread -Q -o have sha256:16; head -c 32 /dev/zero | cmp - have
refused 0x907 tpm2_pcrreset 0
tpm2_pcrallocate -Q sha1:none+sha256:all+sha384:all+sha512:none
