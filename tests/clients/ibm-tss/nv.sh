# NV indices, in password and HMAC sessions, with PINs and locks.
. "$CASES/_lib.sh"
head -c 16 /dev/urandom > data
tssnvdefinespace -ha 01000000 -hi o -pwdn nnn -sz 16
refused TPM_RC_NV_UNINITIALIZED tssnvread -ha 01000000 -pwdn nnn -sz 16
tssnvwrite -ha 01000000 -pwdn nnn -if data
tssstartauthsession -se h -bi 01000000 -pwdb nnn
tssnvread -ha 01000000 -pwdn nnn -sz 16 -of out -se0 02000000 41; cmp out data
tssnvwrite -ha 01000000 -pwdn nnn -if data -se0 02000000 21
tssnvread -ha 01000000 -pwdn nnn -sz 8 -off 8 -of out -se0 02000000 40; cmp <(tail -c 8 data) out
tssnvundefinespace -hi o -ha 01000000
for hash in sha1 sha256; do
  tssnvdefinespace -ha 01000000 -hi o -pwdn nnn -ty e -nalg $hash
  tssnvextend -ha 01000000 -pwdn nnn -if data
  size=$(openssl dgst -$hash -binary data | wc -c)
  tssnvread -ha 01000000 -pwdn nnn -sz $size -of out
  { head -c $size /dev/zero; cat data; } | openssl dgst -$hash -binary | cmp - out
  tssnvundefinespace -hi o -ha 01000000
done
tssnvdefinespace -ha 01000000 -hi o -pwdn nnn -ty c
tssnvincrement -ha 01000000 -pwdn nnn; tssnvincrement -ha 01000000 -pwdn nnn
tssnvread -ha 01000000 -pwdn nnn -sz 8 -of out; [ "$(od -An -tx1 out | tr -d ' ')" != 0000000000000000 ]
tssnvundefinespace -hi o -ha 01000000
tssnvdefinespace -ha 01000000 -hi o -pwdn nnn -ty b
tssnvsetbits -ha 01000000 -pwdn nnn -bit 16; tssnvsetbits -ha 01000000 -pwdn nnn -bit 0
tssnvread -ha 01000000 -pwdn nnn -sz 8 -of out; [ "$(od -An -tx1 out | tr -d ' ')" = 0000000000010001 ]
tssnvundefinespace -hi o -ha 01000000
tssnvdefinespace -ha 01000000 -hi o -pwdn nnn -sz 16 +at wst +at rst
tssnvwrite -ha 01000000 -pwdn nnn -if data
tssnvwritelock -ha 01000000 -pwdn nnn; refused TPM_RC_NV_LOCKED tssnvwrite -ha 01000000 -pwdn nnn -if data
tssnvreadlock -ha 01000000 -pwdn nnn; refused TPM_RC_NV_LOCKED tssnvread -ha 01000000 -pwdn nnn -sz 16
tssnvundefinespace -hi o -ha 01000000
# PIN pass: two uses
tssnvdefinespace -ha 01000000 -hi p -hia p -pwdn pin -ty p
tssnvwrite -ha 01000000 -hia p -id 0 2
tssnvread -ha 01000000 -pwdn pin -sz 8; tssnvread -ha 01000000 -pwdn pin -sz 8
if tssnvread -ha 01000000 -pwdn pin -sz 8; then exit 1; fi
tssnvreadpublic -ha 01000000
