# Change what move-prepare.sh has left.
set -e
tpm2_pcrextend 16:sha256=$(printf %064d 2)
printf XXXXXXXXXXXXXXXX | tpm2_nvwrite -Q -C o -i - 0x1500016
tpm2_evictcontrol -Q -C o -c 0x81010060
TPM2TOOLS_TCTI=device:/dev/tpm0 tpm2_flushcontext -t
tpm2_clear -c l
