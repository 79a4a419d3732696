# Leave something of every kind in the TPM, and note what is there. Counterparts: move-check.sh, move-check-boot.sh
set -e
cd /tmp
tpm2_pcrextend 16:sha256=$(printf %064d 1)
tpm2_nvdefine -Q -C o -s 16 -a 'ownerread|ownerwrite|authread|authwrite' 0x1500016
printf 0123456789abcdef | tpm2_nvwrite -Q -C o -i - 0x1500016
tpm2_createprimary -Q -C o -G ecc -c prim.ctx
tpm2_pcrread -Q -o p16 sha256:16
tpm2_createpolicy -Q --policy-pcr -l sha256:16 -f p16 -L policy
printf moved-secret | tpm2_create -Q -C prim.ctx -L policy -i - -u s.pub -r s.priv
tpm2_load -Q -C prim.ctx -u s.pub -r s.priv -c s.ctx
tpm2_evictcontrol -Q -C o -c s.ctx 0x81010060
# On the raw device, without the resource manager: a transient object and a session stay in the TPM, a second session
# is saved.
export TPM2TOOLS_TCTI=device:/dev/tpm0
tpm2_createprimary -Q -C n -G ecc -c null.ctx
tpm2_startauthsession -S saved.ctx
tpm2_getcap handles-transient > transient.before
tpm2_getcap handles-saved-session > sessions.before
tpm2_readclock > clock.before
cat /sys/class/tpm/tpm0/pcr-sha256/* > pcrs.before
