"""Disk images."""


def make_qcow2(path, size):
    """An empty qcow2 image (version 2, clusters of 64 KiB), in which QEMU can keep snapshots.

    The header, one cluster of the refcount table, one refcount block for the first four clusters, an empty L1 table:
    QEMU's docs/interop/qcow2.txt.
    """
    cluster = 1 << 16
    entries = -(-size // (cluster * (cluster // 8)))
    header = b"QFI\xfb" + b"".join(
        value.to_bytes(length, "big")
        for value, length in (
            (2, 4), (0, 8), (0, 4), (16, 4), (size, 8), (0, 4),  # version, backing file, cluster bits, size, encryption
            (entries, 4), (3 * cluster, 8),  # L1 table
            (cluster, 8), (1, 4),  # refcount table
            (0, 4), (0, 8),  # snapshots
        )
    )
    with open(path, "wb") as file:
        file.write(header.ljust(cluster, b"\0"))
        file.write((2 * cluster).to_bytes(8, "big").ljust(cluster, b"\0"))
        file.write((1).to_bytes(2, "big") * 4)
        file.truncate(4 * cluster)
