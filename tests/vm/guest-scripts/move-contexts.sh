# After a move: contexts that the TPM gave out before it still load. Run after move-check.sh, which it leaves valid.
set -e
cd /tmp
export TPM2TOOLS_TCTI=device:/dev/tpm0
tpm2_getcap handles-transient > before
tpm2_readpublic -Q -c null.ctx -n loaded.name
tpm2_getcap handles-transient | grep -vxF -f before | sed 's/^- //' | while read -r h; do tpm2_flushcontext $h; done
tpm2_policypcr -Q -S saved.ctx -l sha256:16
tpm2_getcap handles-transient | cmp - before
