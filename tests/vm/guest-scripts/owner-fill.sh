# Leave what a TPM's owner would not like to lose. Counterpart: owner-facts.sh. Env: SECRET
set -e
cd /tmp
tpm2_nvdefine -Q -C o -s ${#SECRET} -a 'ownerread|ownerwrite|authread|authwrite' 0x1500040
printf %s "$SECRET" | tpm2_nvwrite -Q -C o -i - 0x1500040
tpm2_nvdefine -Q -C o -a 'nt=counter|ownerread|ownerwrite' 0x1500041
for i in 1 2 3; do tpm2_nvincrement -Q -C o 0x1500041; done
tpm2_createprimary -Q -C o -G ecc -c prim.ctx
tpm2_pcrread -Q -o pcr.bin sha256:7
tpm2_createpolicy -Q --policy-pcr -l sha256:7 -f pcr.bin -L policy
printf %s "$SECRET" | tpm2_create -Q -C prim.ctx -L policy -i - -u seal.pub -r seal.priv
tpm2_load -Q -C prim.ctx -u seal.pub -r seal.priv -c seal.ctx
tpm2_evictcontrol -Q -C o -c seal.ctx 0x81010040
