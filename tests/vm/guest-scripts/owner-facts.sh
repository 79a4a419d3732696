# Print what owner-fill.sh has left, what the maker of the TPM has left, and what the boot has measured. One fact a line.
set -e
cd /tmp
hex() { hexdump -v -e '1/1 "%02x"'; }
echo "nv $(tpm2_nvread -C o 0x1500040)"
echo "counter $((0x$(tpm2_nvread -C o -s 8 0x1500041 | hex)))"
echo "sealed $(tpm2_unseal -c 0x81010040 -p pcr:sha256:7)"
for h in $(tpm2_getcap handles-persistent | sed 's/^- //'); do
  echo "persistent $h $(tpm2_readpublic -c $h | sed -n 's/^name: //p')"
done
for h in $(tpm2_getcap handles-nv-index | sed 's/^- //'); do
  tpm2_nvreadpublic $h | tr -d ' \n' | sed "s/^/nv-public /; s/\$/\n/"
done
for h in 0x1c00002 0x1c08000; do
  tpm2_nvread -C o -o cert $h; echo "certificate $h $(sha256sum cert | cut -d' ' -f1)"
done
for a in rsa ecc; do
  tpm2_createprimary -Q -C o -G $a -c p.ctx; tpm2_readpublic -Q -c p.ctx -n name; echo "primary $a $(hex < name)"
done
tpm2_getcap properties-variable | grep -E 'AuthSet|Enable|disableClear|LOCKOUT|MAX_AUTH'
for bank in /sys/class/tpm/tpm0/pcr-*; do
  for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo "${bank##*/} $i $(cat $bank/$i)"; done
done
