# Make a LUKS2 volume on DISK and enroll the TPM with systemd-cryptenroll.
# Env: DISK (default: first disk with serial disk0), PCRS (default 7)
set -e
D=${DISK:-}
if [ -z "$D" ]; then for s in /sys/block/vd*/serial; do [ "$(cat $s)" = disk0 ] && D=/dev/$(echo $s | cut -d/ -f4); done; fi
[ -b "$D" ] || { echo "no data disk: the machine needs a disk with the serial number disk0, 32 MiB or more"; exit 1; }
mkdir -p /run/cryptsetup; modprobe dm-crypt; modprobe xts 2>/dev/null || true
printf pass1 > /tmp/key
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $D /tmp/key
PASSWORD=pass1 systemd-cryptenroll --tpm2-device=auto --tpm2-pcrs=${PCRS:-7} $D
cryptsetup open --key-file /tmp/key $D data
mke2fs -q /dev/mapper/data 2>/dev/null || mke2fs /dev/mapper/data >/dev/null
mkdir -p /mnt/d; modprobe ext4 2>/dev/null || true; mount -t ext4 /dev/mapper/data /mnt/d
echo "kept across boots" > /mnt/d/hello; umount /mnt/d; cryptsetup close data; sync
cryptsetup luksDump $D | grep -A3 -i 'tokens:'
