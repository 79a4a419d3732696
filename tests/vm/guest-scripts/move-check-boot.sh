# The next boot finds what move-prepare.sh has left in NV. /tmp is empty by now.
set -e
[ "$(tpm2_nvread -C o 0x1500016)" = 0123456789abcdef ] || { echo "the NV index differs"; exit 1; }
tpm2_pcrextend 16:sha256=$(printf %064d 1)
[ "$(tpm2_unseal -c 0x81010060 -p pcr:sha256:16)" = moved-secret ] || { echo "the sealed object does not open"; exit 1; }
