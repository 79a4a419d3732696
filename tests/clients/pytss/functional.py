"""ESAPI from Python: keys, sessions, policies, NV, attestation, sequences, PCRs."""

import os

from tpm2_pytss import ESAPI, TCTILdr, TSS2_Exception
from tpm2_pytss.constants import (
    ESYS_TR,
    TPM2_ALG,
    TPM2_CC,
    TPM2_CAP,
    TPM2_EO,
    TPM2_RC,
    TPM2_RH,
    TPM2_SE,
    TPMA_NV,
    TPMA_SESSION,
)
from tpm2_pytss.types import (
    TPM2B_AUTH,
    TPM2B_DATA,
    TPM2B_DIGEST,
    TPM2B_MAX_NV_BUFFER,
    TPM2B_NV_PUBLIC,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPML_DIGEST,
    TPML_DIGEST_VALUES,
    TPML_PCR_SELECTION,
    TPMS_NV_PUBLIC,
    TPMS_SENSITIVE_CREATE,
    TPMT_HA,
    TPMT_SIG_SCHEME,
    TPMT_SYM_DEF,
    TPMT_TK_HASHCHECK,
    TPMU_HA,
)

AES = TPMT_SYM_DEF.parse("aes128cfb")


def refused(code, call, *arguments, **named):
    """The call must fail with this response code, apart from the handle, parameter or session that it names."""
    try:
        call(*arguments, **named)
    except TSS2_Exception as e:
        found = e.rc & 0xBF if e.rc & 0x80 else e.rc
        if e.rc != code and found != code & 0xBF:
            raise AssertionError(f"refused with {e.rc:#x}, expected {code:#x}") from e
        return
    raise AssertionError(f"not refused: {call}")


def sensitive(auth=b"", data=b""):
    return TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=auth, data=data))


def session(tpm, kind=TPM2_SE.HMAC, salt=ESYS_TR.NONE, bind=ESYS_TR.NONE, attributes=None):
    handle = tpm.start_auth_session(salt, bind, kind, AES, TPM2_ALG.SHA256)
    if attributes is not None:
        tpm.trsess_set_attributes(handle, attributes)
    return handle


def storage_key(tpm, kind="ecc"):
    return tpm.create_primary(sensitive(), kind)[0]


def signing(kind):
    """The template of a key that signs, with SHA-256."""
    attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|noda"
    return TPM2B_PUBLIC.parse(kind + "-sha256:null", objectAttributes=attributes)


def keys_and_sessions(tpm):
    """Signatures with every kind of session for the key's authorisation."""
    encrypting = TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT | TPMA_SESSION.CONTINUESESSION
    for parent_kind in ("ecc", "rsa2048"):
        parent = storage_key(tpm, parent_kind)
        for kind, scheme in (("ecc:ecdsa", TPM2_ALG.ECDSA), ("rsa2048:rsapss", TPM2_ALG.RSAPSS)):
            private, public, *_ = tpm.create(parent, sensitive(auth=b"keyauth"), signing(kind))
            key = tpm.load(parent, private, public)
            assert tpm.read_public(key)[0].marshal() == public.marshal()
            tpm.tr_set_auth(key, "keyauth")
            digest = TPM2B_DIGEST(os.urandom(32))
            how = TPMT_SIG_SCHEME(scheme=scheme)
            how.details.any.hashAlg = TPM2_ALG.SHA256
            ticket = TPMT_TK_HASHCHECK(tag=0x8024, hierarchy=TPM2_RH.NULL)
            for salt in (ESYS_TR.NONE, parent):
                for bind in (ESYS_TR.NONE, key):
                    auth = session(tpm, salt=salt, bind=bind, attributes=encrypting)
                    for _ in range(2):
                        signature = tpm.sign(key, digest, how, ticket, session1=auth)
                        tpm.verify_signature(key, digest, signature)
                    tpm.flush_context(auth)
            tpm.tr_set_auth(key, "wrong")
            refused(TPM2_RC.BAD_AUTH, tpm.sign, key, digest, how, ticket)
            refused(TPM2_RC.SIGNATURE, tpm.verify_signature, key, TPM2B_DIGEST(bytes(32)), signature)
            tpm.flush_context(key)
        tpm.flush_context(parent)


def sealing(tpm):
    """Data sealed to PCR and command code, unsealed through an encrypting policy session."""
    parent = storage_key(tpm)
    pcrs = TPML_PCR_SELECTION.parse("sha256:16")
    trial = session(tpm, TPM2_SE.TRIAL)
    tpm.policy_pcr(trial, TPM2B_DIGEST(), pcrs)
    tpm.policy_command_code(trial, TPM2_CC.Unseal)
    policy = tpm.policy_get_digest(trial)
    tpm.flush_context(trial)
    template = TPM2B_PUBLIC.parse("keyedhash", objectAttributes="fixedtpm|fixedparent", authPolicy=policy)
    template.publicArea.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG.NULL
    private, public, *_ = tpm.create(parent, sensitive(data=b"falafel"), template)
    sealed = tpm.load(parent, private, public)
    auth = session(tpm, TPM2_SE.POLICY, salt=parent, attributes=TPMA_SESSION.ENCRYPT | TPMA_SESSION.CONTINUESESSION)
    tpm.policy_pcr(auth, TPM2B_DIGEST(), pcrs)
    tpm.policy_command_code(auth, TPM2_CC.Unseal)
    assert bytes(tpm.unseal(sealed, session1=auth)) == b"falafel"
    refused(TPM2_RC.POLICY_FAIL, tpm.unseal, sealed, session1=auth)
    digests = TPML_DIGEST_VALUES([TPMT_HA(hashAlg=TPM2_ALG.SHA256, digest=TPMU_HA(sha256=b"\1" * 32))])
    tpm.pcr_extend(ESYS_TR.PCR16, digests)
    tpm.policy_restart(auth)
    tpm.policy_pcr(auth, TPM2B_DIGEST(), pcrs)
    tpm.policy_command_code(auth, TPM2_CC.Unseal)
    refused(TPM2_RC.POLICY_FAIL, tpm.unseal, sealed, session1=auth)
    tpm.pcr_reset(ESYS_TR.PCR16)
    # contexts: saved, flushed, loaded, still the same object
    context = tpm.context_save(sealed)
    tpm.flush_context(sealed)
    sealed = tpm.context_load(context)
    tpm.policy_restart(auth)
    tpm.policy_pcr(auth, TPM2B_DIGEST(), pcrs)
    tpm.policy_command_code(auth, TPM2_CC.Unseal)
    assert bytes(tpm.unseal(sealed, session1=auth)) == b"falafel"
    for handle in (auth, sealed, parent):
        tpm.flush_context(handle)


def nv(tpm):
    """An index written and read in chunks, through an encrypting session; a counter."""
    parent = storage_key(tpm)
    attributes = TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE | TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE
    public = TPMS_NV_PUBLIC(nvIndex=0x1500001, nameAlg=TPM2_ALG.SHA256, attributes=attributes, dataSize=600)
    index = tpm.nv_define_space(TPM2B_AUTH(b"indexauth"), TPM2B_NV_PUBLIC(public))
    tpm.tr_set_auth(index, "indexauth")
    data = os.urandom(600)
    auth = session(tpm, salt=parent, attributes=TPMA_SESSION.DECRYPT | TPMA_SESSION.CONTINUESESSION)
    for offset in range(0, 600, 200):
        tpm.nv_write(index, TPM2B_MAX_NV_BUFFER(data[offset : offset + 200]), offset, index, session1=auth)
    tpm.trsess_set_attributes(auth, TPMA_SESSION.ENCRYPT | TPMA_SESSION.CONTINUESESSION)
    read = b"".join(bytes(tpm.nv_read(index, 100, offset, index, session1=auth)) for offset in range(0, 600, 100))
    assert read == data
    refused(TPM2_RC.NV_RANGE, tpm.nv_read, index, 100, 501, index)
    tpm.nv_undefine_space(index)
    counter = TPMS_NV_PUBLIC(nvIndex=0x1500002, nameAlg=TPM2_ALG.SHA256, attributes=attributes | (1 << 4), dataSize=8)
    index = tpm.nv_define_space(TPM2B_AUTH(), TPM2B_NV_PUBLIC(counter))
    values = []
    for _ in range(3):
        tpm.nv_increment(index, ESYS_TR.OWNER)
        values.append(int.from_bytes(bytes(tpm.nv_read(index, 8, 0, ESYS_TR.OWNER)), "big"))
    assert values[1] == values[0] + 1 and values[2] == values[1] + 1, values
    tpm.nv_undefine_space(index)
    tpm.flush_context(auth)
    tpm.flush_context(parent)


def attestation(tpm):
    """A quote of what PCR_Read reads; NV and object certification have their own cases in the shell tests."""
    key = tpm.create_primary(sensitive(), signing("ecc:ecdsa"), ESYS_TR.ENDORSEMENT)[0]
    scheme = TPMT_SIG_SCHEME(scheme=TPM2_ALG.ECDSA)
    scheme.details.any.hashAlg = TPM2_ALG.SHA256
    quoted, signature = tpm.quote(key, "sha256:0,7", TPM2B_DATA(b"nonce"), scheme)
    from hashlib import sha256

    tpm.verify_signature(key, TPM2B_DIGEST(sha256(bytes(quoted)).digest()), signature)
    _, _, values = tpm.pcr_read("sha256:0,7")
    expected = sha256(b"".join(bytes(value) for value in values)).digest()
    from tpm2_pytss.types import TPMS_ATTEST

    attest, _ = TPMS_ATTEST.unmarshal(bytes(quoted))
    assert bytes(attest.attested.quote.pcrDigest) == expected
    assert bytes(attest.extraData) == b"nonce"
    tpm.flush_context(key)


def sequences_and_capabilities(tpm):
    """A hash sequence; every property group answers; random numbers."""
    from hashlib import sha384

    data = os.urandom(3000)
    sequence = tpm.hash_sequence_start(TPM2B_AUTH(b"seq"), TPM2_ALG.SHA384)
    tpm.tr_set_auth(sequence, "seq")
    for offset in range(0, 2000, 1000):
        tpm.sequence_update(sequence, data[offset : offset + 1000])
    digest, ticket = tpm.sequence_complete(sequence, data[2000:], ESYS_TR.OWNER)
    assert bytes(digest) == sha384(data).digest()
    more, capability = tpm.get_capability(TPM2_CAP.COMMANDS, 0x11F, 256)
    assert capability.capability == TPM2_CAP.COMMANDS
    assert len(list(capability.data.command)) > 90
    assert len(bytes(tpm.get_random(48))) == 48
    assert tpm.read_clock().clockInfo.resetCount >= 0
    tpm.self_test(True)
    a, b = TPM2B_DIGEST(os.urandom(32)), TPM2B_DIGEST(os.urandom(32))
    trial = session(tpm, TPM2_SE.TRIAL)
    tpm.policy_or(trial, TPML_DIGEST([a, b]))
    want = __import__("hashlib").sha256(bytes(32) + int(TPM2_CC.PolicyOR).to_bytes(4, "big") + bytes(a) + bytes(b))
    assert bytes(tpm.policy_get_digest(trial)) == want.digest()
    tpm.flush_context(trial)


def two_operands(tpm):
    """PolicyNV compares as the specification says."""
    attributes = TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE
    public = TPMS_NV_PUBLIC(nvIndex=0x1500003, nameAlg=TPM2_ALG.SHA256, attributes=attributes, dataSize=1)
    index = tpm.nv_define_space(TPM2B_AUTH(), TPM2B_NV_PUBLIC(public))
    tpm.nv_write(index, TPM2B_MAX_NV_BUFFER(b"\x80"), 0, ESYS_TR.OWNER)
    auth = session(tpm, TPM2_SE.POLICY)
    holds = {
        TPM2_EO.EQ: b"\x80", TPM2_EO.NEQ: b"\x81", TPM2_EO.SIGNED_LT: b"\x01", TPM2_EO.UNSIGNED_GT: b"\x01",
        TPM2_EO.SIGNED_LE: b"\x80", TPM2_EO.UNSIGNED_GE: b"\x7f", TPM2_EO.BITSET: b"\x80", TPM2_EO.BITCLEAR: b"\x7f",
    }  # fmt: skip
    fails = {
        TPM2_EO.EQ: b"\x81", TPM2_EO.NEQ: b"\x80", TPM2_EO.SIGNED_GT: b"\x01", TPM2_EO.UNSIGNED_LT: b"\x01",
        TPM2_EO.SIGNED_GE: b"\x7f", TPM2_EO.UNSIGNED_LE: b"\x7f", TPM2_EO.BITSET: b"\x81", TPM2_EO.BITCLEAR: b"\x80",
    }  # fmt: skip
    for operation, operand in holds.items():
        tpm.policy_nv(ESYS_TR.OWNER, index, auth, operand, operation)
    for operation, operand in fails.items():
        refused(TPM2_RC.POLICY, tpm.policy_nv, ESYS_TR.OWNER, index, auth, operand, operation)
    tpm.flush_context(auth)
    tpm.nv_undefine_space(index)


def main():
    with TCTILdr.parse(os.environ["TPM2_PYTSS_TCTI"]) as tcti, ESAPI(tcti) as tpm:
        for part in (keys_and_sessions, sealing, nv, attestation, sequences_and_capabilities, two_operands):
            print(part.__name__, flush=True)
            part(tpm)


main()
