//! What a stage needs on the machine: found, installed as root, or named.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::run::{command, has_program, must};

/// One thing that must be there, and the Debian package that has it.
pub(crate) struct Need {
    /// A program's name, or the absolute path of a file.
    thing: &'static str,
    /// The Debian package.
    package: &'static str,
}

const fn need(thing: &'static str, package: &'static str) -> Need {
    Need { thing, package }
}

/// For a guest: QEMU, UEFI firmware, and what `tests/vm/build-guest` packs it with.
pub(crate) const GUEST: &[Need] = &[
    need("qemu-system-x86_64", "qemu-system-x86"),
    need("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "ovmf"),
    need("python3", "python3"),
    need("cpio", "cpio"),
    need("depmod", "kmod"),
    need("mcopy", "mtools"),
    need("sfdisk", "fdisk"),
];

/// For the client tests: tpm2-tools, the IBM TSS utilities, and what pip builds tpm2-pytss with.
pub(crate) const CLIENTS: &[Need] = &[
    need("tpm2", "tpm2-tools"),
    need("/usr/lib/x86_64-linux-gnu/libtss2-tcti-swtpm.so.0", "libtss2-tcti-swtpm0"),
    need("tsscreateprimary", "tss2"),
    need("openssl", "openssl"),
    need("python3", "python3"),
    need("/usr/include/tss2/tss2_esys.h", "libtss2-dev"),
    need("pkg-config", "pkg-config"),
];

/// For the differential test and the benchmark: the TPM to compare with.
pub(crate) const SWTPM: &[Need] = &[need("swtpm", "swtpm"), need("swtpm_ioctl", "swtpm-tools")];

/// Key managers that run on one machine, and what sets them up.
pub(crate) const KEYS: &[Need] = &[
    need("barbican-manage", "barbican-api"),
    need("keystone-manage", "keystone"),
    need("softhsm2-util", "softhsm2"),
    need("pkcs11-tool", "opensc"),
    need("libvirtd", "libvirt-daemon"),
    need("/etc/libvirt/libvirtd.conf", "libvirt-daemon-system"),
    need("virsh", "libvirt-clients"),
    need("setpriv", "util-linux"),
    need("/usr/lib/python3/dist-packages/kmip/__init__.py", "python3-pykmip"),
    need("python3", "python3"),
];

/// What makes states as swtpm's users have them.
pub(crate) const SWTPM_TOOLS: &[Need] =
    &[need("swtpm_setup", "swtpm-tools"), need("/usr/bin/swtpm_localca", "swtpm-tools")];

/// For libvirt hosts in name spaces of their own.
pub(crate) const LIBVIRT: &[Need] = &[
    need("libvirtd", "libvirt-daemon"),
    need("/etc/libvirt/libvirtd.conf", "libvirt-daemon-system"),
    need("virsh", "libvirt-clients"),
    need("bindfs", "bindfs"),
    need("ip", "iproute2"),
    need("nsenter", "util-linux"),
];

/// For the build of QEMU's own tests from Debian's source package.
pub(crate) const QTEST: &[Need] = &[
    need("dpkg-source", "dpkg-dev"),
    need("gcc", "gcc"),
    need("ninja", "ninja-build"),
    need("meson", "meson"),
    need("pkg-config", "pkg-config"),
    need("/usr/include/glib-2.0/glib.h", "libglib2.0-dev"),
    need("/usr/include/pixman-1/pixman.h", "libpixman-1-dev"),
    need("/usr/include/libfdt.h", "libfdt-dev"),
];

/// What builds and checks packages, and a Debian with systemd to install them on.
pub(crate) const PACKAGES: &[Need] = &[
    need("dpkg-buildpackage", "dpkg-dev"),
    need("dh", "debhelper"),
    need("dh_apparmor", "dh-apparmor"),
    need("lintian", "lintian"),
    need("rpmbuild", "rpm"),
    need("apparmor_parser", "apparmor"),
    need("checkmodule", "checkpolicy"),
    need("semodule_package", "semodule-utils"),
    need("/usr/share/selinux/devel/Makefile", "selinux-policy-dev"),
    need("systemd-analyze", "systemd"),
    need("systemd-nspawn", "systemd-container"),
    need("mmdebstrap", "mmdebstrap"),
    need("man", "man-db"),
    need("mandoc", "mandoc"),
    need("zsh", "zsh"),
    need("fish", "fish"),
    need("python3", "python3"),
];

/// For recording system calls.
pub(crate) const STRACE: &[Need] = &[need("strace", "strace"), need("python3", "python3")];

/// For linking statically.
pub(crate) const MUSL: &[Need] = &[need("musl-gcc", "musl-tools")];

/// For counting instructions.
pub(crate) const VALGRIND: &[Need] = &[need("valgrind", "valgrind")];

/// For looking into machine code.
pub(crate) const BINUTILS: &[Need] = &[need("objdump", "binutils"), need("addr2line", "binutils")];

impl Need {
    fn is_met(&self) -> bool {
        if self.thing.starts_with('/') { Path::new(self.thing).exists() } else { has_program(self.thing) }
    }
}

/// See that everything is there: install what is missing as root, name it otherwise.
pub(crate) fn ensure(needs: &[&[Need]]) -> Result<(), Failure> {
    let mut missing: Vec<&str> =
        needs.iter().flat_map(|list| list.iter()).filter(|need| !need.is_met()).map(|need| need.package).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() || !has_program("apt-get") {
        return Err(format!("missing: {list}; install with: apt-get install {list}"));
    }
    println!("Installing {list}");
    refresh_lists()?;
    let mut install = command("apt-get", &["install", "-q", "-y", "--no-install-recommends"]);
    install.args(&missing);
    quiet(install)
}

/// apt's lists of packages; a new machine has none.
pub(crate) fn refresh_lists() -> Result<(), Failure> {
    quiet(command("apt-get", &["update", "-q"]))
}

/// Whether apt knows any package at all.
pub(crate) fn has_lists() -> bool {
    let lists = std::fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    lists.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn quiet(mut command: Command) -> Result<(), Failure> {
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
    must(command)
}
